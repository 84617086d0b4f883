"""The sender of hints. It is used in every process that changes the database; see :mod:`.hints`.

Hints are sent by a thread, so that they never delay the code that makes a change. The thread ends when it has sent all
hints, and the next change starts a new one. Each hint is sent over a new connection, because an unused connection can
be broken without notice.
"""

import asyncio
import atexit
import logging
import os
import socket
from threading import Lock, Thread
from time import sleep
from typing import Any, Final

from ..models.commits import change_committed
from .hints import are_hints_configured, group_name, hint_layer, to_message
from .log_limiter import LogLimiter

logger = logging.getLogger(__name__)

SEND_SECONDS: Final = 2.0
"""The time limit for sending a hint, and for the wait at the end of the process until all hints are sent."""

PAUSE_SECONDS: Final = 0.025
"""The minimum pause between two hints. Changes that are committed meanwhile share the next hint."""


class HintLoop(asyncio.SelectorEventLoop):
    """An event loop that resolves host names in the thread that runs the loop.

    Other loops do this in a thread pool, which accepts no jobs when the interpreter exits. A hint of a management
    command is often sent at this moment.
    """

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """Return the addresses of a host. This blocks the loop, which has nothing else to do."""
        return socket.getaddrinfo(*args, **kwargs)


class HintSender:
    """A sender of hints. Its methods can be called in any thread."""

    def __init__(self) -> None:
        self._limiter = LogLimiter()
        self._reset()

    def _reset(self) -> None:
        self._lock = Lock()
        self._kinds: set[str] = set()
        self._thread: Thread | None = None

    def send(self, kind: str) -> None:
        """Start to send a hint about a change of this kind, and return immediately. Failures are logged.

        Do nothing if the project does not use hints.
        """
        if not are_hints_configured():
            return
        with self._lock:
            self._kinds.add(kind)
            if self._thread is not None:
                return
            thread = Thread(target=self._run, name="wamp-hints", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # too many threads, or the interpreter exits
                self._kinds.clear()
                self._log(error)
            else:
                self._thread = thread

    def finish(self, seconds: float = SEND_SECONDS) -> None:
        """Wait up to ``seconds`` until all hints are sent."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        while kinds := self._take():
            try:
                with asyncio.Runner(loop_factory=HintLoop) as runner:
                    runner.run(_send(kinds))
            except Exception as error:  # noqa: BLE001 - a channel layer can raise anything
                self._log(error)
            sleep(PAUSE_SECONDS)

    def _take(self) -> set[str]:
        """Return the kinds for the next hint, and forget them. If there are none, the calling thread must end."""
        with self._lock:
            kinds, self._kinds = self._kinds, set()
            if not kinds:
                self._thread = None
        return kinds

    def _log(self, error: Exception) -> None:
        if self._limiter.may_log("send"):
            logger.warning(
                "A hint about a change was not sent over the channel layer; nodes find the change when they next look "
                "at the database: %s: %s",
                type(error).__name__,
                error,
            )


async def _send(kinds: set[str]) -> None:
    layer = hint_layer()
    if layer is not None:
        async with asyncio.timeout(SEND_SECONDS):
            await layer.group_send(group_name(), to_message(kinds))


sender = HintSender()
"""The sender of this process."""


def connect() -> None:
    """Send a hint after each change that this process, or a process forked from it, commits."""
    change_committed.connect(_on_committed, dispatch_uid="wamp_transport.hints")


def _on_committed(kind: str, **_event: Any) -> None:
    sender.send(kind)


atexit.register(sender.finish)
# A forked process has none of the parent's threads, and its copy of the parent's lock can be locked.
os.register_at_fork(after_in_child=sender._reset)
