import pytest

from wamp_transport.router.decisions import Admit, ChallengePeer, Deny, Permit, Skip
from wamp_transport.router.effects import AuthenticationRequest, Send, SessionJoined
from wamp_transport.router.options import (
    AnonymousLogin,
    Limits,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.router.realm import Realm
from wamp_transport.router.records import Session
from wamp_transport.router.session_establishment import LoginRefused, SessionEstablishment, choose_method
from wamp_transport.router.tickets import Tickets
from wamp_transport.wamp.errors import ProtocolViolation
from wamp_transport.wamp.messages import Authenticate, Challenge, Hello, HelloDetails, Welcome

ROLES = {name: RoleOptions(name, allow_by_default=True) for name in ("anonymous", "user")}
ADMIT = Admit("realm1", "alice", "user", "ticket", "static")
OPEN = ServiceOptions("open", AnonymousLogin())
TICKET = ServiceOptions("ticket", authmethods=frozenset({"ticket"}))
BOTH = ServiceOptions("both", AnonymousLogin(authid="guest"), authmethods=frozenset({"ticket"}))


class World:
    def __init__(self, outbox, environment):
        self.outbox = outbox
        self.tickets = Tickets(outbox)
        self.realms = {"realm1": Realm(RealmOptions("realm1", ROLES), outbox, environment, lambda *each: None)}
        self.aborted = []
        options = RouterOptions(authentication_timeout=3, challenge_timeout=4, agent="test")
        self.logins = SessionEstablishment(options, self.realms, environment, outbox, self.tickets, self.abort)

    def abort(self, session, reason, message):
        self.aborted.append(reason.rpartition(".")[2])

    def hello(self, service, *methods, realm="realm1", roles=("caller",)):
        session = Session(1, service, "json")
        details = HelloDetails(roles=dict.fromkeys(roles), authmethods=list(methods) or None)
        self.logins.on_hello(session, Hello(realm, details))
        return session

    def answer(self, session, answer):
        self.tickets.take(session.ticket)
        self.logins.on_answer(session, answer)


@pytest.fixture
def here(outbox, environment):
    return World(outbox, environment)


@pytest.mark.parametrize(
    ("service", "offered", "expected"),
    [
        (OPEN, ["anonymous"], "anonymous"),
        (BOTH, ["x", "ticket", "anonymous"], "ticket"),
        (BOTH, ["anonymous"], "anonymous"),
    ],
)
def test_first_known_method_is_chosen(service, offered, expected):
    assert choose_method(service, offered) == expected


@pytest.mark.parametrize(
    ("service", "offered"), [(OPEN, ["ticket"]), (TICKET, ["anonymous"]), (TICKET, ()), (TICKET, None)]
)
def test_no_known_method_is_refused(service, offered):
    with pytest.raises(LoginRefused) as refused:
        choose_method(service, offered)
    assert refused.value.reason == "wamp.error.no_matching_auth_method"


def test_method_that_was_skipped_is_not_chosen_again():
    assert choose_method(BOTH, ["ticket", "ticket", "anonymous"], {"ticket"}) == "anonymous"
    with pytest.raises(LoginRefused):
        choose_method(BOTH, ["ticket"], {"ticket"})


@pytest.mark.parametrize("roles", [(), ("broker",)])
def test_hello_without_a_client_role_is_a_violation(here, roles):
    with pytest.raises(ProtocolViolation):
        here.hello(OPEN, roles=roles)


@pytest.mark.parametrize("service", [OPEN, BOTH])
def test_anonymous_joins_without_a_question(here, service):
    session = here.hello(service)
    sent, joined = here.outbox
    assert joined == SessionJoined(session)
    welcome = sent.message
    assert isinstance(welcome, Welcome)
    assert welcome.details.agent == "test"
    assert session.state == "established"
    assert session.authid == "guest" if service is BOTH else session.authid.startswith("anonymous-")


@pytest.mark.parametrize(
    ("service", "realm", "reason"),
    [
        (OPEN, None, "no_such_realm"),
        (OPEN, "realm2", "no_such_realm"),
        (ServiceOptions("few", AnonymousLogin(), frozenset({"realm2"})), "realm1", "no_such_realm"),
        (ServiceOptions("role", AnonymousLogin("nobody")), "realm1", "no_such_role"),
        (ServiceOptions("none"), "realm1", "no_matching_auth_method"),
    ],
)
def test_hello_that_cannot_establish_a_session_aborts(here, service, realm, reason):
    here.hello(service, realm=realm)
    assert here.aborted == [reason]


def test_credentials_are_asked_for(here, environment):
    session = here.hello(TICKET, "ticket")
    (asked,) = here.outbox
    assert isinstance(asked, AuthenticationRequest)
    assert (asked.ticket, asked.service, asked.method, asked.message) == (session.ticket, "ticket", "ticket", None)
    assert session.state == "authenticating"
    assert environment.deadlines.next() == 3.0
    here.answer(session, ChallengePeer("ticket", {}, "kept"))
    assert here.outbox[-1] == Send((1,), Challenge("ticket", {}), "python")
    assert session.state == "challenging"
    assert environment.deadlines.next() == 4.0
    here.logins.on_authenticate(session, Authenticate("sig", {}))
    asked = here.outbox[-1]
    assert (asked.message.signature, asked.pending) == ("sig", "kept")
    here.answer(session, ADMIT)
    assert (session.authid, session.authrole, session.login) == ("alice", "user", None)
    assert environment.deadlines.next() is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Deny(), "authentication_denied"),
        (Permit(True), "authentication_failed"),
        (Admit("realm1", "", "user", "ticket", "static"), "no_such_principal"),
        (Admit("realm1", "a", "trusted", "ticket", "static"), "no_such_role"),
        (Admit("realm1", "a", "nobody", "ticket", "static"), "no_such_role"),
        (Admit("realm2", "a", "user", "ticket", "static"), "no_such_realm"),
    ],
)
def test_answer_that_is_no_admission_aborts(here, answer, reason):
    here.answer(here.hello(TICKET, "ticket"), answer)
    assert here.aborted == [reason]


