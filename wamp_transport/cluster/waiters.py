"""Let tasks wait until a condition is true."""

import asyncio
from collections.abc import Callable


class Waiters:
    """The tasks that wait for conditions, until they are true or ``is_closed`` returns true."""

    def __init__(self, loop: asyncio.AbstractEventLoop, is_closed: Callable[[], bool]) -> None:
        self._loop = loop
        self._is_closed = is_closed
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def wait(self, is_done: Callable[[], bool]) -> None:
        """Wait until a condition is true, or until there is nothing to wait for any more."""
        if not is_done() and not self._is_closed():
            waiter = self._loop.create_future()
            self._waiting.append((is_done, waiter))
            await waiter

    def check(self) -> None:
        """Wake the tasks whose conditions are true. Call this after each change that can make a condition true."""
        for is_done, waiter in self._waiting[:]:
            if self._is_closed() or is_done():
                self._waiting.remove((is_done, waiter))
                if not waiter.done():
                    waiter.set_result(None)
