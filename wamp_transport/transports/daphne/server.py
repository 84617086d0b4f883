"""Daphne's server for several transports: it opens and closes them as configured, and stops gracefully."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daphne.server import Server
from twisted.internet import defer, reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.logger import LogLevel, globalLogPublisher

from ...config.websocket import WebSocketOptions
from ..consumer import DIRECT_LINK
from ..outgoing import Outgoing
from ..upgrade import UpgradeRequest
from .options import FindOptions
from .protocol import WampWebSocketProtocol, protocol_with
from .requests import TransportFactory, TransportRequest, transport_key

logger = logging.getLogger(__name__)


def report_bugs(event: Mapping[str, Any]) -> None:
    """Pass on what Twisted says of exceptions that nobody handled."""
    failure = event.get("log_failure")
    if failure is None or failure.check(ReactorNotRunning):  # as when a second signal asks to stop
        return
    if event.get("log_level") is LogLevel.critical:
        logger.error("Unhandled error", exc_info=(failure.type, failure.value, failure.getTracebackObject()))


class ListenError(OSError):
    """Addresses that cannot be listened on; the message names each."""


class WampServer(Server):  # type: ignore[misc]
    """Daphne's server for several transports.

    ``on_start`` runs when the loop does and sets ``wanted``; ``on_stop`` runs before it ends, so that sessions can be
    told. ``failure`` says why the server stopped, if it could not start.
    """

    websocket_protocol: type[WampWebSocketProtocol] = WampWebSocketProtocol
    """Made for each WebSocket."""

    def __init__(
        self,
        application: Any,
        find_options: FindOptions,
        on_start: Callable[["WampServer"], Awaitable[None]],
        on_stop: Callable[[], Awaitable[None]],
        **options: Any,
    ) -> None:
        options.setdefault("server_name", "")
        super().__init__(application, endpoints=["none: see listen()"], **options)
        self.endpoints: list[str] = []
        self.wanted: Mapping[str, str] = {}
        self.failure: BaseException | None = None
        self.find_options = find_options
        self._ports: dict[str, Any] = {}
        self._on_start = on_start
        self._on_stop = on_stop
        self._unflushed: list[Outgoing] = []
        self._protocols: dict[int, type[WampWebSocketProtocol]] = {}
        self._starting: asyncio.Task[None] | None = None
        self.loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
        self._announce: Callable[[], None] | None = options.get("ready_callable")
        self.ready_callable = self._ready

    def flush_soon(self, outgoing: Outgoing) -> None:
        """Flush ``outgoing`` at the end of this turn of the loop."""
        if not self._unflushed:
            self.loop.call_soon(self._flush)
        self._unflushed.append(outgoing)

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        for outgoing in unflushed:
            outgoing.flush()

    def _ready(self) -> None:
        self.ws_factory.protocol = self.websocket_protocol
        # Autobahn's own timer rounds down to whole seconds: a ping timeout of one second could be none at all.
        self.ws_factory._batched_timer = self.loop
        # Daphne sends Twisted's log nowhere; an exception in a callback is a bug to be told.
        globalLogPublisher.addObserver(report_bugs)  # type: ignore[arg-type]
        reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        self._starting = asyncio.ensure_future(self._start_all(), loop=self.loop)
        self._starting.add_done_callback(self._started)

    async def _start_all(self) -> None:
        await self._on_start(self)
        await self.listen(self.wanted)

    def _started(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            logger.critical("The server cannot start: %s", task.exception())
            self.failure = task.exception()
            self.stop()
        elif self._announce is not None:
            self._announce()

    async def listen(self, listeners: Mapping[str, str]) -> None:
        """Listen for just these transports: what is new opens, what is gone closes, the rest stays.

        Raises ListenError for those that cannot; the others are open then.
        """
        for key in [key for key in self._ports if listeners.get(key) != self._ports[key][0]]:
            _, port = self._ports.pop(key)
            logger.info("No longer listening on %s", port.getHost())
            await defer.maybeDeferred(port.stopListening).asFuture(self.loop)
        faults: list[str] = []
        for key, description in listeners.items():
            if key not in self._ports:
                try:
                    endpoint = serverFromString(reactor, description)  # type: ignore[no-untyped-call]
                    port = await endpoint.listen(TransportFactory(self, key)).asFuture(self.loop)
                except (CannotListenError, OSError, ValueError) as error:
                    faults.append(str(error))
                    continue
                self._ports[key] = (description, port)
                self.listen_success(port)
        if faults:
            raise ListenError("; ".join(faults))

    def websocket_for(self, key: str, request: UpgradeRequest) -> WampWebSocketProtocol | None:
        """The protocol for a usual handshake, where a service is at its path and needs no more to be parsed."""
        options = self.find_options(key, request.path)
        if options is None or not options.enable_rfc6455:
            return None
        if request.offers_extensions and options.compression is not None:
            return None
        made = self._protocols.get(id(options))
        if made is None:
            made = self._protocols[id(options)] = protocol_with(options, self.ws_factory, self.websocket_protocol)
        protocol = made()
        protocol.factory = self.ws_factory
        return protocol

    def refresh(self) -> None:
        """The configuration has changed: open connections take the options of their paths."""
        self._protocols.clear()
        found: dict[tuple[str, bytes], WebSocketOptions | None] = {}
        for protocol in list(self.connections):
            if isinstance(protocol, WampWebSocketProtocol):
                place = (transport_key(protocol.transport), protocol.target)
                if place not in found:
                    found[place] = self.find_options(*place)
                protocol.refresh(found[place])

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Start the ASGI application for a connection, with the direct link in its scope."""
        if isinstance(protocol, WampWebSocketProtocol):
            # As they came: not percent-decoded, and no ";" cut off.
            scope["subprotocols"] = list(protocol.websocket_protocols)
            scope["raw_path"] = protocol.target
            scope["extensions"] = {DIRECT_LINK: protocol, "websocket.http.response": {}}
            scope["wamp_transport"] = transport_key(protocol.transport)
        else:
            scope["wamp_transport"] = protocol.channel.factory.key
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """One ASGI event from an application; between pieces of a body it waits for the client to keep up."""
        await super().handle_reply(protocol, message)
        if message.get("more_body") and isinstance(protocol, TransportRequest):
            await protocol.writable.wait()

    def application_checker(self) -> None:
        """Daphne's look for applications that have ended; one that failed in mid-answer must not end the looking."""
        try:
            super().application_checker()
        except Exception:
            logger.exception("An application failed after its answer had begun")
            reactor.callLater(1, self.application_checker)  # type: ignore[arg-type]

    def protocol_disconnected(self, protocol: Any) -> None:
        """A connection ended; a handshake may fail before it was ever counted."""
        if protocol in self.connections:
            super().protocol_disconnected(protocol)

    def kill_all_applications(self) -> Any:
        """Before the loop ends: tell sessions, then end what is left."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._stop_all(), loop=self.loop))

    async def _stop_all(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        await self.listen({})
        try:
            await self._on_stop()
        except Exception:
            logger.exception("Saying goodbye failed; the server stops all the same")
        self._flush()
        tasks = [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details and not details["application_instance"].done()
        ]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self.application_close_timeout)
