"""The router's public face: sessions come and go, messages go in, effects come out.

Synchronous and without I/O. Whoever owns a router feeds it from one thread, tells it the time, and carries out the
effects in order after each call. Time is in seconds of any steady clock.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from ..wamp import errors
from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.features import router_roles
from ..wamp.messages import Abort, Goodbye, Hello, Message, ReasonDetails, Welcome, WelcomeDetails
from ..wamp.payload import PYTHON
from .effects import Close, Effect, Release, Send
from .options import AnonymousLogin, RouterOptions, ServiceOptions
from .realm import Realm
from .records import Session
from .session import ACCEPTED, move, unexpected

NO_REASON = ReasonDetails()
CLIENT_ROLES = ("publisher", "subscriber", "caller", "callee")


class Refused(Exception):
    """A HELLO that leads to no session: the ABORT's reason and message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Router:
    """A WAMP router core.

    ``new_session_id`` gives unguessable ids, ``new_publication_id`` quick ones, both uniform in [1, 2^53].
    """

    def __init__(
        self,
        options: RouterOptions,
        *,
        new_session_id: Callable[[], int],
        new_publication_id: Callable[[], int],
    ) -> None:
        self._options = options
        self._new_session_id = new_session_id
        self._new_publication_id = new_publication_id
        self._outbox: list[Effect] = []
        self._deadlines: list[tuple[float, int, str]] = []
        self.sessions: dict[int, Session] = {}
        self.realms: dict[str, Realm] = {}
        self._handlers: dict[str, dict[type[Message], Callable[[Session, Any], None]]] = {
            state: {kind: getattr(self, name) for kind, name in accepted.items()}
            for state, accepted in ACCEPTED.items()
        }
        self._open_realms(options)

    # --- verbs ---------------------------------------------------------------------------------------------------

    def open_session(self, service: ServiceOptions, payload_format: str, now: float) -> int:
        """A transport is there: the id of the session that its HELLO will establish."""
        session_id = self._new_session_id()
        while session_id in self.sessions:
            session_id = self._new_session_id()
        self.sessions[session_id] = Session(session_id, service, payload_format)
        heappush(self._deadlines, (now + self._options.hello_timeout, session_id, "closed"))
        return session_id

    def receive(self, session_id: int, message: Message) -> None:
        """One message from a session's peer. Messages of a session that is gone are ignored."""
        session = self.sessions.get(session_id)
        if session is None:
            return
        handler = self._handlers[session.state].get(type(message))
        try:
            if handler is None:
                raise unexpected(session, message)
            handler(session, message)
        except ProtocolViolation as violation:
            self.violate(session_id, str(violation))

    def violate(self, session_id: int, message: str) -> None:
        """The peer broke the protocol, before its bytes were a message or after: ABORT, and the transport closes."""
        session = self.sessions.get(session_id)
        if session is not None:
            self._abort(session, errors.PROTOCOL_VIOLATION, message)

    def undeliverable(self, session_id: int, message: Message, fault: PayloadError) -> None:
        """A message could not be said to this session; see :meth:`Realm.undeliverable`."""
        session = self.sessions.get(session_id)
        realm = self.realms.get(session.realm) if session is not None else None
        if session is not None and realm is not None:
            realm.undeliverable(session, message, fault)

    def close_session(self, session_id: int) -> None:
        """The session's transport is gone."""
        session = self.sessions.get(session_id)
        if session is not None:
            self._end(session)

    def leave(self, session_id: int, reason: str, message: str, now: float) -> None:
        """The router ends a session: GOODBYE, out of the realm at once, closed when the peer answers or time is up."""
        session = self.sessions.get(session_id)
        if session is None or session.state in ("closing", "gone"):
            return
        if session.state == "closed":
            self._abort(session, reason, message)
            return
        self._send(session, Goodbye(ReasonDetails(message=message), reason))
        self._detach(session)
        session.leave_reason = reason
        move(session, "leave")
        heappush(self._deadlines, (now + self._options.goodbye_timeout, session_id, "closing"))

    def leave_service(self, key: str, reason: str, message: str, now: float) -> None:
        """End all sessions that came through one path service."""
        for session in [each for each in self.sessions.values() if each.service.key == key]:
            self.leave(session.id, reason, message, now)

    def leave_all(self, reason: str, message: str, now: float) -> None:
        """End all sessions."""
        for session_id in list(self.sessions):
            self.leave(session_id, reason, message, now)

    def configure(self, options: RouterOptions, now: float) -> None:
        """Take new options. Sessions stay, but for those whose realm or role is no more."""
        self._options = options
        for name, realm in list(self.realms.items()):
            new = options.realms.get(name)
            if new is None:
                for session_id in list(realm.sessions):
                    self.leave(session_id, errors.CLOSE_REALM, f"realm {name!r} was closed", now)
                del self.realms[name]
            elif new != realm.options:
                for session in [each for each in realm.sessions.values() if each.authrole not in new.roles]:
                    text = f"role {session.authrole!r} was removed from realm {name!r}"
                    self.leave(session.id, errors.NO_SUCH_ROLE, text, now)
                realm.configure(new)
        self._open_realms(options)

    def advance(self, now: float) -> None:
        """It is ``now``: end what has waited too long."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, session_id, state = heappop(self._deadlines)
            session = self.sessions.get(session_id)
            if session is None or session.state != state:
                continue
            if state == "closed":
                text = f"no session within {self._options.hello_timeout:g} seconds: HELLO must come first"
                self._abort(session, errors.PROTOCOL_VIOLATION, text)
            else:
                self._close(session, session.leave_reason, "no answer to GOODBYE")

    def next_deadline(self) -> float | None:
        """When :meth:`advance` has something to do, if ever."""
        return self._deadlines[0][0] if self._deadlines else None

    def take_effects(self) -> list[Effect]:
        """What is to be done, in order; each effect is taken once."""
        taken = self._outbox[:]
        self._outbox.clear()
        return taken

    # --- handlers, named in the session table --------------------------------------------------------------------

    def on_routed(self, session: Session, message: Message) -> None:
        """A message for the session's realm."""
        self.realms[session.realm].receive(session, message)

    def on_hello(self, session: Session, message: Hello) -> None:
        """HELLO: WELCOME, or ABORT with the reason."""
        if not message.details.roles or not any(role in CLIENT_ROLES for role in message.details.roles):
            raise ProtocolViolation("HELLO.details.roles must name at least one of " + ", ".join(CLIENT_ROLES))
        try:
            realm, login = self._admit(session, message)
        except Refused as refused:
            self._abort(session, refused.reason, str(refused))
            return
        session.realm = realm.options.name
        session.authrole = login.role
        session.authid = login.authid or f"anonymous-{self._new_session_id():014x}"
        session.authmethod = "anonymous"
        session.authprovider = "static"
        session.roles = message.details.roles
        move(session, "join")
        realm.join(session)
        details = WelcomeDetails(
            roles=router_roles(),
            realm=session.realm,
            authid=session.authid,
            authrole=session.authrole,
            authmethod=session.authmethod,
            authprovider=session.authprovider,
            agent=self._options.agent,
        )
        self._send(session, Welcome(session.id, details))

    def on_goodbye(self, session: Session, message: Goodbye) -> None:
        """GOODBYE from the client: answered, and the transport is free for another HELLO."""
        self._send(session, Goodbye(NO_REASON, errors.CLOSE_GOODBYE_AND_OUT))
        self._detach(session)
        move(session, "said_goodbye")
        del self.sessions[session.id]
        self._outbox.append(Release(session.id))

    def on_goodbye_answer(self, session: Session, message: Goodbye) -> None:
        """The answer to the router's GOODBYE: the transport closes for the reason that the router gave."""
        self._close(session, session.leave_reason, "")

    def on_abort(self, session: Session, message: Abort) -> None:
        """ABORT from the client: nothing is answered."""
        self._close(session, message.reason, "the client aborted")

    def ignore(self, session: Session, message: Message) -> None:
        """A message that comes too late to count."""

    # --- parts of the above --------------------------------------------------------------------------------------

    def _admit(self, session: Session, message: Hello) -> tuple[Realm, AnonymousLogin]:
        if message.realm is None:
            raise Refused(errors.NO_SUCH_REALM, "HELLO names no realm")
        realm = self.realms.get(message.realm)
        if realm is None:
            raise Refused(errors.NO_SUCH_REALM, f"there is no realm {message.realm!r}")
        login = session.service.anonymous
        if login is None or "anonymous" not in (message.details.authmethods or ["anonymous"]):
            raise Refused(errors.NO_MATCHING_AUTH_METHOD, "none of the offered authentication methods is available")
        if login.role not in realm.roles:
            raise Refused(errors.NO_SUCH_ROLE, f"realm {message.realm!r} has no role {login.role!r}")
        return realm, login

    def _open_realms(self, options: RouterOptions) -> None:
        for name, realm_options in options.realms.items():
            if name not in self.realms:
                self.realms[name] = Realm(realm_options, self._outbox, self._new_publication_id)

    def _send(self, session: Session, message: Message) -> None:
        self._outbox.append(Send((session.id,), message, PYTHON))

    def _abort(self, session: Session, reason: str, message: str) -> None:
        if session.state != "gone":
            self._send(session, Abort(ReasonDetails(message=message), reason))
            self._close(session, reason, message)

    def _close(self, session: Session, reason: str, message: str) -> None:
        self._end(session)
        self._outbox.append(Close(session.id, reason, message))

    def _detach(self, session: Session) -> None:
        realm = self.realms.get(session.realm)
        if realm is not None:
            realm.detach(session)

    def _end(self, session: Session) -> None:
        self._detach(session)
        move(session, "end")
        self.sessions.pop(session.id, None)
