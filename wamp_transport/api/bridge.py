"""Runs coroutines on the event loop that owns the sessions, from any thread and any other event loop."""

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
"""How much longer than the time limit a thread waits before it gives the loop up for dead."""


async def within(seconds: float | None, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Return the result of ``work``. Cancel it and raise CallTimeout if it takes longer than ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except CallTimeout:
        raise
    except TimeoutError:
        raise CallTimeout(errors.TIMEOUT, f"no answer within {seconds:g} seconds") from None


class LoopBridge:
    """Gives other threads and event loops access to the loop that owns the sessions."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def run_on_loop(self, work: Coroutine[Any, Any, Outcome]) -> Future[Outcome]:
        """Start ``work`` on the loop. Canceling the future cancels it. Raises TransportError if the loop is closed."""
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
        """Raise SynchronousOnlyOperation if called on the loop, where the blocking function ``name`` would deadlock."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return
        if running is self.loop:
            raise SynchronousOnlyOperation(
                f"api.{name}() blocks, and this is the event loop that it would wait for: use 'await api.a{name}()'."
            )

    def wait(self, work: Coroutine[Any, Any, Outcome], seconds: float | None) -> Outcome:
        """Run ``work`` on the loop and return its result. Call this from a thread that runs no loop or another loop.

        ``work`` must enforce ``seconds`` itself. Here they only limit the wait for a loop that has stopped.
        """
        future = self.run_on_loop(work)
        try:
            return future.result(None if seconds is None else seconds + GRACE_SECONDS)
        except TimeoutError:
            if future.done():  # the work itself has raised it
                raise
            future.cancel()
            raise CallTimeout(errors.TIMEOUT, "the event loop of the router does not answer") from None
        except BaseException:  # such as Ctrl-C: nobody waits for the result any more
            future.cancel()
            raise

    def iterate(self, parts: AsyncGenerator[Outcome, None]) -> Generator[Outcome, None, None]:
        """Yield, in a thread, the items of an async generator that runs on the loop.

        Closing this one closes that one.
        """
        try:
            while (item := self.wait(_next(parts), None)) is not None:
                yield item[0]
        finally:
            self.run_on_loop(_close(parts))

    async def aiterate(self, parts: AsyncGenerator[Outcome, None]) -> AsyncGenerator[Outcome, None]:
        """Yield, on any loop, the items of an async generator that runs on the loop.

        Closing this one closes that one.
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
    """Return the next item in a tuple, or None at the end: a future cannot carry StopAsyncIteration."""
    try:
        return (await anext(parts),)
    except StopAsyncIteration:
        return None


async def _close(parts: AsyncGenerator[Any, None]) -> None:
    await parts.aclose()
