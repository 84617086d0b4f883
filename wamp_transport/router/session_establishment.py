"""Establish sessions, from HELLO to WELCOME: authenticate the peer if necessary, and add it to its realm.

If a service has an anonymous login, anonymous peers join without a request to the authenticator, unless its
``authmethods`` contain ``anonymous``. A failed login is final: the router sends ABORT and closes the transport. Each
connection has only one attempt.
See the WAMP specification: Basic Profile, "Session Establishment"; Advanced Profile, "Authentication Methods".
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from ..wamp import errors
from ..wamp.errors import ProtocolViolation, RequestRefused
from ..wamp.features import known_roles
from ..wamp.messages import Authenticate, Challenge, Hello, Welcome, WelcomeDetails
from ..wamp.payload import PYTHON
from ..wamp.uris import is_uri
from .decisions import Admit, Answer, ChallengePeer, Deny, Skip
from .effects import AuthenticationRequest, Effect, Send, SessionJoined
from .environment import Environment
from .limits import SessionCounts
from .options import OPERATOR, TRUSTED, RouterOptions, ServiceOptions
from .pending import PendingLogin
from .realm import Realm
from .records import Session
from .session import move
from .tickets import Tickets, cancel_deadline

CLIENT_ROLES = ("publisher", "subscriber", "caller", "callee")
ANONYMOUS = "anonymous"
MAX_ECHOED_BYTES: Final = 4096
"""Maximum size of the authextra that an anonymous client gets back in WELCOME, in bytes of JSON."""
MAX_ECHOED_DEPTH: Final = 16
"""Maximum nesting depth of the authextra that an anonymous client gets back in WELCOME."""

Abort = Callable[[Session, str, str], None]
"""A function that ends a session with ABORT. It takes the session, a reason and a message."""


class LoginRefused(Exception):
    """Raised if a login fails. The exception contains the reason and the message for ABORT."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SessionEstablishment:
    """The part of a router that establishes sessions. The router replaces ``options`` when it applies new ones.

    Each public method has exactly one outcome: WELCOME, CHALLENGE, a request to the authenticator, or ABORT.
    """

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
        self.session_counts = SessionCounts()

    def on_hello(self, session: Session, message: Hello) -> None:
        """Handle HELLO. Raises ProtocolViolation if it contains no role of a client."""
        details = message.details
        if not details.roles or not any(role in CLIENT_ROLES for role in details.roles):
            raise ProtocolViolation("HELLO.details.roles must name at least one of " + ", ".join(CLIENT_ROLES))
        session.roles = known_roles(details.roles)
        service = session.service
        try:
            if not service.authmethods:
                self._realm(service, message.realm)
            method = choose_method(service, details.authmethods)
            if needs_authenticator(service, method):
                session.login = PendingLogin(message, method)
                self._authenticate(session, session.login)
            else:
                self._accept(session, self._anonymous(service, message))
        except LoginRefused as refused:
            self._abort(session, refused.reason, str(refused))

    def admit(self, session: Session, hello: Hello, principal: Admit) -> None:
        """Add a peer inside the process to its realm as ``principal``, without a login.

        Unlike a peer that logs in, it can have the role ``trusted``.
        """
        session.roles = hello.details.roles or {}
        try:
            self._join(session, principal)
        except LoginRefused as refused:
            self._abort(session, refused.reason, str(refused))

    def on_authenticate(self, session: Session, message: Authenticate) -> None:
        """Handle AUTHENTICATE: pass the answer to a challenge to the authenticator."""
        assert session.login is not None  # noqa: S101 - the login has a challenge
        self._authenticate(session, session.login, message)

    def on_answer(self, session: Session, answer: Answer) -> None:
        """Handle the authenticator's answer. Treat an answer of an unexpected type as a failure."""
        try:
            if isinstance(answer, Admit):
                self._accept(session, answer)
            elif isinstance(answer, ChallengePeer):
                self._challenge(session, answer)
            elif isinstance(answer, Skip) and session.login is not None and not session.login.is_challenged:
                self._try_next(session, session.login)
            elif isinstance(answer, Deny):
                raise LoginRefused(answer.reason, answer.message)
            else:
                raise LoginRefused(errors.AUTHENTICATION_FAILED, "the authenticator gave no valid answer")
        except LoginRefused as refused:
            self._abort(session, refused.reason, str(refused))

    def on_authenticator_deadline(self, session: Session) -> None:
        """Abort a login whose authenticator did not answer in time."""
        self._abort(session, errors.AUTHENTICATION_FAILED, "the authenticator did not answer in time")

    def on_challenge_deadline(self, session: Session) -> None:
        """Abort a login whose peer did not answer the challenge in time."""
        text = f"no AUTHENTICATE within {self.options.challenge_timeout:g} seconds"
        self._abort(session, errors.AUTHENTICATION_FAILED, text)

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _try_next(self, session: Session, login: PendingLogin) -> None:
        """Try the next method that the peer offers. Each method is tried only once."""
        login.skipped.add(login.method)
        login.method = choose_method(session.service, login.hello.details.authmethods, login.skipped)
        if needs_authenticator(session.service, login.method):
            self._authenticate(session, login)
        else:
            self._accept(session, self._anonymous(session.service, login.hello))

    def _authenticate(self, session: Session, login: PendingLogin, message: Authenticate | None = None) -> None:
        cancel_deadline(session)
        move(session, "authenticate")
        session.deadline = self._environment.deadlines.after(
            self.options.authentication_timeout, "authenticator", session
        )
        self._outbox.append(
            AuthenticationRequest(
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

    def _challenge(self, session: Session, answer: ChallengePeer) -> None:
        assert session.login is not None  # noqa: S101 - the authenticator was asked about this login
        session.login.pending = answer.pending
        session.login.is_challenged = True
        move(session, "challenge")
        session.deadline = self._environment.deadlines.after(self.options.challenge_timeout, "challenge", session)
        self._outbox.append(Send((session.id,), Challenge(answer.method, answer.extra), PYTHON))

    def _anonymous(self, service: ServiceOptions, hello: Hello) -> Admit:
        login = service.anonymous
        assert login is not None  # noqa: S101 - choose_method returns "anonymous" only if the service has this login
        authid = login.authid or login.client_id or f"anonymous-{self._environment.new_session_id():014x}"
        return Admit(hello.realm, authid, login.role, ANONYMOUS, "static", self._echoed(hello.details.authextra))

    def _echoed(self, authextra: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return a copy of an anonymous client's authextra, or None if it is unsuitable for other clients.

        The router sends the authextra to other clients in the event ``wamp.session.on_join``. Clients whose serializer
        could not represent the authextra would miss this event and would not notice the anonymous client. If the
        authextra were large, a single HELLO could make the router send very many bytes.
        """
        if authextra is None or self._environment.is_deeper(PYTHON, authextra, MAX_ECHOED_DEPTH):
            return None
        try:
            text = msgspec.json.encode(authextra)
            if len(text) > MAX_ECHOED_BYTES or b"\\u0000" in text:
                return None
            copy: dict[str, Any] = msgspec.json.decode(text)
            msgspec.msgpack.encode(copy)  # MessagePack represents fewer integers than JSON.
        except (TypeError, ValueError, OverflowError):
            return None
        return copy

    def _realm(self, service: ServiceOptions, name: str | None) -> Realm:
        if name is None:
            raise LoginRefused(errors.NO_SUCH_REALM, "HELLO names no realm")
        reachable = service.realms
        realm = self._realms.get(name) if reachable is None or name in reachable else None
        if realm is None and not is_uri(name, loose=True):
            raise LoginRefused(errors.INVALID_URI, f"HELLO.realm is not a URI: {name[:100]!r}")
        if realm is None:
            raise LoginRefused(errors.NO_SUCH_REALM, f"there is no realm {name!r}")
        return realm

    def _accept(self, session: Session, principal: Admit) -> None:
        is_operator = session.login is not None and session.login.method == OPERATOR
        if principal.authrole == TRUSTED and not is_operator:
            raise LoginRefused(errors.NO_SUCH_ROLE, f"the role {TRUSTED!r} is not for logins")
        self._join(session, principal)

    def _join(self, session: Session, principal: Admit) -> None:
        realm = self._realm(session.service, principal.realm)
        role = principal.authrole
        if not principal.authid:
            raise LoginRefused(errors.NO_SUCH_PRINCIPAL, "the authenticator assigned no authid")
        if role not in realm.roles:
            raise LoginRefused(errors.NO_SUCH_ROLE, f"realm {principal.realm!r} has no role {role!r}")
        owners = realm.limit_owners(role, session.service)
        try:
            self.session_counts.check(*owners)
        except RequestRefused as refused:
            raise LoginRefused(refused.uri, str(refused)) from refused
        session.login = None
        session.realm = realm.options.name
        session.authrole = role
        session.authid = principal.authid
        session.authmethod = principal.authmethod
        session.authprovider = principal.authprovider
        session.authextra = principal.authextra
        move(session, "join")
        cancel_deadline(session)
        realm.join(session)
        self.session_counts.enter(owners)
        details = WelcomeDetails(
            roles=realm.welcome_roles(),
            realm=session.realm,
            authid=session.authid,
            authrole=role,
            authmethod=session.authmethod,
            authprovider=session.authprovider,
            authextra=session.authextra,
            agent=self.options.agent,
        )
        self._outbox.append(Send((session.id,), Welcome(session.id, details), PYTHON))
        self._outbox.append(SessionJoined(session))
        realm.announce_join(session)


def needs_authenticator(service: ServiceOptions, method: str) -> bool:
    """Return whether the authenticator decides on logins with this method."""
    return method in service.authmethods or method == OPERATOR


def choose_method(service: ServiceOptions, offered: Sequence[str] | None, skipped: Collection[str] = ()) -> str:
    """Return the first offered method that the service supports and that is not in ``skipped``.

    A client that offers no method is treated as if it offered ``anonymous``. Raises LoginRefused if there is no such
    method.
    """
    for method in offered or (ANONYMOUS,):
        if method not in skipped and (
            needs_authenticator(service, method) or (method == ANONYMOUS and service.anonymous is not None)
        ):
            return method
    raise LoginRefused(errors.NO_MATCHING_AUTH_METHOD, "none of the offered authentication methods is available")
