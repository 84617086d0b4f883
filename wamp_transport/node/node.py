"""The shell around the router: it feeds the core, carries out its effects, and keeps its time.

One event loop owns a node; nothing here may be called from another thread.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable

from ..router.effects import Close, Effect, Release, Send
from ..router.options import RouterOptions, ServiceOptions
from ..router.router import Router
from ..wamp import errors
from ..wamp.errors import PayloadError
from ..wamp.ids import MAX_ID
from ..wamp.messages import Message
from .connection import Connection, Lane, Link

logger = logging.getLogger(__name__)


class Node:
    """A running router with its connections."""

    def __init__(self, options: RouterOptions, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._is_running_effects = False
        quick = random.Random(secrets.randbits(256))  # noqa: S311 - publication ids need not be secret
        self.router = Router(
            options,
            new_session_id=lambda: secrets.randbelow(MAX_ID) + 1,
            new_publication_id=lambda: quick.getrandbits(53) + 1,
        )
        self.connections: dict[int, Connection] = {}
        self._when_empty: asyncio.Future[None] | None = None

    # --- connections ---------------------------------------------------------------------------------------------

    def connect(self, service: ServiceOptions, lane: Lane, link: Link) -> Connection:
        """A transport has opened: its connection, waiting for HELLO."""
        session_id = self.router.open_session(service, lane.serializer.name, self._loop.time())
        connection = Connection(self, service, lane, link, session_id)
        self.connections[session_id] = connection
        self._keep_time()
        return connection

    def receive(self, connection: Connection, message: Message) -> None:
        """Route one message. Hot path."""
        try:
            self.router.receive(connection.session_id, message)
        except Exception:  # noqa: BLE001 - a bug of ours ends the session it met, not the node
            self.report_bug(connection)
        else:
            self.run_effects()

    def violate(self, connection: Connection, message: str) -> None:
        """The peer sent what is no message: ABORT, then the transport closes."""
        self.router.violate(connection.session_id, message)
        self.run_effects()

    def report_bug(self, connection: Connection) -> None:
        """An exception that is no fault of the peer is being handled: log it and end the session it met."""
        logger.exception("Session %s is closed after an error inside the router", connection.session_id)
        self.violate(connection, "internal error: see the log of the router")

    def lost(self, connection: Connection) -> None:
        """The connection's transport is gone."""
        connection.is_closed = True
        if self.connections.get(connection.session_id) is connection:
            del self.connections[connection.session_id]
            self.router.close_session(connection.session_id)
            self.run_effects()
        if not self.connections and self._when_empty is not None and not self._when_empty.done():
            self._when_empty.set_result(None)

    # --- control -------------------------------------------------------------------------------------------------

    def configure(self, options: RouterOptions) -> None:
        """Take new router options; sessions they do not touch go on."""
        self.router.configure(options, self._loop.time())
        self._after_control()

    def leave_service(self, key: str, message: str) -> None:
        """A path service is no more: its sessions get GOODBYE and are closed."""
        self.router.leave_service(key, errors.CLOSE_REALM, message, self._loop.time())
        self._after_control()

    async def stop(self, seconds: float) -> None:
        """Say GOODBYE to all and wait until they have gone, ``seconds`` at most; then close what is left."""
        self.router.leave_all(errors.CLOSE_SYSTEM_SHUTDOWN, "the router is shutting down", self._loop.time())
        self._after_control()
        if self.connections:
            self._when_empty = self._loop.create_future()
            await asyncio.wait([self._when_empty], timeout=seconds)
        for connection in list(self.connections.values()):
            connection.link.close(errors.CLOSE_SYSTEM_SHUTDOWN, "the router is shutting down")
            self.lost(connection)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- effects -------------------------------------------------------------------------------------------------

    def run_effects(self) -> None:
        """Carry out what the core wants done, in order. Hot path."""
        if self._is_running_effects:
            return
        self._is_running_effects = True
        try:
            while effects := self.router.take_effects():
                for effect in effects:
                    try:
                        if type(effect) is Send:
                            self._send(effect)
                        else:
                            RUNNERS[type(effect)](self, effect)
                    except Exception:  # one effect that fails must not take those after it along
                        logger.exception("An effect could not be carried out: %s", type(effect).__name__)
        finally:
            self._is_running_effects = False

    def _send(self, effect: Send) -> None:
        connections = self.connections
        message = effect.message
        payload_format = effect.payload_format
        encoded_for: Lane | None = None
        encoded: dict[Lane, bytes | None] = {}
        data: bytes | None = None
        for session_id in effect.recipients:
            connection = connections.get(session_id)
            if connection is None:
                continue
            lane = connection.lane
            if lane is not encoded_for:
                encoded_for = lane
                if lane in encoded:
                    data = encoded[lane]
                else:
                    data = encoded[lane] = self._encode(lane, session_id, message, payload_format)
            if data is not None:
                connection.link.write(data)

    def _encode(self, lane: Lane, session_id: int, message: Message, payload_format: str) -> bytes | None:
        try:
            return lane.encode(message, payload_format)
        except PayloadError as fault:
            self.router.undeliverable(session_id, message, fault)
        except Exception:  # a bug of ours: whoever waits for this message must not wait forever
            logger.exception("%s cannot be encoded", type(message).__name__)
            self.router.undeliverable(session_id, message, PayloadError("internal error: see the log of the router"))
        return None

    # End of the hot path.

    def _release(self, effect: Release) -> None:
        """The session has ended, its transport waits for another HELLO."""
        connection = self.connections.pop(effect.session_id, None)
        if connection is not None:
            lane = connection.lane
            name = lane.serializer.name
            connection.session_id = self.router.open_session(connection.service, name, self._loop.time())
            self.connections[connection.session_id] = connection
            self._keep_time()

    def _close(self, effect: Close) -> None:
        connection = self.connections.get(effect.session_id)
        if connection is not None:
            connection.is_closed = True
            connection.link.close(effect.reason, effect.message)

    # --- time ----------------------------------------------------------------------------------------------------

    def _after_control(self) -> None:
        self.run_effects()
        self._keep_time()

    def _keep_time(self) -> None:
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
    Release: Node._release,  # type: ignore[dict-item]
    Close: Node._close,  # type: ignore[dict-item]
}
