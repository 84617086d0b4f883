"""A server in a thread of this process, for tests: it comes and goes while the process goes on.

Twisted's reactor runs once in a process: in one thread, from the first server to the end of the process.
"""

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final

from twisted.internet import reactor

from ..transports.daphne.server import WampServer

SECONDS: Final = 30.0
"""How long a server may take to begin, and to end."""

_beginning = threading.Lock()
_thread: threading.Thread | None = None


class BackgroundServer(WampServer):
    """A server that is begun and ended from another thread, and leaves the reactor running."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._begun: Future[None] = Future()
        self._is_over = False
        super().__init__(*arguments, signal_handlers=False, ready_callable=self._has_begun, **options)

    def launch(self) -> None:
        """Begin, and return when it listens. Raises what keeps it from that."""
        start_reactor()
        in_reactor(self._launch())
        self._begun.result(SECONDS)

    def halt(self) -> None:
        """End: say goodbye to sessions, close what is open."""
        in_reactor(self._halt())

    def stop(self) -> None:
        """The server cannot begin."""
        if not self._begun.done():
            self._begun.set_exception(self.failure or RuntimeError("the server has stopped"))

    def kill_all_applications(self) -> Any:
        """Before the process ends."""
        return None if self._is_over else super().kill_all_applications()

    def timeout_checker(self) -> None:
        """See :class:`WampServer`; over when the server is."""
        if not self._is_over:
            super().timeout_checker()

    def _has_begun(self) -> None:
        self._begun.set_result(None)

    async def _launch(self) -> None:
        self.abort_start = True  # all that Daphne does to run but the reactor, which runs already
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
    """Let the reactor run, in a thread of its own, if it does not."""
    global _thread  # noqa: PLW0603 - one reactor a process
    with _beginning:
        if _thread is not None:
            return
        is_running = threading.Event()
        reactor.callWhenRunning(is_running.set)
        _thread = threading.Thread(target=_run, name="wamp-live-servers", daemon=True)
        _thread.start()
        if not is_running.wait(SECONDS):
            raise RuntimeError("Twisted's reactor does not start: does something else of this process run it?")
        atexit.register(_end)


def in_reactor(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` on the reactor's loop, and wait for it."""
    loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
    asyncio.run_coroutine_threadsafe(work, loop).result(SECONDS)


def _run() -> None:
    asyncio.set_event_loop(reactor._asyncioEventloop)
    reactor.run(installSignalHandlers=False)  # type: ignore[misc, call-arg]  # Twisted's interface says less


def _end() -> None:
    if _thread is not None:
        reactor.callFromThread(reactor.stop)  # type: ignore[misc]  # as above
        _thread.join(SECONDS)
