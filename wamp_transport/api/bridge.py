"""From any thread and any event loop to the loop that owns the sessions, and back."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any, Final, TypeVar

from django.core.exceptions import SynchronousOnlyOperation

from ..wamp import errors
from ..wamp.errors import CallTimeout, TransportError

Outcome = TypeVar("Outcome")

GRACE: Final = 5.0
"""Seconds that a thread waits longer than the loop was told to, before it takes the loop for dead."""


class DrivenLoop(asyncio.AbstractEventLoop):
    """A loop without a thread of its own: it runs while somebody waits for what it does, as the test tools have it."""

    def post(self, work: Coroutine[Any, Any, Outcome]) -> Future[Outcome]:
        """Begin ``work``. Whoever asks the future for its result drives the loop."""
        raise NotImplementedError

    async def reach(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """What comes of ``work``, from another loop."""
        raise NotImplementedError


async def within(seconds: float | None, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """``work``, which is cancelled when it takes longer. Raises CallTimeout then."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except CallTimeout:
        raise
    except TimeoutError:
        raise CallTimeout(errors.TIMEOUT, f"no answer within {seconds:g} seconds") from None


def refuse_on(loop: asyncio.AbstractEventLoop, name: str) -> None:
    """A function that waits would hold up the very loop it waits for. Raises SynchronousOnlyOperation there."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if running is loop:
        raise SynchronousOnlyOperation(
            f"api.{name}() waits, and this is the event loop it would wait for: use 'await api.a{name}()' here."
        )


def post(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Outcome]) -> Future[Outcome]:
    """Begin ``work`` on the loop; cancelling the future cancels it. Raises TransportError where the loop is over."""
    try:
        if isinstance(loop, DrivenLoop):
            return loop.post(work)
        return asyncio.run_coroutine_threadsafe(work, loop)
    except RuntimeError as fault:
        work.close()
        raise TransportError("the router of this process has stopped") from fault


def wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Outcome], seconds: float | None) -> Outcome:
    """What comes of ``work``, from a thread that runs no loop of its own, or another one."""
    future = post(loop, work)
    try:
        return future.result(None if seconds is None else seconds + GRACE)
    except TimeoutError:
        if future.done():
            raise
        future.cancel()
        raise CallTimeout(errors.TIMEOUT, "the event loop of the router does not answer") from None
    except BaseException:  # Ctrl-C, for one: nobody waits any more
        future.cancel()
        raise


async def reach(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """What comes of ``work``, from any loop."""
    if asyncio.get_running_loop() is loop:
        return await work
    if isinstance(loop, DrivenLoop):
        return await loop.reach(work)
    return await asyncio.wrap_future(post(loop, work))


async def _next(parts: AsyncGenerator[Outcome, None]) -> tuple[Outcome] | None:
    try:
        return (await anext(parts),)
    except StopAsyncIteration:  # no future can carry that
        return None


async def _close(parts: AsyncGenerator[Any, None]) -> None:
    await parts.aclose()


def iterate(loop: asyncio.AbstractEventLoop, parts: AsyncGenerator[Outcome, None]) -> Generator[Outcome, None, None]:
    """``parts``, which belong to the loop, in a thread; closed there when the iterator is."""
    try:
        while (item := wait(loop, _next(parts), None)) is not None:
            yield item[0]
    finally:
        post(loop, _close(parts))


async def aiterate(
    loop: asyncio.AbstractEventLoop, parts: AsyncGenerator[Outcome, None]
) -> AsyncGenerator[Outcome, None]:
    """``parts``, which belong to the loop, on any loop; closed there when the iterator is."""
    if asyncio.get_running_loop() is loop:
        async with aclosing(parts):
            async for part in parts:
                yield part
        return
    try:
        while (item := await reach(loop, _next(parts))) is not None:
            yield item[0]
    finally:
        post(loop, _close(parts))
