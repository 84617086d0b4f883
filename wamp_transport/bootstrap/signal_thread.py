"""The thread in which receivers of signals run: one after the other, in order, away from the event loop."""

import asyncio
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Condition
from typing import Any, Final

from django.dispatch import Signal

from ..project_code import ProjectCodeError, call_guarded
from ..stores.connections import clean_connections

logger = logging.getLogger(__name__)

MOST: Final = 10_000
"""Signals that may wait. What comes beyond is dropped and counted."""

BATCH: Final = 100
"""Signals that are sent with the same database connections, before these are looked after."""

SLOW_SECONDS: Final = 1.0
"""How long the receivers of one signal may take without being named in the log."""


class SignalThread:
    """Sends signals; with no receiver connected there is neither a queue nor a thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="wamp-signals")
        self._waiting: deque[tuple[Signal, dict[str, Any]]] = deque()
        self._changed = Condition()
        self._is_draining = False
        self._lost = 0

    def send(self, signal: Signal, **named: Any) -> None:
        """Let the receivers have it, after all that was sent before. Never waits."""
        with self._changed:
            if len(self._waiting) >= self._most:
                self._lost += 1
                if self._lost == 1:
                    logger.error("Receivers of signals are too slow: %d wait, more are dropped", self._most)
                return
            self._waiting.append((signal, named))
            begin, self._is_draining = not self._is_draining, True
        if begin:
            self._go_on()

    async def close(self, seconds: float) -> None:
        """Let what was sent reach its receivers, for ``seconds`` at most; then no more."""
        if self._is_draining:
            await asyncio.to_thread(self._wait, seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
        if left:
            logger.error("The process ends: %d signals have not reached their receivers", left)

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_draining, seconds)

    def _go_on(self) -> None:
        with suppress(RuntimeError):  # the process ends
            self._pool.submit(self._drain)

    def _drain(self) -> None:
        try:
            with clean_connections():
                for signal, named in self._taken():
                    begin = time.monotonic()
                    # What a receiver raises Django itself logs.
                    try:
                        call_guarded(signal.send_robust, None, **named)
                    except ProjectCodeError:
                        logger.exception("A receiver of a signal failed")
                    taken = time.monotonic() - begin
                    if taken > SLOW_SECONDS:
                        logger.warning("The receivers of a signal of %s took %.1f seconds", ", ".join(named), taken)
        except Exception:
            logger.exception("Receivers of signals could not be called")
        finally:
            with self._changed:
                self._is_draining = bool(self._waiting)
                lost, self._lost = self._lost, 0
                self._changed.notify_all()
            if lost:
                logger.error("%d signals were dropped, as their receivers are too slow", lost)
            if self._is_draining:
                self._go_on()

    def _taken(self) -> list[tuple[Signal, dict[str, Any]]]:
        with self._changed:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
