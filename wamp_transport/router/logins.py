"""From HELLO to WELCOME: who a peer is, asked outside where credentials are needed, and whether it may join.

Anonymous sessions of a service that lets them in join without a question. A login that fails is final: ABORT, and the
transport is closed, so that nobody can try one secret after another over one connection.
Sections of the specification: Basic Profile, "Session Establishment"; Advanced Profile, "Authentication Methods".
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from ..wamp import errors
from ..wamp.errors import ProtocolViolation, RequestRefused
from ..wamp.features import known_roles
from ..wamp.messages import Authenticate as AuthenticateMessage
from ..wamp.messages import Challenge as ChallengeMessage
from ..wamp.messages import Hello, Welcome, WelcomeDetails
from ..wamp.payload import PYTHON
from ..wamp.uris import is_uri
from .answers import Admit, Answer, Challenge, Deny, Skip
from .effects import Authenticate, Effect, Joined, Send
from .limits import Census
from .options import OPERATOR, TRUSTED, RouterOptions, ServiceOptions
from .ports import Environment
from .realm import Realm
from .records import Session
from .session import move
from .tickets import Tickets, stop_clock
from .waiting import Login

CLIENT_ROLES = ("publisher", "subscriber", "caller", "callee")
ANONYMOUS = "anonymous"

Abort = Callable[[Session, str, str], None]
"""Ends a session without goodbye: reason, message."""


class Refused(Exception):
    """A login that leads to no session: the ABORT's reason and message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Logins:
    """The logins of a router. ``options`` are replaced when it takes new ones."""

    def __init__(
        self,
        options: RouterOptions,
        realms: Mapping[str, Realm],
        environment: Environment,
        outbox: list[Effect],
        tickets: Tickets,
        abort: Abort,
    ) -> None:
        self.options = options
        self._realms = realms
        self._environment = environment
        self._outbox = outbox
        self._tickets = tickets
        self._abort = abort
        self.census = Census()

    def on_hello(self, session: Session, message: Hello) -> None:
        """HELLO: WELCOME, a question to the authenticator, or ABORT with the reason."""
        details = message.details
        if not details.roles or not any(role in CLIENT_ROLES for role in details.roles):
            raise ProtocolViolation("HELLO.details.roles must name at least one of " + ", ".join(CLIENT_ROLES))
        session.roles = known_roles(details.roles)
        service = session.service
        try:
            if not service.authmethods:
                self._realm(service, message.realm)
            method = chosen_method(service, details.authmethods)
            if is_asked(service, method):
                session.login = Login(message, method)
                self._ask(session, session.login)
            else:
                self._log_in(session, self._anonymous(service, message))
        except Refused as refused:
            self._abort(session, refused.reason, str(refused))

    def admit(self, session: Session, hello: Hello, principal: Admit) -> None:
        """A peer inside the process joins as ``principal`` without a login, and may have the role ``trusted``.

        WELCOME, or ABORT with the reason.
        """
        session.roles = hello.details.roles or {}
        try:
            self._join(session, principal)
        except Refused as refused:
            self._abort(session, refused.reason, str(refused))

    def on_authenticate(self, session: Session, message: AuthenticateMessage) -> None:
        """AUTHENTICATE: what the peer says to its challenge goes to the authenticator."""
        assert session.login is not None  # noqa: S101 - it was challenged
        self._ask(session, session.login, message)

    def answered(self, session: Session, answer: Answer) -> None:
        """The authenticator has answered. What is no answer to it counts as a failure."""
        try:
            if isinstance(answer, Admit):
                self._log_in(session, answer)
            elif isinstance(answer, Challenge):
                self._challenge(session, answer)
            elif isinstance(answer, Skip) and session.login is not None and not session.login.is_challenged:
                self._try_next(session, session.login)
            elif isinstance(answer, Deny):
                raise Refused(answer.reason, answer.message)
            else:
                raise Refused(errors.AUTHENTICATION_FAILED, "the authenticator gave no valid answer")
        except Refused as refused:
            self._abort(session, refused.reason, str(refused))

    def on_authenticator_deadline(self, session: Session) -> None:
        """The authenticator takes too long."""
        self._abort(session, errors.AUTHENTICATION_FAILED, "the authenticator did not answer in time")

    def on_challenge_deadline(self, session: Session) -> None:
        """The peer takes too long."""
        text = f"no AUTHENTICATE within {self.options.challenge_timeout:g} seconds"
        self._abort(session, errors.AUTHENTICATION_FAILED, text)

    # --- parts of the above --------------------------------------------------------------------------------------

    def _try_next(self, session: Session, login: Login) -> None:
        """The method does not apply: the next one that the peer offers, each once."""
        login.skipped.add(login.method)
        login.method = chosen_method(session.service, login.hello.details.authmethods, login.skipped)
        if is_asked(session.service, login.method):
            self._ask(session, login)
        else:
            self._join(session, self._anonymous(session.service, login.hello))

    def _ask(self, session: Session, login: Login, message: AuthenticateMessage | None = None) -> None:
        stop_clock(session)
        move(session, "authenticate")
        session.deadline = self._environment.deadlines.after(
            self.options.authentication_timeout, "authenticator", session
        )
        self._outbox.append(
            Authenticate(
                self._tickets.issue(session),
                session.id,
                session.service.key,
                login.method,
                login.hello,
                session.transport,
                message,
                login.pending,
            )
        )

    def _challenge(self, session: Session, answer: Challenge) -> None:
        assert session.login is not None  # noqa: S101 - it was asked about
        session.login.pending = answer.pending
        session.login.is_challenged = True
        move(session, "challenge")
        session.deadline = self._environment.deadlines.after(self.options.challenge_timeout, "challenge", session)
        self._outbox.append(Send((session.id,), ChallengeMessage(answer.method, answer.extra), PYTHON))

    def _anonymous(self, service: ServiceOptions, hello: Hello) -> Admit:
        login = service.anonymous
        assert login is not None  # noqa: S101 - the method was chosen
        authid = login.authid or login.client_id or f"anonymous-{self._environment.new_session_id():014x}"
        return Admit(hello.realm, authid, login.role, ANONYMOUS, "static")

    def _realm(self, service: ServiceOptions, name: str | None) -> Realm:
        if name is None:
            raise Refused(errors.NO_SUCH_REALM, "HELLO names no realm")
        reachable = service.realms
        realm = self._realms.get(name) if reachable is None or name in reachable else None
        if realm is None and not is_uri(name, loose=True):
            raise Refused(errors.INVALID_URI, f"HELLO.realm is not a URI: {name[:100]!r}")
        if realm is None:
            raise Refused(errors.NO_SUCH_REALM, f"there is no realm {name!r}")
        return realm

    def _log_in(self, session: Session, principal: Admit) -> None:
        is_operator = session.login is not None and session.login.method == OPERATOR
        if principal.authrole == TRUSTED and not is_operator:
            raise Refused(errors.NO_SUCH_ROLE, f"the role {TRUSTED!r} is not for logins")
        self._join(session, principal)

    def _join(self, session: Session, principal: Admit) -> None:
        realm = self._realm(session.service, principal.realm)
        role = principal.authrole
        if not principal.authid:
            raise Refused(errors.NO_SUCH_PRINCIPAL, "the authenticator assigned no authid")
        if role not in realm.roles:
            raise Refused(errors.NO_SUCH_ROLE, f"realm {principal.realm!r} has no role {role!r}")
        owners = realm.owners(role, session.service)
        try:
            self.census.check(*owners)
        except RequestRefused as refused:
            raise Refused(refused.uri, str(refused)) from refused
        session.login = None
        session.realm = realm.options.name
        session.authrole = role
        session.authid = principal.authid
        session.authmethod = principal.authmethod
        session.authprovider = principal.authprovider
        session.authextra = principal.authextra
        move(session, "join")
        stop_clock(session)
        realm.join(session)
        self.census.enter(owners)
        details = WelcomeDetails(
            roles=realm.announced(),
            realm=session.realm,
            authid=session.authid,
            authrole=role,
            authmethod=session.authmethod,
            authprovider=session.authprovider,
            authextra=session.authextra,
            agent=self.options.agent,
        )
        self._outbox.append(Send((session.id,), Welcome(session.id, details), PYTHON))
        self._outbox.append(Joined(session))
        realm.joined(session)


def is_asked(service: ServiceOptions, method: str) -> bool:
    """Whether the authenticator decides on this method."""
    return method in service.authmethods or method == OPERATOR


def chosen_method(service: ServiceOptions, offered: Sequence[str] | None, skipped: Collection[str] = ()) -> str:
    """The first method that the client offers, the service has, and was not skipped. Raises Refused without one.

    A client that offers none offers to be anonymous.
    """
    for method in offered or (ANONYMOUS,):
        if method not in skipped and (
            is_asked(service, method) or (method == ANONYMOUS and service.anonymous is not None)
        ):
            return method
    raise Refused(errors.NO_MATCHING_AUTH_METHOD, "none of the offered authentication methods is available")
