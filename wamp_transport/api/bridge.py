"""A bridge that runs coroutines on the sessions' event loop, from any thread and any other event loop."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any, Final, TypeVar

from django.core.exceptions import SynchronousOnlyOperation

from ..wamp import errors
from ..wamp.errors import CallTimeout, TransportError

Outcome = TypeVar("Outcome")

GRACE_SECONDS: Final = 5.0
"""The time that a thread waits beyond a time limit before it assumes that the event loop has stopped."""


async def within(seconds: float | None, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Return the result of ``work``. After ``seconds``, cancel the coroutine and raise CallTimeout."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise CallTimeout(errors.TIMEOUT, f"no answer within {seconds:g} seconds") from None


class LoopBridge:
    """A bridge from other threads and event loops to the loop that runs the sessions."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def run_on_loop(self, work: Coroutine[Any, Any, Outcome]) -> Future[Outcome]:
        """Start ``work`` on the loop and return a future.

        Canceling the future cancels the coroutine. Raises TransportError if the loop is closed.
        """
        try:
            return asyncio.run_coroutine_threadsafe(work, self.loop)
        except RuntimeError as fault:
            work.close()
            raise TransportError("the router of this process has stopped") from fault

    async def await_on_loop(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Run ``work`` on the loop and return its result. Call this from a coroutine on any loop."""
        if asyncio.get_running_loop() is self.loop:
            return await work
        return await asyncio.wrap_future(self.run_on_loop(work))

    def forbid_on_loop(self, name: str) -> None:
        """Raise SynchronousOnlyOperation if this is called on the loop.

        ``name`` is the name of the blocking function that the caller runs. On the loop, this function would deadlock.
        """
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return
        if running is self.loop:
            raise SynchronousOnlyOperation(
                f"api.{name}() blocks, and this is the event loop that it would wait for: use 'await api.a{name}()'."
            )

    def wait(self, work: Coroutine[Any, Any, Outcome], seconds: float | None) -> Outcome:
        """Run ``work`` on the loop and return its result. Call this from a thread that does not run this loop.

        ``work`` must enforce the limit of ``seconds`` itself. This method uses the limit only to detect that the loop
        has stopped.
        """
        future = self.run_on_loop(work)
        try:
            return future.result(None if seconds is None else seconds + GRACE_SECONDS)
        except TimeoutError:
            if future.done():  # the coroutine itself has raised TimeoutError
                raise
            future.cancel()
            raise CallTimeout(errors.TIMEOUT, "the event loop of the router does not answer") from None
        except BaseException:  # such as Ctrl-C: the result is no longer needed
            future.cancel()
            raise

    def iterate(self, parts: AsyncGenerator[Outcome, None]) -> Generator[Outcome, None, None]:
        """Yield the items of the async generator ``parts``, which runs on the loop. Call this from a thread.

        Closing the returned generator also closes ``parts``.
        """
        try:
            while (item := self.wait(_next(parts), None)) is not None:
                yield item[0]
        finally:
            self.run_on_loop(_close(parts))

    async def aiterate(self, parts: AsyncGenerator[Outcome, None]) -> AsyncGenerator[Outcome, None]:
        """Yield the items of the async generator ``parts``, which runs on the loop. Call this from any coroutine.

        Closing the returned generator also closes ``parts``.
        """
        if asyncio.get_running_loop() is self.loop:
            async with aclosing(parts):
                async for part in parts:
                    yield part
            return
        try:
            while (item := await self.await_on_loop(_next(parts))) is not None:
                yield item[0]
        finally:
            self.run_on_loop(_close(parts))


async def _next(parts: AsyncGenerator[Outcome, None]) -> tuple[Outcome] | None:
    """Return the next item in a tuple; None at the end, because a future cannot contain StopAsyncIteration."""
    try:
        return (await anext(parts),)
    except StopAsyncIteration:
        return None


async def _close(parts: AsyncGenerator[Any, None]) -> None:
    await parts.aclose()
