"""Daphne's server, extended to support several transports, configuration changes and a graceful shutdown."""

import asyncio
import errno
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from typing import Any, Final
from urllib.parse import unquote

from daphne.server import Server
from twisted.internet import defer, reactor
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.logger import LogLevel, globalLogPublisher

from ...compat.autobahn import use_timer
from ...compat.twisted import loop_of
from ...config.configuration import PathService
from ...project_code import guard_loop, run_guarded
from ..consumer import DIRECT_TRANSPORT
from ..event_loop import enable_busy_poll, shorten_turns
from ..fast_handshake import UpgradeRequest
from ..flush_scheduler import FlushScheduler
from ..listener import Listener
from ..unfinished_messages import UnfinishedMessages
from .open_transport import OpenTransport
from .options import FindService, is_debugged, options_of
from .protocol import WampWebSocketProtocol, protocol_with
from .requests import TransportRequest, transport_key
from .tls import TlsError

logger = logging.getLogger(__name__)

WATCH_SECONDS: Final = 1.0
"""Interval in seconds between checks for changed certificates."""

CHECK_SECONDS: Final = 2.0
"""Interval in seconds between checks of the timeouts of all connections."""

CHECKS_PER_TURN: Final = 256
"""Maximum number of connections whose timeouts are checked in one turn of the event loop."""


def report_bugs(event: Mapping[str, Any]) -> None:
    """Log an unhandled exception that Twisted reports."""
    failure = event.get("log_failure")
    if failure is None or failure.check(ReactorNotRunning):  # for example if a second signal stops the server
        return
    if event.get("log_level") is LogLevel.critical:
        logger.error("Unhandled error", exc_info=(failure.type, failure.value, failure.getTracebackObject()))


def guarded(application: Any) -> Any:
    """Wrap an ASGI application so that it raises only subclasses of Exception, unless it is canceled.

    An exception such as SystemExit would end the process.
    """

    async def run(scope: Any, receive: Any, send: Any) -> None:
        await run_guarded(application(scope=scope, receive=receive, send=send))

    return run


def _reason(error: Exception) -> str:
    """Return the reason why a socket cannot be opened."""
    cause = getattr(error, "socketError", error)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    if isinstance(error, CannotListenError) and not isinstance(cause, OSError):  # the lock file of a Unix socket
        return os.strerror(errno.EADDRINUSE)
    return str(cause)


@cache
def flush_scheduler_of(loop: asyncio.AbstractEventLoop) -> FlushScheduler:
    """Return the flush scheduler of a loop.

    All servers on a loop share one scheduler, because a scheduler's hook cannot be removed from the loop.
    """
    return FlushScheduler(loop)


class ListenError(OSError):
    """Raised if one or more transports cannot be opened. The message names each of these transports."""


