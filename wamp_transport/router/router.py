"""Provide the router core, which handles sessions and messages.

The core is synchronous and does no I/O. It only puts effects, such as "send this message", into an outbox. The owner of
the router, which is the node, carries out these effects.

The owner must call the router from one thread only. After each call, the owner carries out the effects in order. The
methods are not reentrant, so no effect may be carried out during a call. The owner must also call
:meth:`Router.advance` when a deadline is due, and :meth:`Router.run_cleanup` as long as :attr:`Router.has_cleanup` is
True.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..wamp import errors
from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.messages import Abort, Goodbye, Message, ReasonDetails
from ..wamp.payload import PYTHON
from .decisions import Answer
from .effects import AwaitNextHello, Close, Effect, Record, Send, SessionKilled, SessionLeft, StopSending
from .environment import Environment
from .history import History
from .open_questions import on_question_deadline
from .options import RouterOptions, ServiceOptions, for_same_client
from .own_interest import on_interest_deadline
from .realm import Realm, has_role
from .records import ACTIVE_STATES, CallRecord, RemoteCaller, Session
from .relay import Cluster
from .session import HANDLER_NAMES, move, unexpected_message
from .session_establishment import SessionEstablishment
from .suspension import MessageSuspended, SuspendedMessages
from .tickets import Tickets, cancel_deadline

NO_REASON = ReasonDetails()


class Router:
    """A WAMP router core.

    The effects of a method call are in the order in which clients must see them. When a session ends, the last effect
    for this session comes first, and the effects for other sessions follow.
    """

    def __init__(self, options: RouterOptions, environment: Environment, *, is_clustered: bool = False) -> None:
        self._options = options
        self._environment = environment
        self._deadlines = environment.deadlines
        self.outbox: list[Effect] = []
        """The effects that have not been carried out yet, in order. The owner carries them out and removes them."""
        self.sessions: dict[int, Session] = {}
        self.realms: dict[str, Realm] = {}
        self.cluster = Cluster(self.outbox, environment) if is_clustered else None
        """The other nodes, which together with this one are one router for clients; None without a cluster."""
        self._unfinished: set[str] = set()
        """Realms whose options were only partly applied because of an error."""
        self._tickets = Tickets(self.outbox)
        self._establishment = SessionEstablishment(
            options, self.realms, environment, self.outbox, self._tickets, self._abort
        )
        self._suspended_messages = SuspendedMessages(self.outbox, environment.deadlines, self._tickets, self.receive)
        self.on_hello, self.on_authenticate = self._establishment.on_hello, self._establishment.on_authenticate
        self.on_queued = self._suspended_messages.queue
        self.admit = self._establishment.admit
        self._handlers: dict[str, dict[type[Message], Callable[[Session, Any], None]]] = {
            state: {kind: getattr(self, name) for kind, name in accepted.items()}
            for state, accepted in HANDLER_NAMES.items()
        }
        self._on_deadline: dict[str, Callable[[Any], None]] = {
            "hello": self._on_hello_deadline,
            "goodbye": self._on_goodbye_deadline,
            "call": self._on_call_deadline,
            "authenticator": self._establishment.on_authenticator_deadline,
            "challenge": self._establishment.on_challenge_deadline,
            "suspension": self._suspended_messages.on_deadline,
            "interest": on_interest_deadline,
            "question": on_question_deadline,
        }
        self._open_realms(options)

    # --- public methods ------------------------------------------------------------------------------------------

    def open_session(
        self, service: ServiceOptions, payload_format: str, transport: dict[str, Any] | None = None
    ) -> int:
        """Open a session for a new transport, in the state ``closed``, and return its id.

        ``transport`` contains the details of the transport for the meta API.
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
        """Handle one message of a session's client. Ignore messages of a session that has ended.

        Return whether the effects, such as messages to send, can be delayed until more messages have been received.
        """
        session = self.sessions.get(session_id)
        if session is None:
            return True
        handler = self._handlers[session.state].get(type(message))
        try:
            if handler is None:
                raise unexpected_message(session, message)
            handler(session, message)
            return session.state == "established"
        except ProtocolViolation as violation:
            self.violate(session_id, str(violation))
        except MessageSuspended as suspended:
            self._suspended_messages.suspend(session, message, suspended.suspension)
        return False

    def decide(self, ticket: int, answer: Answer) -> None:
        """Handle the answer to the request with this ticket; see :class:`.Tickets`.

        Ignore the answer if the ticket is no longer valid.
        """
        session = self._tickets.take(ticket)
        if session is None:
            return
        if session.state == "suspended":
            self._suspended_messages.resume(session, answer)
        else:
            self._establishment.on_answer(session, answer)

    def violate(self, session_id: int, message: str, reason: str = errors.PROTOCOL_VIOLATION) -> None:
        """Abort a session whose client violated the protocol: send ABORT and close the transport.

        ``message`` describes the violation. Pass a different ``reason`` if the client did not cause the problem.
        """
        session = self.sessions.get(session_id)
        if session is not None:
            self._abort(session, reason, message)

    def on_undeliverable(self, session_id: int, message: Message, fault: PayloadError) -> None:
        """Handle a message that could not be encoded for a session; see :meth:`.Realm.on_undeliverable`."""
        session = self.sessions.get(session_id)
        realm = self.realms.get(session.realm) if session is not None else None
        if session is not None and realm is not None:
            realm.on_undeliverable(session, message, fault)

    def on_recorded(self, record: Record, *, is_stored: bool) -> None:
        """Handle the report that the event of a :class:`.Record` was stored, or that it cannot be stored.

        If the publisher waits for PUBLISHED, the answer is sent after a report for each history of the event that has
        the option ``is_synced``.
        """
        confirmation = record.confirmation
        if confirmation is None:
            return
        confirmation.missing -= 1
        confirmation.is_lost |= not is_stored
        if not confirmation.missing:
            self.outbox.append(confirmation.answer(is_stored=not confirmation.is_lost))

    def close_session(self, session_id: int) -> None:
        """End a session whose transport was lost."""
        session = self.sessions.get(session_id)
        if session is not None:
            self._end(session, errors.CLOSE_TRANSPORT_LOST)

    def leave(
        self,
        session_id: int,
        reason: str,
        message: str,
        is_quiet: bool = False,
        killer: Session | RemoteCaller | None = None,
    ) -> None:
        """End a session: send GOODBYE and remove the session from its realm.

        The transport is closed when the client answers or does not answer in time. If ``is_quiet`` is true, the
        session's testaments and the meta event are not published. ``killer`` is the session that ends this one, if any.
        A session that has not joined is aborted instead.
        """
        session = self.sessions.get(session_id)
        if session is None or session.state in ("closing", "gone"):
            return
        if session.state not in ACTIVE_STATES:
            self._abort(session, reason, message)
            return
        if killer is not None:
            self.outbox.append(SessionKilled(session, killer, reason))
        self._suspended_messages.cancel(session)
        self._send(session, Goodbye(ReasonDetails(message=message or None), reason))
        self.outbox.append(StopSending(session_id))
        session.leave_reason = reason
        move(session, "leave")
        self._detach(session, reason, is_quiet=is_quiet)
        session.deadline = self._deadlines.after(self._options.goodbye_timeout, "goodbye", session)

    def leave_all(self, reason: str, message: str) -> None:
        """End all sessions."""
        for session_id in list(self.sessions):
            self.leave(session_id, reason, message)

    def configure(self, options: RouterOptions, services: Mapping[str, ServiceOptions] | None = None) -> None:
        """Apply new options. Sessions stay open unless their realm or role was removed.

        ``services`` are the services with changed options, by key.
        """
        self._options = self._establishment.options = options
        # First replace the services of the sessions, because realm.configure computes limits from them.
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
                if self.cluster is not None:
                    self.cluster.close_realm(name)
            elif new != realm.options or services or name in self._unfinished:
                self._unfinished.add(name)
                for session in [each for each in realm.sessions.values() if not has_role(new, each.authrole)]:
                    text = f"role {session.authrole!r} was removed from realm {name!r}"
                    self.leave(session.id, errors.NO_SUCH_ROLE, text)
                # Sessions whose role was removed must leave first, because the realm looks up the role of each session.
                # Suspended messages are handled again afterwards, so that the new permissions apply to them.
                realm.configure(new)
                self._suspended_messages.restart(realm.sessions.values())
                self._unfinished.discard(name)
        self._open_realms(options)

    def advance(self, now: float) -> None:
        """Handle all deadlines that are due at the time ``now``."""
        for deadline in self._deadlines.due(now):
            self._on_deadline[deadline.kind](deadline.subject)

    def run_cleanup(self, steps: int) -> None:
        """Run up to ``steps`` steps of the cleanup; see :meth:`.Realm.run_cleanup`.

        The cleanup is divided into steps so that sessions can be served between two calls.
        """
        for realm in self.realms.values():
            steps = realm.run_cleanup(steps)

    @property
    def has_cleanup(self) -> bool:
        """Whether :meth:`run_cleanup` has anything left to do."""
        return any(realm.has_cleanup for realm in self.realms.values())

    def histories(self) -> Iterator[tuple[str, History]]:
        """Yield each event history together with the name of its realm."""
        for name, realm in self.realms.items():
            for history in realm.broker.histories.values():
                yield name, history

    def next_deadline(self) -> float | None:
        """Return the time of the next deadline, or None if there is none."""
        return self._deadlines.next()

    # --- handlers, named in the session table --------------------------------------------------------------------

    def on_realm_message(self, session: Session, message: Message) -> None:
        """Pass a message to the session's realm."""
        self.realms[session.realm].receive(session, message)

    def on_goodbye(self, session: Session, message: Goodbye) -> None:
        """Handle the client's GOODBYE: answer it, and wait for another HELLO on the same transport."""
        self._suspended_messages.cancel(session)
        self._send(session, Goodbye(NO_REASON, self.realms[session.realm].goodbye_reason(message.reason)))
        # This must come before the effects of leaving, such as meta events: the session must not receive them.
        self.outbox.append(AwaitNextHello(session.id, message.reason))
        move(session, "said_goodbye")
        self._detach(session, message.reason)
        del self.sessions[session.id]

    def on_goodbye_answer(self, session: Session, message: Goodbye) -> None:
        """Handle the answer to the router's GOODBYE: close the transport with the reason of that GOODBYE."""
        self._close(session, session.leave_reason, "")

    def on_abort(self, session: Session, message: Abort) -> None:
        """Handle the client's ABORT: close the transport without an answer."""
        self._close(session, message.reason, "the client aborted")

    def _ignore(self, session: Session, message: Message) -> None:
        """Ignore a message that arrived after the session had ended."""

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _open_realms(self, options: RouterOptions) -> None:
        for name, realm_options in options.realms.items():
            if name not in self.realms:
                realm = self.realms[name] = Realm(realm_options, self.outbox, self._environment, self.leave)
                if self.cluster is not None:
                    realm.broker.join_cluster(self.cluster.realm(name))
                    realm.share_meta_api(self.cluster)
                    realm.dealer.join_cluster(self.cluster.calls.realm(name))

    def _send(self, session: Session, message: Message) -> None:
        self.outbox.append(Send((session.id,), message, PYTHON))

    def _abort(self, session: Session, reason: str, message: str) -> None:
        if session.state != "gone":
            self._send(session, Abort(ReasonDetails(message=message), reason))
            self._close(session, reason, message)

    def _close(self, session: Session, reason: str, message: str) -> None:
        # This must come before the effects of leaving, such as meta events: the session must not receive them.
        self.outbox.append(Close(session.id, reason, message))
        self._end(session, reason)

    def _detach(self, session: Session, reason: str, *, is_quiet: bool = False) -> None:
        realm = self.realms.get(session.realm)
        if realm is not None and realm.detach(session, is_quiet=is_quiet):
            self.outbox.append(SessionLeft(session, reason))
            self._establishment.session_counts.leave(realm.limit_owners(session.authrole, session.service))

    def _end(self, session: Session, reason: str) -> None:
        if session.ticket or session.pending is not None:
            self._suspended_messages.cancel(session)
        cancel_deadline(session)
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
