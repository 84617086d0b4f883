"""The node, which passes messages to the router core, carries out its effects, and calls it at its deadlines.

An effect is an action that the core requests, such as sending a message.

A node belongs to one event loop. Other threads must not call any of its methods.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import msgspec

from ..router.deadlines import Deadlines
from ..router.decisions import Admit, Answer
from ..router.effects import (
    AuthenticationRequest,
    AuthorizationRequest,
    AwaitNextHello,
    Close,
    Effect,
    Hold,
    Pause,
    Produce,
    Record,
    Relay,
    RelayFailed,
    ReleaseRegistration,
    RequestRegistration,
    Resume,
    Send,
    SessionJoined,
    SessionKilled,
    SessionLeft,
    SilentRefusal,
    StopSending,
    Withdraw,
)
from ..router.environment import Environment
from ..router.options import LOCAL_SERVICE, RouterOptions, ServiceOptions, for_same_client, is_narrowed
from ..router.records import JOINING_STATES
from ..router.router import Router
from ..serializers.registry import is_deeper, serialize, values_of
from ..wamp import errors
from ..wamp.errors import PayloadError
from ..wamp.messages import Error, Hello, Message
from .connection import Connection, ConnectionTransport, MessageEncoder
from .decision_tasks import DENY_ALL, Authenticator, Authorizer, DecisionTasks
from .observers import NodeObservers
from .outbound import Outbound
from .paced_output import PacedOutput
from .stats import NodeStats

logger = logging.getLogger(__name__)

CLEANUP_STEPS_PER_TURN: Final = 250
"""The maximum number of subscriptions and registrations that are removed or reviewed in one turn of the loop."""


class Node:
    """A running router with its connections, authenticator, authorizer and observers.

    If ``is_clustered`` is true, the node can be connected with other nodes; see :mod:`.clustering`.
    """

    def __init__(
        self,
        options: RouterOptions,
        loop: asyncio.AbstractEventLoop,
        authenticator: Authenticator = DENY_ALL,
        authorizer: Authorizer = DENY_ALL,
        *,
        is_clustered: bool = False,
    ) -> None:
        self._loop = loop
        self._decision_tasks = DecisionTasks(loop, authenticator, authorizer, self._decide)
        self._timer: asyncio.TimerHandle | None = None
        self._is_running_effects = False
        self._is_cleanup_scheduled = False
        self.observers = NodeObservers()
        self._deadlines = Deadlines(loop.time)
        self.router = Router(options, _environment(loop, self._deadlines), is_clustered=is_clustered)
        self.cluster_runners: dict[type[Effect], Callable[[Any], None]] = {}
        """The functions that carry out the effects for the other nodes of the cluster; see :mod:`.clustering`."""
        self._outbox = self.router.outbox
        self.connections: dict[int, Connection] = {}
        self._leaving: dict[int, Connection] = {}
        self.outbound = Outbound(self.connections, self._on_undeliverable, self._report_refused)
        self._paced_output = PacedOutput(loop, self.connections, self.outbound.encode_for, self._after_control)
        self._all_closed: asyncio.Future[None] | None = None
        self._services: Mapping[str, ServiceOptions] | None = None

    # --- connections ---------------------------------------------------------------------------------------------

    def connect(
        self,
        service: ServiceOptions,
        encoder: MessageEncoder,
        transport: ConnectionTransport,
        transport_details: dict[str, Any] | None = None,
    ) -> Connection:
        """Add a connection for a new transport, and return it. The connection waits for HELLO.

        ``transport_details`` are the transport details that the meta API shows.
        """
        session_id = self.router.open_session(service, encoder.serializer.name, transport_details)
        connection = Connection(self, service, encoder, transport, session_id, transport_details)
        self.connections[session_id] = connection
        self._keep_time()
        return connection

    def admit(self, connection: Connection, hello: Hello, principal: Admit) -> None:
        """Add a session inside the process to its realm as ``principal``, without authentication."""
        self.router.admit(self.router.sessions[connection.session_id], hello, principal)
        self._after_control()

    def receive(self, connection: Connection, message: Message) -> None:
        """Route a message and carry out its effects. Hot path."""
        self.feed(connection, message)
        self.flush_effects()

    def feed(self, connection: Connection, message: Message) -> None:
        """Route one of several messages. Call :meth:`flush_effects` after the last one. Hot path.

        The effects, such as messages to send, are delayed until then, so that messages to one peer are written
        together. If a message changes the state of its session, however, the effects are carried out immediately.
        """
        try:
            can_delay_effects = self.router.receive(connection.session_id, message)
        except Exception:  # noqa: BLE001 - a bug must end the session, not the node
            self.report_bug(connection)
        else:
            # For example, after a GOODBYE the connection gets another session id, and the next message, even from the
            # same read, belongs to the new session.
            if not can_delay_effects:
                self.flush_effects()

    def flush_effects(self) -> None:
        """Carry out the effects of the routed messages, such as sending events to subscribers. Hot path."""
        if self._outbox:
            self.run_effects()
        if self._deadlines.is_changed:
            self._keep_time()

    def is_joining(self, connection: Connection) -> bool:
        """Return whether the connection's session is not established yet."""
        session = self.router.sessions.get(connection.session_id)
        return session is not None and session.state in JOINING_STATES

    def violate(self, connection: Connection, message: str) -> None:
        """End the session with ABORT, because the peer violated the protocol. ``message`` describes the violation."""
        self.router.violate(connection.session_id, message)
        self._after_control()

    def report_bug(self, connection: Connection) -> None:
        """Log the current exception, which is caused by a bug in this product, and end the session."""
        logger.exception("Session %s is closed after an error inside the router", connection.session_id)
        message = "internal error: see the log of the router"
        self.router.violate(connection.session_id, message, errors.INTERNAL_ERROR)
        self._after_control()

    def lost(self, connection: Connection) -> None:
        """Remove the connection, because its transport was closed or lost. Further calls have no effect."""
        connection.is_closed = True
        self._paced_output.stop(connection, discard=True)
        self.set_congested(connection, False)
        session_id = connection.session_id
        if self.connections.get(session_id) is connection or self._leaving.get(session_id) is connection:
            self.connections.pop(session_id, None)
            self._leaving.pop(session_id, None)
            self.router.close_session(session_id)
            self._after_control()
        if not (self.connections or self._leaving) and self._all_closed is not None and not self._all_closed.done():
            self._all_closed.set_result(None)

    def set_congested(self, connection: Connection, is_congested: bool) -> None:
        """Stop sending events and calls to a peer that reads too slowly. If ``is_congested`` is False, resume."""
        if connection.is_congested != is_congested:
            connection.is_congested = is_congested
            self.outbound.congested += 1 if is_congested else -1
            change = "is congested: it misses events and calls" if is_congested else "is no longer congested"
            logger.warning("Session %s %s", connection.session_id, change)
            if is_congested:
                self._report_slow_consumer(connection, None)

    def close_slow_consumer(self, connection: Connection, queued_bytes: int) -> None:
        """End the session of a peer that reads too slowly. The caller has dropped the bytes that were queued for it."""
        text = f"the peer reads too slowly: {queued_bytes} bytes are queued for it"
        logger.warning("Session %s is closed, because %s", connection.session_id, text)
        self._report_slow_consumer(connection, queued_bytes)
        self.router.leave(connection.session_id, errors.SLOW_CONSUMER, text)
        self._after_control()

    def _report_slow_consumer(self, connection: Connection, queued_bytes: int | None) -> None:
        session = self.router.sessions.get(connection.session_id)
        if session is not None:
            self.observers.slow_consumer_detected(session, queued_bytes)

    # --- control -------------------------------------------------------------------------------------------------

    def configure(self, options: RouterOptions, services: Mapping[str, ServiceOptions] | None = None) -> None:
        """Apply router options. Sessions that are not affected stay open.

        ``services`` are all services of the new configuration, by key. None leaves the services unchanged. A session
        ends if its service was removed, or if the options that decide who may join have changed.
        """
        if services is not None:
            self._services = services
        # Do this before the sessions get the new options, because it compares the new options with the current ones.
        ending = {one.id: self._why_closed(one.service) for one in self.router.sessions.values()}
        outdated = {
            one.service.key: current
            for one in self.router.sessions.values()
            if not ending[one.id] and (current := self.current_service(one.service)) not in (None, one.service)
        }
        try:
            self.router.configure(options, outdated)
            for connection in self.connections.values():
                service = connection.service
                connection.service = for_same_client(service, outdated.get(service.key, service))
        finally:
            # Do this even after an exception. The sessions may already have the new options, so that a second attempt
            # would find no difference and would not end them.
            for session_id, message in ending.items():
                if message:
                    self.router.leave(session_id, errors.CLOSE_REALM, message)
        self._after_control()

    def current_service(self, service: ServiceOptions) -> ServiceOptions | None:
        """Return the current options of ``service``, or None if its sessions must end; see :meth:`configure`."""
        if self._services is None or service is LOCAL_SERVICE:
            return service
        current = self._services.get(service.key)
        return None if current is None or is_narrowed(service, current) else current

    def _why_closed(self, service: ServiceOptions) -> str:
        """Return the reason why the sessions of ``service`` must end; an empty string if they can stay open."""
        if self.current_service(service) is not None:
            return ""
        if self._services is not None and service.key not in self._services:
            return f"the service at {service.path} was removed"
        return f"the options for logins at {service.path} have changed"

    def leave(self, session_id: int, reason: str, message: str) -> None:
        """End a session with GOODBYE."""
        self.router.leave(session_id, reason, message)
        self._after_control()

    async def stop(self, seconds: float) -> None:
        """Send GOODBYE to all sessions, wait up to ``seconds`` until they have left, and close the remaining ones."""
        self.router.leave_all(errors.CLOSE_SYSTEM_SHUTDOWN, "the router is shutting down")
        self._after_control()
        if self.connections or self._leaving:
            self._all_closed = self._loop.create_future()
            await asyncio.wait([self._all_closed], timeout=seconds)
        for connection in [*self.connections.values(), *self._leaving.values()]:
            connection.transport.close(errors.CLOSE_SYSTEM_SHUTDOWN, "the router is shutting down")
            self.lost(connection)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stats(self) -> NodeStats:
        """Return the statistics of the node. The cost is proportional to the number of connections."""
        clients = [one for one in self.connections.values() if one.service is not LOCAL_SERVICE]
        return NodeStats(
            realms={name: realm.stats() for name, realm in self.router.realms.items()},
            connections=len(clients) + sum(one.service is not LOCAL_SERVICE for one in self._leaving.values()),
            joining=sum(self.is_joining(one) for one in clients),
            congested=self.outbound.congested,
            queued_bytes=sum(one.transport.queued_bytes for one in (*clients, *self._leaving.values())),
            decisions=len(self._decision_tasks),
            events_dropped=self.outbound.events_dropped,
            undelivered_events=self.outbound.undelivered_events,
        )

    # --- effects -------------------------------------------------------------------------------------------------

    def run_effects(self) -> None:
        """Carry out the effects in the router's outbox in order, for example send messages. Hot path."""
        # Not reentrant: running an effect can call this method again, for example if a write fails and the transport is
        # reported as lost. The inner call appends its effects to the outbox, and the outer call runs them in order.
        if self._is_running_effects:
            return
        self._is_running_effects = True
        outbound, outbox, run_count = self.outbound, self._outbox, 0
        try:
            while run_count < len(outbox):  # effects may have appended others
                for effect in islice(outbox, run_count, None):
                    try:
                        if type(effect) is Send:
                            outbound.send(effect)
                        elif type(effect) is Relay:
                            self.cluster_runners[Relay](effect)  # need not wait for the queued events
                        else:
                            # Events that were queued before this effect must be written before it.
                            outbound.flush_events()
                            RUNNERS[type(effect)](self, effect)
                    except Exception:  # a failing effect must not prevent those after it
                        logger.exception("Running an effect failed: %s", type(effect).__name__)
                    run_count += 1
                outbound.flush_events()
        finally:
            outbox.clear()
            self._is_running_effects = False

    # End of the hot path.

    def _on_undeliverable(self, session_id: int, message: Message, fault: Exception) -> None:
        """Report to the core that a message could not be encoded, due to its payload or to a bug in this product."""
        if not isinstance(fault, PayloadError):
            logger.error("%s cannot be encoded", type(message).__name__, exc_info=fault)
            fault = PayloadError("internal error: see the log of the router")
        self.router.on_undeliverable(session_id, message, fault)

    def _report_refused(self, session_id: int, error: Error) -> None:
        self.observers.request_refused(session_id, error)

    def _await_next_hello(self, effect: AwaitNextHello) -> None:
        """Give the connection of an ended session a new session, which waits for the next HELLO."""
        connection = self.connections.pop(effect.session_id, None)
        if connection is not None:
            self._paced_output.stop(connection)
            self.observers.goodbye_received(connection, effect.reason)
            encoder = connection.encoder
            name = encoder.serializer.name
            connection.session_id = self.router.open_session(connection.service, name, connection.transport_details)
            self.connections[connection.session_id] = connection
            self._run_cleanup_soon()

    def _stop_sending(self, effect: StopSending) -> None:
        """Stop sending to a session that has left. Its transport stays open until the core or the peer closes it."""
        connection = self.connections.pop(effect.session_id, None)
        if connection is not None:
            self._paced_output.stop(connection)
            self._leaving[effect.session_id] = connection
            self._run_cleanup_soon()

    def _request_decision(self, effect: AuthenticationRequest | AuthorizationRequest) -> None:
        self._decision_tasks.start(effect)

    def _cancel_decision(self, effect: Withdraw) -> None:
        self._decision_tasks.cancel(effect.ticket, is_late=effect.is_late)
        if self.cluster_runners:
            self._run_in_cluster(effect)

    def _decide(self, ticket: int, answer: Answer) -> None:
        self.router.decide(ticket, answer)
        self._after_control()

    def _run_in_cluster(self, effect: Effect) -> None:
        self.cluster_runners[type(effect)](effect)

    def _set_paused(self, effect: Pause | Resume) -> None:
        connection = self.connections.get(effect.session_id)
        if connection is not None:
            connection.set_paused(type(effect) is Pause)

    def _close(self, effect: Close) -> None:
        connection = self.connections.get(effect.session_id) or self._leaving.get(effect.session_id)
        if connection is not None:
            connection.is_closed = True
            connection.transport.close(effect.reason, effect.message)
            self._run_cleanup_soon()

    # --- time ----------------------------------------------------------------------------------------------------

    def _after_control(self) -> None:
        self.run_effects()
        self._keep_time()
        self._run_cleanup_soon()

    def _run_cleanup_soon(self) -> None:
        if self.router.has_cleanup and not self._is_cleanup_scheduled:
            self._is_cleanup_scheduled = True
            self._loop.call_soon(self._run_cleanup_next_turn)

    def _run_cleanup_next_turn(self) -> None:
        """Run the cleanup in the next turn of the event loop, so that the messages of this turn are sent first."""
        self._loop.call_soon(self._run_cleanup)

    def _run_cleanup(self) -> None:
        """Clean up some subscriptions and registrations, for example those of sessions that have left.

        If there are many, the rest are cleaned up in later turns of the event loop, so that sessions are served in the
        meantime.
        """
        self._is_cleanup_scheduled = False
        self.router.run_cleanup(CLEANUP_STEPS_PER_TURN)
        self._after_control()

    def _keep_time(self) -> None:
        self._deadlines.is_changed = False
        deadline = self.router.next_deadline()
        if deadline is None or (self._timer is not None and self._timer.when() <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self.router.advance(self._loop.time())
        self._after_control()


def _environment(loop: asyncio.AbstractEventLoop, deadlines: Deadlines) -> Environment:
    quick = random.Random(secrets.randbits(256))  # noqa: S311 - publication ids need not be secret
    return Environment(
        clock=loop.time,
        utc_now=lambda: datetime.now(UTC),
        time_from=time_from,
        next_millisecond=lambda time: time + timedelta(milliseconds=1),
        new_session_id=lambda: secrets.randbits(53) + 1,
        new_publication_id=lambda: quick.getrandbits(53) + 1,
        random_below=quick.randrange,
        values_of=values_of,
        serialize=serialize,
        is_deeper=is_deeper,
        deadlines=deadlines,
    )


def _report_joined(node: Node, effect: SessionJoined) -> None:
    node.observers.session_joined(effect.session)


def _report_left(node: Node, effect: SessionLeft) -> None:
    node.observers.session_left(effect.session, effect.reason)


def _report_silent_refusal(node: Node, effect: SilentRefusal) -> None:
    node.observers.request_refused(effect.session_id, effect.error)


def _count_undelivered(node: Node, _: RelayFailed) -> None:
    node.outbound.undelivered_events += 1


def _record_event(node: Node, effect: Record) -> None:
    if not node.observers.event_recorded(effect):  # a node without a database, for tests
        node.router.on_recorded(effect, is_stored=True)


def _report_killed(node: Node, effect: SessionKilled) -> None:
    node.observers.session_killed(effect.session, effect.killer, effect.reason)


RUNNERS: dict[type[Effect], Callable[[Node, Effect], None]] = {
    SessionJoined: _report_joined,  # type: ignore[dict-item]
    SessionLeft: _report_left,  # type: ignore[dict-item]
    AwaitNextHello: Node._await_next_hello,  # type: ignore[dict-item]
    Close: Node._close,  # type: ignore[dict-item]
    StopSending: Node._stop_sending,  # type: ignore[dict-item]
    Record: _record_event,  # type: ignore[dict-item]
    SessionKilled: _report_killed,  # type: ignore[dict-item]
    RelayFailed: _count_undelivered,  # type: ignore[dict-item]
    SilentRefusal: _report_silent_refusal,  # type: ignore[dict-item]
    AuthenticationRequest: Node._request_decision,  # type: ignore[dict-item]
    AuthorizationRequest: Node._request_decision,  # type: ignore[dict-item]
    Withdraw: Node._cancel_decision,  # type: ignore[dict-item]
    Pause: Node._set_paused,  # type: ignore[dict-item]
    Produce: lambda node, effect: node._paced_output.start(effect),  # type: ignore[arg-type]
    Resume: Node._set_paused,  # type: ignore[dict-item]
    Hold: Node._run_in_cluster,
    RequestRegistration: Node._run_in_cluster,
    ReleaseRegistration: Node._run_in_cluster,
}


def time_from(text: str) -> datetime:
    """Parse an RFC 3339 time. A time without a zone is UTC. Raises ValueError if the text is invalid."""
    try:
        time: datetime = msgspec.convert(text, datetime)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from fault
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