class WampServer(Server):  # type: ignore[misc]
    """Daphne's server for several transports.

    - ``on_start``: a coroutine function that is called once the event loop runs, with the server as its argument; it
      must set the server's attribute ``wanted`` to the transports to open
    - ``on_stop``: a coroutine function that is called before the loop ends; it must close the sessions
    - ``failure``: the exception that prevented the start, or None
    - ``busy_poll``: a time in seconds; see :mod:`~wamp_transport.transports.event_loop`
    """

    websocket_protocol: type[WampWebSocketProtocol] = WampWebSocketProtocol
    """The protocol class for WebSockets."""

    def __init__(
        self,
        application: Any,
        find_service: FindService,
        on_start: Callable[["WampServer"], Awaitable[None]],
        on_stop: Callable[[], Awaitable[None]],
        *,
        busy_poll: float = 0.0,
        **options: Any,
    ) -> None:
        options.setdefault("server_name", "")
        super().__init__(guarded(application), endpoints=["none: see listen()"], **options)
        self.endpoints: list[str] = []
        self.wanted: Mapping[str, Listener] = {}
        self.failure: BaseException | None = None
        self.find_service = find_service
        self._transports: dict[str, OpenTransport] = {}
        self._watching: asyncio.Task[None] | None = None
        self._on_start = on_start
        self._on_stop = on_stop
        self._protocols: dict[int, type[WampWebSocketProtocol]] = {}
        self._starting: asyncio.Task[None] | None = None
        self.loop = loop_of(reactor)
        guard_loop(self.loop, lambda: bool(reactor.running))
        shorten_turns(self.loop)
        enable_busy_poll(self.loop, busy_poll)
        self._flush_scheduler = flush_scheduler_of(self.loop)
        self.flush_soon = self._flush_scheduler.flush_soon
        self.unfinished_messages = UnfinishedMessages()
        self._announce: Callable[[], None] | None = options.get("ready_callable")
        self.ready_callable = self._ready

    def _ready(self) -> None:
        self.ws_factory.protocol = self.websocket_protocol
        # Autobahn's timer rounds down to whole seconds, so a ping timeout of one second could become zero.
        use_timer(self.ws_factory, self.loop)
        # Daphne discards Twisted's log, but an exception in a callback is a bug that must be logged.
        globalLogPublisher.addObserver(report_bugs)  # type: ignore[arg-type]
        reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        self._starting = asyncio.ensure_future(self._start_all(), loop=self.loop)
        self._starting.add_done_callback(self._started)

    async def _start_all(self) -> None:
        await self._on_start(self)
        await self.listen(self.wanted)
        self._watching = asyncio.ensure_future(self._watch_certificates(), loop=self.loop)

    def _started(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():  # the process is stopped while it starts
            return
        if task.exception() is not None:
            self.failure = task.exception()
            self.stop()
        elif self._announce is not None:
            self._announce()

    async def listen(self, listeners: Mapping[str, Listener]) -> None:
        """Open new transports, apply changes to open ones, and close those that are not in ``listeners``.

        If some transports cannot be opened, open all others before raising ListenError.
        """
        # Close transports before opening others, because a new transport can use the same address.
        for key, transport in list(self._transports.items()):
            if key not in listeners or not transport.can_keep_socket(listeners[key]):
                await self._close(key)
        faults: list[str] = []
        for key, listener in listeners.items():
            try:
                await self._open(key, listener)
            except TlsError as error:
                place = f"{listener.config_path}.endpoint.tls." if listener.config_path else ""
                faults.append(f"{place}{error}")
            except (CannotListenError, OSError, ValueError) as error:
                faults.append(f"Cannot listen on {listener}: {_reason(error)}")
        if faults:
            raise ListenError("; ".join(faults))

    def websocket_for(self, key: str, request: UpgradeRequest) -> WampWebSocketProtocol | None:
        """Return the protocol for a parsed request to the transport with this ``key``.

        Return None if no service has the requested path, or if Autobahn must parse the request.
        """
        service = self.find_service(key, request.path, self.root_path)
        if service is None or is_debugged(service):
            return None
        options = options_of(service)
        if not options.enable_rfc6455:
            return None
        if request.offers_extensions and options.compression is not None:
            return None
        made = self._protocols.get(id(options))
        if made is None:
            made = self._protocols[id(options)] = protocol_with(options, self.ws_factory, self.websocket_protocol)
        return made()

    async def _open(self, key: str, listener: Listener) -> None:
        """Open a transport, or apply changes to an open one.

        Raises the exceptions of :meth:`.OpenTransport.open` and :meth:`.OpenTransport.apply_listener`. If a transport
        is open without TLS, and TLS is required now but cannot be used, close the transport first.
        """
        transport = self._transports.get(key)
        if transport is not None:
            try:
                await transport.apply_listener(listener)
            except TlsError:
                if transport.tls is None:  # TLS is required now: the transport must not stay open without it
                    await self._close(key)
                raise
            return
        transport = self._transports[key] = await OpenTransport.open(self, key, listener)
        self.listen_success(transport.port)

    async def _close(self, key: str) -> None:
        port = self._transports.pop(key).port
        logger.info("No longer listening on %s", port.getHost())
        await defer.maybeDeferred(port.stopListening).asFuture(self.loop)

    async def _watch_certificates(self) -> None:
        """Reload certificates whose files have changed."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for transport in list(self._transports.values()):
                if transport.tls is not None and transport.tls.needs_renewal():
                    await asyncio.to_thread(transport.tls.renew)

    def refresh(self) -> None:
        """Apply the changed options of each path to its open connections."""
        self._protocols.clear()
        found: dict[tuple[str, bytes, str], PathService | None] = {}
        for protocol in list(self.connections):
            if isinstance(protocol, WampWebSocketProtocol):
                place = (transport_key(protocol.transport), protocol.target, protocol.mount_path)
                if place not in found:
                    found[place] = self.find_service(*place)
                service = found[place]
                protocol.refresh(None if service is None else options_of(service))

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Start the ASGI application for a connection, with the direct transport in its scope."""
        if isinstance(protocol, WampWebSocketProtocol):
            # Use the values as received: Daphne decodes subprotocols, and removes ";" and "//host" from the path.
            scope["subprotocols"] = list(protocol.websocket_protocols)
            scope["raw_path"] = protocol.target
            if protocol.target.startswith(b"/"):
                scope["path"] = unquote(protocol.target.decode("ascii"))
            scope["extensions"] = {DIRECT_TRANSPORT: protocol.direct, "websocket.http.response": {}}
        protocol.identify(scope)
        queue = super().create_application(protocol, scope)
        if protocol in self.connections:
            task: asyncio.Task[Any] = self.connections[protocol]["application_instance"]
            task.add_done_callback(partial(self._application_ended, protocol))
        return queue

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Process an ASGI event. After each part of a response except the last, wait until the client has caught up."""
        await super().handle_reply(protocol, message)
        if message.get("more_body") and isinstance(protocol, TransportRequest):
            await protocol.writable.wait()

    def application_checker(self) -> None:
        """Do nothing. Daphne checks every second for ended applications, but this server is notified when one ends."""

    def _application_ended(self, protocol: Any, task: "asyncio.Task[Any]") -> None:
        details = self.connections[protocol]
        del details["application_instance"]
        is_gone = "disconnected" in details
        if is_gone:
            details["deadline"].cancel()
            del self.connections[protocol]
        failure = None if task.cancelled() else task.exception()
        if failure is None:
            return
        logger.error("Exception inside application: %s", failure, exc_info=failure)
        if not is_gone:
            try:
                protocol.handle_exception(failure)
            except Exception:
                logger.exception("An application failed after its answer had begun")

    def protocol_disconnected(self, protocol: Any) -> None:
        """Handle the end of a connection. Do nothing if it was never registered, because its handshake failed."""
        details = self.connections.get(protocol)
        if details is None or "disconnected" in details:
            return
        task = details.get("application_instance")
        if task is None:
            del self.connections[protocol]
        else:
            details["disconnected"] = time.time()
            details["deadline"] = self.loop.call_later(self.application_close_timeout, self._kill, protocol, task)

    def _kill(self, protocol: Any, task: "asyncio.Task[Any]") -> None:
        logger.warning("The application %r for %r did not end in time and is canceled", task, protocol)
        task.cancel()

    def timeout_checker(self) -> None:
        """Check the timeouts of all connections, in several turns of the loop, so that no peer has to wait for long."""
        self._check_timeouts(list(self.connections))

    def _check_timeouts(self, protocols: list[Any]) -> None:
        for protocol in protocols[-CHECKS_PER_TURN:]:
            details = self.connections.get(protocol)
            if details is None or "disconnected" in details:
                continue
            try:
                protocol.check_timeouts()
            except Exception:  # a bug in the check of one connection must not stop the checks of the others
                logger.exception("Cannot check the timeouts of a connection")
        del protocols[-CHECKS_PER_TURN:]
        if protocols:
            self.loop.call_soon(self._check_timeouts, protocols)
        else:
            reactor.callLater(CHECK_SECONDS, self.timeout_checker)  # type: ignore[arg-type]

    def kill_all_applications(self) -> Any:
        """Close sessions and cancel the remaining applications, before the loop ends."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._stop_all(), loop=self.loop))

    async def _stop_all(self) -> None:
        for task in (self._starting, self._watching):
            if task is not None:
                task.cancel()
        await self.listen({})
        try:
            await self._on_stop()
        except Exception:
            logger.exception("Cannot close the sessions properly; the server stops nevertheless")
        self._flush_scheduler.flush_all()
        tasks: list[asyncio.Task[Any]] = [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details and not details["application_instance"].done()
        ]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self.application_close_timeout)
