"""The shell around the router: it feeds the core, carries out its effects, and keeps its time.

One event loop owns a node; nothing here may be called from another thread.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
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
    Pause,
    Record,
    Resume,
    Send,
    SessionJoined,
    SessionLeft,
    StopSending,
    Withdraw,
)
from ..router.environment import Environment
from ..router.options import LOCAL_SERVICE, RouterOptions, ServiceOptions, for_same_client, is_narrowed
from ..router.records import JOINING_STATES
from ..router.router import Router
from ..serializers.registry import is_deeper, values_of
from ..wamp import errors
from ..wamp.errors import PayloadError
from ..wamp.messages import Error, Hello, Message
from .connection import Connection, ConnectionTransport, MessageEncoder
from .decision_tasks import NOBODY, Authenticator, Authorizer, DecisionTasks
from .observers import NodeObservers
from .outbound import Outbound
from .stats import NodeStats

logger = logging.getLogger(__name__)

CLEANUP_STEPS_PER_TURN: Final = 250
"""Subscriptions and registrations of left sessions that are taken apart in one turn of the loop."""


class Node:
    """A running router with its connections, and those who decide what the core asks. ``observers`` watch it."""

    def __init__(
        self,
        options: RouterOptions,
        loop: asyncio.AbstractEventLoop,
        authenticator: Authenticator = NOBODY,
        authorizer: Authorizer = NOBODY,
    ) -> None:
        self._loop = loop
        self._decision_tasks = DecisionTasks(loop, authenticator, authorizer, self._decide)
        self._timer: asyncio.TimerHandle | None = None
        self._is_running_effects = False
        self._is_working = False
        self.observers = NodeObservers()
        self._deadlines = Deadlines(loop.time)
        quick = random.Random(secrets.randbits(256))  # noqa: S311 - publication ids need not be secret
        self.router = Router(
            options,
            Environment(
                clock=loop.time,
                utc_now=lambda: datetime.now(UTC),
                time_from=time_from,
                new_session_id=lambda: secrets.randbits(53) + 1,
                new_publication_id=lambda: quick.getrandbits(53) + 1,
                random_below=quick.randrange,
                values_of=values_of,
                is_deeper=is_deeper,
                deadlines=self._deadlines,
            ),
        )
        self._outbox = self.router.outbox
        self.connections: dict[int, Connection] = {}
        self._leaving: dict[int, Connection] = {}
        self.outbound = Outbound(self.connections, self._undeliverable, self._refused)
        self._when_empty: asyncio.Future[None] | None = None
        self._services: Mapping[str, ServiceOptions] | None = None

    # --- connections ---------------------------------------------------------------------------------------------

    def connect(
        self,
        service: ServiceOptions,
        encoder: MessageEncoder,
        transport: ConnectionTransport,
        transport_details: dict[str, Any] | None = None,
    ) -> Connection:
        """Return the connection of a transport that has opened; it waits for HELLO.

        ``transport_details`` describe the transport to the meta API.
        """
        session_id = self.router.open_session(service, encoder.serializer.name, transport_details)
        connection = Connection(self, service, encoder, transport, session_id, transport_details)
        self.connections[session_id] = connection
        self._keep_time()
        return connection

    def admit(self, connection: Connection, hello: Hello, principal: Admit) -> None:
        """The peer of a new connection is inside the process: it joins as ``principal``, without a login."""
        self.router.admit(self.router.sessions[connection.session_id], hello, principal)
        self._after_control()

    def receive(self, connection: Connection, message: Message) -> None:
        """Route one message. Hot path."""
        self.accept(connection, message)
        self.settle()

    def accept(self, connection: Connection, message: Message) -> None:
        """Route one of several messages; :meth:`settle` must follow. Hot path.

        What comes of it waits until then, so that what goes to one peer goes together, unless it changes the session
        itself.
        """
        try:
            may_wait = self.router.receive(connection.session_id, message)
        except Exception:  # noqa: BLE001 - a bug of ours ends the session it met, not the node
            self.report_bug(connection)
        else:
            if not may_wait:
                self.settle()

    def settle(self) -> None:
        """Carry out what has come of messages. Hot path."""
        if self._outbox:
            self.run_effects()
        if self._deadlines.is_changed:
            self._keep_time()

    def is_joining(self, connection: Connection) -> bool:
        """Whether the connection's session is not established yet."""
        session = self.router.sessions.get(connection.session_id)
        return session is not None and session.state in JOINING_STATES

    def violate(self, connection: Connection, message: str) -> None:
        """The peer sent what is no message: ABORT, then the transport closes."""
        self.router.violate(connection.session_id, message)
        self._after_control()

    def report_bug(self, connection: Connection) -> None:
        """An exception that is no fault of the peer is being handled: log it and end the session it met."""
        logger.exception("Session %s is closed after an error inside the router", connection.session_id)
        message = "internal error: see the log of the router"
        self.router.violate(connection.session_id, message, errors.INTERNAL_ERROR)
        self._after_control()

    def lost(self, connection: Connection) -> None:
        """The connection's transport is gone."""
        connection.is_closed = True
        self.congested(connection, False)
        session_id = connection.session_id
        if self.connections.get(session_id) is connection or self._leaving.get(session_id) is connection:
            self.connections.pop(session_id, None)
            self._leaving.pop(session_id, None)
            self.router.close_session(session_id)
            self._after_control()
        if not (self.connections or self._leaving) and self._when_empty is not None and not self._when_empty.done():
            self._when_empty.set_result(None)

    def congested(self, connection: Connection, is_congested: bool) -> None:
        """The connection's peer is left out from now on, or no longer."""
        if connection.is_congested != is_congested:
            connection.is_congested = is_congested
            self.outbound.congested += 1 if is_congested else -1
            said = "is congested: it misses events and calls" if is_congested else "is congested no longer"
            logger.warning("Session %s %s", connection.session_id, said)
            if is_congested:
                self._slow(connection, None)

    def overflowed(self, connection: Connection, waiting: int) -> None:
        """The connection is closed: GOODBYE goes after what is on its way already."""
        text = f"the peer reads too slowly: {waiting} bytes wait for it"
        logger.warning("Session %s is closed, as %s", connection.session_id, text)
        self._slow(connection, waiting)
        self.router.leave(connection.session_id, errors.SLOW_CONSUMER, text)
        self._after_control()

    def _slow(self, connection: Connection, waiting: int | None) -> None:
        session = self.router.sessions.get(connection.session_id)
        if session is not None:
            self.observers.slow_consumer_detected(session, waiting)

    # --- control -------------------------------------------------------------------------------------------------

    def configure(self, options: RouterOptions, services: Mapping[str, ServiceOptions] | None = None) -> None:
        """Apply router options; sessions they do not touch go on.

        ``services`` are all services that sessions may come through from now on, by key, and None changes nothing
        there. Sessions end whose service is removed, or which could not have come as they have.
        """
        if services is not None:
            self._services = services
        # Found before the options are replaced: sessions keep the options with which they came until then.
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
            # By now they may have the new options of their service, and a second attempt would not find them.
            for session_id, message in ending.items():
                if message:
                    self.router.leave(session_id, errors.CLOSE_REALM, message)
        self._after_control()

    def current_service(self, service: ServiceOptions) -> ServiceOptions | None:
        """Return the options that hold now for sessions that come through ``service``; None if none may come so."""
        if self._services is None or service is LOCAL_SERVICE:
            return service
        current = self._services.get(service.key)
        return None if current is None or is_narrowed(service, current) else current

    def _why_closed(self, service: ServiceOptions) -> str:
        """Return why sessions that came through ``service`` must end; nothing if they may stay."""
        if self.current_service(service) is not None:
            return ""
        if self._services is not None and service.key not in self._services:
            return f"the service at {service.path} was removed"
        return f"who may use the service at {service.path} has changed"

    def leave(self, session_id: int, reason: str, message: str) -> None:
        """A session is to end: it gets GOODBYE and is closed."""
        self.router.leave(session_id, reason, message)
        self._after_control()

    async def stop(self, seconds: float) -> None:
        """Say GOODBYE to all and wait until they have gone, ``seconds`` at most; then close what is left."""
        self.router.leave_all(errors.CLOSE_SYSTEM_SHUTDOWN, "the router is shutting down")
        self._after_control()
        if self.connections or self._leaving:
            self._when_empty = self._loop.create_future()
            await asyncio.wait([self._when_empty], timeout=seconds)
        for connection in [*self.connections.values(), *self._leaving.values()]:
            connection.transport.close(errors.CLOSE_SYSTEM_SHUTDOWN, "the router is shutting down")
            self.lost(connection)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stats(self) -> NodeStats:
        """Count what there is now. It takes longer the more connections there are."""
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
        """Carry out what the core wants done, in order. Hot path."""
        if self._is_running_effects:
            return
        self._is_running_effects = True
        outbound, outbox, done = self.outbound, self._outbox, 0
        try:
            while done < len(outbox):  # what comes of one of them, or of a peer that is written to, follows
                for effect in islice(outbox, done, None):
                    try:
                        if type(effect) is Send:
                            outbound.send(effect)
                        else:
                            outbound.release()
                            RUNNERS[type(effect)](self, effect)
                    except Exception:  # one effect that fails must not take those after it along
                        logger.exception("An effect could not be carried out: %s", type(effect).__name__)
                    done += 1
                outbound.release()
        finally:
            outbox.clear()
            self._is_running_effects = False

    # End of the hot path.

    def _undeliverable(self, session_id: int, message: Message, fault: Exception) -> None:
        """A message could not be encoded, for its payload or for a bug of ours."""
        if not isinstance(fault, PayloadError):
            logger.error("%s cannot be encoded", type(message).__name__, exc_info=fault)
            fault = PayloadError("internal error: see the log of the router")
        self.router.on_undeliverable(session_id, message, fault)

    def _refused(self, session_id: int, error: Error) -> None:
        self.observers.request_refused(session_id, error)

    def _joined(self, effect: SessionJoined) -> None:
        self.observers.session_joined(effect.session)

    def _left(self, effect: SessionLeft) -> None:
        self.observers.session_left(effect.session, effect.reason)

    def _release(self, effect: AwaitNextHello) -> None:
        """The session has ended, its transport waits for another HELLO."""
        connection = self.connections.pop(effect.session_id, None)
        if connection is not None:
            self.observers.goodbye_received(connection, effect.reason)
            encoder = connection.encoder
            name = encoder.serializer.name
            connection.session_id = self.router.open_session(connection.service, name, connection.transport_details)
            self.connections[connection.session_id] = connection
            self._work_soon()

    def _mute(self, effect: StopSending) -> None:
        """The session is out; what is addressed to it from now on goes nowhere."""
        connection = self.connections.pop(effect.session_id, None)
        if connection is not None:
            self._leaving[effect.session_id] = connection
            self._work_soon()

    def _ask(self, effect: AuthenticationRequest | AuthorizationRequest) -> None:
        self._decision_tasks.ask(effect)

    def _withdraw(self, effect: Withdraw) -> None:
        self._decision_tasks.withdraw(effect.ticket, is_late=effect.is_late)

    def _decide(self, ticket: int, answer: Answer) -> None:
        self.router.decide(ticket, answer)
        self._after_control()

    def _pause(self, effect: Pause) -> None:
        connection = self.connections.get(effect.session_id)
        if connection is not None:
            connection.transport.pause()

    def _resume(self, effect: Resume) -> None:
        connection = self.connections.get(effect.session_id)
        if connection is not None:
            connection.transport.resume()

    def _record(self, effect: Record) -> None:
        self.observers.event_recorded(effect)

    def _close(self, effect: Close) -> None:
        connection = self.connections.get(effect.session_id) or self._leaving.get(effect.session_id)
        if connection is not None:
            connection.is_closed = True
            connection.transport.close(effect.reason, effect.message)
            self._work_soon()

    # --- time ----------------------------------------------------------------------------------------------------

    def _after_control(self) -> None:
        self.run_effects()
        self._keep_time()
        self._work_soon()

    def _work_soon(self) -> None:
        if self.router.has_cleanup and not self._is_working:
            self._is_working = True
            self._loop.call_soon(self._work_next)

    def _work_next(self) -> None:
        """In this turn others are served; what they get would be sent after a slice of work, not before."""
        self._loop.call_soon(self._work)

    def _work(self) -> None:
        """A slice of what is left to do; others are served before the next."""
        self._is_working = False
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


RUNNERS: dict[type[Effect], Callable[[Node, Effect], None]] = {
    SessionJoined: Node._joined,  # type: ignore[dict-item]
    SessionLeft: Node._left,  # type: ignore[dict-item]
    AwaitNextHello: Node._release,  # type: ignore[dict-item]
    Close: Node._close,  # type: ignore[dict-item]
    StopSending: Node._mute,  # type: ignore[dict-item]
    Record: Node._record,  # type: ignore[dict-item]
    AuthenticationRequest: Node._ask,  # type: ignore[dict-item]
    AuthorizationRequest: Node._ask,  # type: ignore[dict-item]
    Withdraw: Node._withdraw,  # type: ignore[dict-item]
    Pause: Node._pause,  # type: ignore[dict-item]
    Resume: Node._resume,  # type: ignore[dict-item]
}


def time_from(text: str) -> datetime:
    """An RFC 3339 time; one without a zone is UTC. Raises ValueError."""
    try:
        time: datetime = msgspec.convert(text, datetime)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from fault
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
