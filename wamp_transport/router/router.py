"""The router's public face: sessions come and go, messages go in, effects come out.

Synchronous and without I/O. Whoever owns a router feeds it from one thread, wakes it when something is due or is left
to do, and carries out the effects in order after each call.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..wamp import errors
from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.messages import Abort, Goodbye, Message, ReasonDetails
from ..wamp.payload import PYTHON
from .answers import Answer
from .effects import Close, Effect, Left, Mute, Release, Send
from .history import History
from .logins import Logins
from .options import RouterOptions, ServiceOptions, for_same_client
from .ports import Environment
from .questions import Questions
from .realm import Realm, has_role
from .records import PRESENT, CallRecord, Session
from .session import ACCEPTED, move, unexpected
from .tickets import Tickets, stop_clock
from .waiting import Undecided

NO_REASON = ReasonDetails()


class Router:
    """A WAMP router core in an :class:`~.ports.Environment`."""

    def __init__(self, options: RouterOptions, environment: Environment) -> None:
        self._options = options
        self._environment = environment
        self._deadlines = environment.deadlines
        self.outbox: list[Effect] = []
        """What is to be done and was not taken yet; see :meth:`take_effects`."""
        self.sessions: dict[int, Session] = {}
        self.realms: dict[str, Realm] = {}
        self._unfinished: set[str] = set()
        """Realms whose options are applied by half, if an error was raised in between."""
        self._tickets = Tickets(self.outbox)
        self._logins = Logins(options, self.realms, environment, self.outbox, self._tickets, self._abort)
        self._questions = Questions(self.outbox, environment.deadlines, self._tickets, self.receive)
        self.on_hello, self.on_authenticate = self._logins.on_hello, self._logins.on_authenticate
        self.hold = self._questions.hold
        self.admit = self._logins.admit
        self._handlers: dict[str, dict[type[Message], Callable[[Session, Any], None]]] = {
            state: {kind: getattr(self, name) for kind, name in accepted.items()}
            for state, accepted in ACCEPTED.items()
        }
        self._on_deadline: dict[str, Callable[[Any], None]] = {
            "hello": self._on_hello_deadline,
            "goodbye": self._on_goodbye_deadline,
            "call": self._on_call_deadline,
            "authenticator": self._logins.on_authenticator_deadline,
            "challenge": self._logins.on_challenge_deadline,
            "authorizer": self._on_authorizer_deadline,
        }
        self._open_realms(options)

    # --- verbs ---------------------------------------------------------------------------------------------------

    def open_session(
        self, service: ServiceOptions, payload_format: str, transport: dict[str, Any] | None = None
    ) -> int:
        """A transport is there: the id of the session that its HELLO will establish.

        ``transport`` is what the meta API tells of it.
        """
        session_id = self._environment.new_session_id()
        while session_id in self.sessions:
            session_id = self._environment.new_session_id()
        session = self.sessions[session_id] = Session(session_id, service, payload_format)
        session.transport = transport or {}
        if service.hello_timeout:
            session.deadline = self._deadlines.after(service.hello_timeout, "hello", session)
        return session_id

    def receive(self, session_id: int, message: Message) -> bool:
        """One message from a session's peer. Messages of a session that is gone are ignored.

        Returns whether what is to be done may wait until the session's next messages are received as well.
        """
        session = self.sessions.get(session_id)
        if session is None:
            return True
        handler = self._handlers[session.state].get(type(message))
        try:
            if handler is None:
                raise unexpected(session, message)
            handler(session, message)
            return session.state == "established"
        except ProtocolViolation as violation:
            self.violate(session_id, str(violation))
        except Undecided as undecided:
            self._questions.ask(session, message, undecided)
        return False

    def decide(self, ticket: int, answer: Answer) -> None:
        """The answer to what was asked with this ticket. One that nobody waits for any more is ignored."""
        session = self._tickets.take(ticket)
        if session is None:
            return
        if session.state == "deciding":
            self._questions.answered(session, self.realms[session.realm], answer)
        else:
            self._logins.answered(session, answer)

    def violate(self, session_id: int, message: str, reason: str = errors.PROTOCOL_VIOLATION) -> None:
        """The peer broke the protocol, before its bytes were a message or after: ABORT, and the transport closes.

        With another ``reason`` it is not the peer's fault, and ends the same way.
        """
        session = self.sessions.get(session_id)
        if session is not None:
            self._abort(session, reason, message)

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
            self._end(session, errors.CLOSE_TRANSPORT_LOST)

    def leave(self, session_id: int, reason: str, message: str, is_quiet: bool = False) -> None:
        """The router ends a session: GOODBYE, out of the realm at once, closed when the peer answers or time is up.

        ``is_quiet``: its testaments are dropped and no meta event tells that it left.
        """
        session = self.sessions.get(session_id)
        if session is None or session.state in ("closing", "gone"):
            return
        if session.state not in PRESENT:
            self._abort(session, reason, message)
            return
        self._questions.drop(session)
        self._send(session, Goodbye(ReasonDetails(message=message or None), reason))
        self.outbox.append(Mute(session_id))
        session.leave_reason = reason
        move(session, "leave")
        self._detach(session, reason, is_quiet=is_quiet)
        session.deadline = self._deadlines.after(self._options.goodbye_timeout, "goodbye", session)

    def leave_all(self, reason: str, message: str) -> None:
        """End all sessions."""
        for session_id in list(self.sessions):
            self.leave(session_id, reason, message)

    def configure(self, options: RouterOptions, services: Mapping[str, ServiceOptions] | None = None) -> None:
        """Take new options. Sessions stay, but for those whose realm or role is no more.

        ``services`` are path services, by key, whose limits have changed.
        """
        self._options = self._logins.options = options
        if services:
            for session in self.sessions.values():
                service = session.service
                session.service = for_same_client(service, services.get(service.key, service))
        for name, realm in list(self.realms.items()):
            new = options.realms.get(name)
            if new is None:
                for session_id in list(realm.sessions):
                    self.leave(session_id, errors.CLOSE_REALM, f"realm {name!r} was closed")
                del self.realms[name]
            elif new != realm.options or services or name in self._unfinished:
                self._unfinished.add(name)
                for session in [each for each in realm.sessions.values() if not has_role(new, each.authrole)]:
                    text = f"role {session.authrole!r} was removed from realm {name!r}"
                    self.leave(session.id, errors.NO_SUCH_ROLE, text)
                realm.configure(new)
                self._questions.renew(realm)
                self._unfinished.discard(name)
        self._open_realms(options)

    def advance(self, now: float) -> None:
        """It is ``now``: do what is due."""
        for deadline in self._deadlines.due(now):
            self._on_deadline[deadline.kind](deadline.subject)

    def work(self, steps: int) -> None:
        """Take apart what left sessions held and what is no longer allowed, ``steps`` pieces at most, so that others
        are served in between.
        """
        for realm in self.realms.values():
            steps = realm.work(steps)

    @property
    def has_work(self) -> bool:
        """Whether :meth:`work` has something to do."""
        return any(realm.has_work for realm in self.realms.values())

    def histories(self) -> Iterator[tuple[str, History]]:
        """The histories of all realms, each with the name of its realm."""
        for name, realm in self.realms.items():
            for history in realm.broker.histories.values():
                yield name, history

    def next_deadline(self) -> float | None:
        """When :meth:`advance` has something to do, if ever."""
        return self._deadlines.next()

    def take_effects(self) -> list[Effect]:
        """What is to be done, in order; each effect is taken once."""
        taken = self.outbox[:]
        self.outbox.clear()
        return taken

    # --- handlers, named in the session table --------------------------------------------------------------------

    def on_routed(self, session: Session, message: Message) -> None:
        """A message for the session's realm."""
        self.realms[session.realm].receive(session, message)

    def on_goodbye(self, session: Session, message: Goodbye) -> None:
        """GOODBYE from the client: answered, and the transport is free for another HELLO."""
        self._questions.drop(session)
        self._send(session, Goodbye(NO_REASON, errors.CLOSE_GOODBYE_AND_OUT))
        # What comes of leaving is for others: its own subscriptions are still there.
        self.outbox.append(Release(session.id, message.reason))
        move(session, "said_goodbye")
        self._detach(session, message.reason)
        del self.sessions[session.id]

    def on_goodbye_answer(self, session: Session, message: Goodbye) -> None:
        """The answer to the router's GOODBYE: the transport closes for the reason that the router gave."""
        self._close(session, session.leave_reason, "")

    def on_abort(self, session: Session, message: Abort) -> None:
        """ABORT from the client: nothing is answered."""
        self._close(session, message.reason, "the client aborted")

    def _ignore(self, session: Session, message: Message) -> None:
        """A message that comes too late to count."""

    # --- parts of the above --------------------------------------------------------------------------------------

    def _open_realms(self, options: RouterOptions) -> None:
        for name, realm_options in options.realms.items():
            if name not in self.realms:
                self.realms[name] = Realm(realm_options, self.outbox, self._environment, self.leave)

    def _send(self, session: Session, message: Message) -> None:
        self.outbox.append(Send((session.id,), message, PYTHON))

    def _abort(self, session: Session, reason: str, message: str) -> None:
        if session.state != "gone":
            self._send(session, Abort(ReasonDetails(message=message), reason))
            self._close(session, reason, message)

    def _close(self, session: Session, reason: str, message: str) -> None:
        # What comes of the end is for others: its own subscriptions are still there.
        self.outbox.append(Close(session.id, reason, message))
        self._end(session, reason)

    def _detach(self, session: Session, reason: str, *, is_quiet: bool = False) -> None:
        realm = self.realms.get(session.realm)
        if realm is not None and realm.detach(session, is_quiet=is_quiet):
            self.outbox.append(Left(session, reason))
            self._logins.census.leave(realm.owners(session.authrole, session.service))

    def _end(self, session: Session, reason: str) -> None:
        if session.ticket or session.waiting is not None:
            self._questions.drop(session)
        stop_clock(session)
        move(session, "end")
        self._detach(session, reason)
        self.sessions.pop(session.id, None)

    def _on_hello_deadline(self, session: Session) -> None:
        text = f"no session within {session.service.hello_timeout:g} seconds: HELLO must come first"
        self._abort(session, errors.PROTOCOL_VIOLATION, text)

    def _on_goodbye_deadline(self, session: Session) -> None:
        self._close(session, session.leave_reason, "no answer to GOODBYE")

    def _on_call_deadline(self, record: CallRecord) -> None:
        self.realms[record.caller.realm].dealer.calls.on_timeout(record)

    def _on_authorizer_deadline(self, session: Session) -> None:
        self._questions.on_deadline(session, self.realms[session.realm])
