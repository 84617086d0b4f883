"""A server that runs in a thread of the test process. Servers can be started and stopped while the process runs.

Twisted's reactor can be started only once in a process. It is started with the first server, in a separate thread, and
runs until the process ends.
"""

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final

from twisted.internet import reactor

from ..compat.twisted import loop_of
from ..transports.daphne.server import WampServer

MAX_SECONDS: Final = 30.0
"""The time limit for starting and for stopping a server, in seconds."""

_starting = threading.Lock()
_thread: threading.Thread | None = None


class BackgroundServer(WampServer):
    """A server that is started and stopped from another thread. Stopping the server does not stop the reactor."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._is_ready: Future[None] = Future()
        self._is_over = False
        super().__init__(*arguments, signal_handlers=False, ready_callable=self._on_ready, **options)

    def launch(self) -> None:
        """Start the server and return once it listens. If it fails to start, raise the exception that caused this."""
        start_reactor()
        in_reactor(self._launch())
        self._is_ready.result(MAX_SECONDS)

    def halt(self) -> None:
        """Close all sessions and connections and stop the server."""
        in_reactor(self._halt())

    def stop(self) -> None:
        """Make :meth:`launch` raise an exception. Daphne's server calls this method if it cannot start."""
        if not self._is_ready.done():
            self._is_ready.set_exception(self.failure or RuntimeError("the server has stopped"))

    def kill_all_applications(self) -> Any:
        """Stop the applications at the end of the process, unless :meth:`halt` has already stopped them."""
        return None if self._is_over else super().kill_all_applications()

    def timeout_checker(self) -> None:
        """Check timeouts until the server is stopped."""
        if not self._is_over:
            super().timeout_checker()

    def _on_ready(self) -> None:
        self._is_ready.set_result(None)

    async def _launch(self) -> None:
        self.abort_start = True  # run Daphne's setup without starting the reactor, which is already running
        self.run()
        self._ready()

    async def _halt(self) -> None:
        await self._stop_all()
        for protocol in list(self.connections):
            transport = getattr(protocol, "transport", None)
            if transport is not None:
                transport.abortConnection()
        self._is_over = True


def start_reactor() -> None:
    """Start the reactor in a separate thread, unless this function has already started it.

    Raises RuntimeError if the reactor does not start, for example because other code runs it.
    """
    global _thread  # noqa: PLW0603 - one reactor for each process
    with _starting:
        if _thread is not None:
            return
        is_running = threading.Event()
        reactor.callWhenRunning(is_running.set)
        _thread = threading.Thread(target=_run, name="wamp-live-servers", daemon=True)
        _thread.start()
        if not is_running.wait(MAX_SECONDS):
            raise RuntimeError("Twisted's reactor does not start: does other code in this process run it?")
        atexit.register(_end)


def in_reactor(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` on the reactor's event loop and wait for it."""
    asyncio.run_coroutine_threadsafe(work, loop_of(reactor)).result(MAX_SECONDS)


def _run() -> None:
    asyncio.set_event_loop(loop_of(reactor))
    reactor.run(installSignalHandlers=False)  # type: ignore[misc, call-arg]  # Twisted's interface says less


def _end() -> None:
    if _thread is not None:
        reactor.callFromThread(reactor.stop)  # type: ignore[misc]  # as above
        _thread.join(MAX_SECONDS)
