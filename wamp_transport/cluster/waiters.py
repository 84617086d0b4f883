"""Make tasks wait until a condition is true."""

import asyncio
from collections.abc import Callable


class Waiters:
    """The tasks that wait, each for its own condition. All of them stop waiting when ``is_closed`` returns True."""

    def __init__(self, loop: asyncio.AbstractEventLoop, is_closed: Callable[[], bool]) -> None:
        self._loop = loop
        self._is_closed = is_closed
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def wait(self, is_done: Callable[[], bool]) -> None:
        """Wait until ``is_done`` or ``is_closed`` returns True. :meth:`check` must be called to notice this."""
        if not is_done() and not self._is_closed():
            waiter = self._loop.create_future()
            self._waiting.append((is_done, waiter))
            await waiter

    def check(self) -> None:
        """Wake the tasks whose conditions are true, or all tasks if ``is_closed`` returns True.

        Call this after each change that can make a condition true.
        """
        for is_done, waiter in self._waiting[:]:
            if self._is_closed() or is_done():
                self._waiting.remove((is_done, waiter))
                if not waiter.done():
                    waiter.set_result(None)