def test_nobody_is_trusted_for_being_anonymous(here):
    here.hello(ServiceOptions("open", AnonymousLogin("trusted")))
    assert here.aborted == ["no_such_role"]


def admit(here, role, realm="realm1"):
    session = Session(1, ServiceOptions("local"), "python")
    hello = Hello(realm, HelloDetails(roles={"caller": None}))
    here.logins.admit(session, hello, Admit(realm, "me", role, "local", "local"))
    return session


@pytest.mark.parametrize("role", ["user", "trusted"])
def test_peer_inside_the_process_is_admitted(here, role):
    session = admit(here, role)
    assert (session.state, session.authrole, list(session.roles)) == ("established", role, ["caller"])
    sent, joined = here.outbox
    assert isinstance(sent.message, Welcome)
    assert joined == SessionJoined(session)


def test_peer_inside_the_process_is_refused_where_it_cannot_join(here):
    admit(here, "nobody")
    admit(here, "user", "nowhere")
    assert here.aborted == ["no_such_role", "no_such_realm"]


def test_late_answers_abort(here):
    session = here.hello(TICKET, "ticket")
    here.logins.on_authenticator_deadline(session)
    here.logins.on_challenge_deadline(session)
    assert here.aborted == ["authentication_failed"] * 2


def test_full_realm_aborts(here, outbox, environment):
    options = RealmOptions("realm1", ROLES, limits=Limits(sessions=1))
    here.realms["realm1"] = Realm(options, outbox, environment, lambda *each: None)
    here.hello(OPEN)
    assert here.aborted == []
    here.hello(OPEN)
    assert here.aborted == ["quota_exceeded"]


@pytest.mark.parametrize("service", [OPEN, TICKET, BOTH])
def test_operators_are_asked_about_at_every_service_and_may_be_trusted(here, outbox, service):
    session = here.hello(service, "operator")
    assert outbox[-1].method == "operator"
    here.answer(session, ChallengePeer("operator", {}))
    here.logins.on_authenticate(session, Authenticate("proof", {}))
    here.answer(session, Admit("realm1", "eva", "trusted", "operator", "operator"))
    assert (session.authrole, here.aborted) == ("trusted", [])


def test_authenticator_cannot_admit_a_trusted_peer(here):
    session = here.hello(TICKET, "ticket")
    here.answer(session, Admit("realm1", "eva", "trusted", "operator", "operator"))
    assert here.aborted == ["no_such_role"]


def test_refused_operator_login_may_try_another_method(here):
    session = here.hello(OPEN, "operator", "anonymous")
    here.answer(session, Skip())
    assert session.authrole == "anonymous"
    other = here.hello(OPEN, "operator")
    here.answer(other, Skip())
    assert here.aborted == ["no_matching_auth_method"]
