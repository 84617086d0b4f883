from wamp_transport.router.decisions import Admit, Deny

from tests.unit.auth.conftest import request_of
from wamp_transport.auth.principals import CraKeys, CraPassword, Lookup, Principal, admission, lookup_of
from wamp_transport.auth.wampcra import Salting


def test_admission_takes_what_the_principal_says():
    principal = Principal("user", "jim", "realm2", {"a": 1})
    assert admission(request_of("ticket"), principal, "static", "other") == Admit(
        "realm2", "jim", "user", "ticket", "static", {"a": 1}
    )


def test_admission_takes_the_rest_from_hello_and_defaults():
    answer = admission(request_of("ticket"), Principal(), "dynamic", "guest")
    assert answer == Admit("realm1", "joe", "guest", "ticket", "dynamic", None)
    answer = admission(request_of("tls", None), Principal(), "dynamic", "guest", authid="generated")
    assert answer.authid == "generated"


def test_what_the_method_tells_is_added_to_extra():
    answer = admission(request_of("scram"), Principal("user", extra={"a": 1}), "static", None, extra={"verifier": "v"})
    assert answer.authextra == {"a": 1, "verifier": "v"}


def test_login_without_a_role_is_refused():
    answer = admission(request_of("ticket"), Principal(), "static", None)
    assert isinstance(answer, Deny)
    assert answer.reason == "wamp.error.no_such_role"


def test_router_s_own_role_is_refused_from_wherever_it_comes():
    for principal, default in ((Principal("trusted"), None), (Principal(), "trusted")):
        assert isinstance(admission(request_of("ticket"), principal, "dynamic", default), Deny)


def test_lookup_tells_what_crossbar_tells():
    request = request_of("ticket", transport={"peer": "tcp:1", "peer_cert": {"cn": "x"}}, a=1)
    lookup = lookup_of(request, "ticket", ticket="hunter2")
    assert (lookup.method, lookup.realm, lookup.authid, lookup.ticket) == ("ticket", "realm1", "joe", "hunter2")
    assert lookup.details == {
        "session": 7,
        "transport": {"peer": "tcp:1", "peer_cert": {"cn": "x"}, "client_cert": {"cn": "x"}},
        "authmethod": "ticket",
        "authid": "joe",
        "authrole": None,
        "authextra": {"a": 1},
        "ticket": "hunter2",
    }


def test_ticket_is_told_where_there_is_one_alone():
    assert "ticket" not in lookup_of(request_of("wampcra"), "wampcra").details


def test_secrets_are_not_shown():
    shown = repr([Lookup("ticket", None, None, {"ticket": "hunter2"}, ticket="hunter2"), CraKeys(("hunter2",)),
                  CraPassword("hunter2", Salting("s", 1, 1))])  # fmt: skip
    assert "hunter2" not in shown
