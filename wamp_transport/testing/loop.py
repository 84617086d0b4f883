"""An in-memory event loop for one test. It has neither sockets nor threads, and the test advances its clock.

The loop runs only while a caller waits for a result, in the thread of that caller. Work for threads (synchronous
handlers, the ORM in coroutines) runs in the same thread, between two iterations of the loop, and therefore in the
transaction of the test. Such work is called *inline work*.
"""

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from contextvars import Context, copy_context
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, TypeVar, TypeVarTuple

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation

from ..api.bridge import LoopBridge
from ..compat.asgiref import kept_main_loop
from ..compat.asyncio import LoopWithoutSockets, running_loop
from ..wamp.errors import TransportError
from .commits import run_on_handler_commit

Outcome = TypeVar("Outcome")
Arguments = TypeVarTuple("Arguments")

MAX_TURNS: Final = 1_000_000
"""The number of iterations without a pause after which a coroutine is considered an endless loop."""

MAX_WAIT_SECONDS: Final = 10.0
"""The maximum real time that one thread or task waits for another."""


class StalledError(AssertionError):
    """Raised if a test waits for a result that can never arrive."""


class _NoSockets:
    """The selector of the loop. Instead of waiting for sockets, this selector stops the loop if nothing can run."""

    def __init__(self, loop: "MemoryLoop") -> None:
        self._loop = loop
        self.turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        self.turns += 1
        if timeout is None or timeout > 0:
            self._loop.stop()
        elif self.turns > MAX_TURNS:
            self._loop.stop()
            raise StalledError(f"A coroutine runs in an endless loop: {MAX_TURNS} turns without a pause")
        return []


class DrivenFuture(Future[Outcome]):
    """The result of work on the loop. Waiting for the result runs the loop until the result is available."""

    def __init__(self, loop: "MemoryLoop") -> None:
        super().__init__()
        self._loop = loop

    def result(self, timeout: float | None = None) -> Outcome:
        """Return the result. ``timeout`` is ignored, because only the test's clock advances time."""
        self._loop.drive(self.done)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the exception that the work raised; None if it raised none. ``timeout`` is ignored."""
        self._loop.drive(self.done)
        return super().exception(0)

    def cancel(self) -> bool:
        """Cancel the work and run the loop until it is idle."""
        is_cancelled = super().cancel()
        if is_cancelled:
            self._loop.run_until_idle()
        return is_cancelled


class _InlineExecutor(Executor):
    """An executor whose jobs run in the thread of the loop, so that tests need no other thread."""

    def __init__(self, loop: "MemoryLoop") -> None:
        self._loop = loop

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._loop.add_inline_work(future, lambda: function(*args, **kwargs))
        return future


class MemoryLoop(LoopWithoutSockets):
    """The in-memory event loop.

    If ``auto_advance`` is true, the clock advances when a caller waits and nothing else can run.
    """

    def __init__(self) -> None:
        self._no_sockets = _NoSockets(self)
        super().__init__(self._no_sockets)
        self._now = 0.0
        self.auto_advance = True
        self._executor: Final = _InlineExecutor(self)
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = count()
        self._inline_work: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._turn = threading.Condition(threading.RLock())
        self._busy: list[int] = []
        """The IDs of the threads that run work between two iterations. A thread appears once for each of its jobs."""
        self._waiters: set[int] = set()
        """The IDs of the busy threads that wait for other threads."""
        self._change_count = 0
        """A counter that is incremented whenever waiting threads must check their condition again."""
        self._depth: dict[int, int] = {}
        self._tasks: set[asyncio.Future[Any]] = set()

    # --- the interface that asyncio requires -----------------------------------------------------------------------

    def time(self) -> float:
        """Return the time on the test's clock, in seconds."""
        return self._now

    def call_at(
        self, when: float, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule a callback."""
        handle = super().call_at(when, callback, *args, context=context)
        heappush(self._timers, (handle.when(), next(self._order), handle))
        return handle

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], Outcome], *args: *Arguments
    ) -> asyncio.Future[Outcome]:
        """Run ``func`` between two iterations of the loop, in the same thread. ``executor`` is ignored."""
        return asyncio.wrap_future(self._executor.submit(func, *args), loop=self)

    def wake_up(self) -> None:
        """Wake the threads that wait for results of this loop."""
        self._tell_waiters()

    # --- work from outside -----------------------------------------------------------------------------------------

    def run_on_loop(self, work: Coroutine[Any, Any, Outcome]) -> Future[Outcome]:
        """Start ``work`` and return its future. Unless a coroutine calls this, run the loop until it is idle.

        If a coroutine on another loop calls this, the in-memory loop runs in the background.
        """
        future = self._begin(work)
        running = running_loop()
        if running is None:
            self.run_until_idle()
        elif running is not self:  # called in a coroutine, which must not be blocked
            task = running.create_task(sync_to_async(self.run_until_idle)())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return future

    async def await_on_loop(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Return the result of ``work``. Call this from a coroutine on another loop.

        This in-memory loop runs in the thread in which Django runs synchronous code for the calling coroutine. The
        clock advances automatically only if the caller's loop has no other tasks, because another task could still do
        something before the next timer.
        """
        future = self._begin(work)
        changed = asyncio.Event()
        running = asyncio.get_running_loop()
        future.add_done_callback(lambda _: running.call_soon_threadsafe(changed.set))
        try:
            await sync_to_async(self.run_until_idle)()
            while not future.done():
                if self.auto_advance and len(asyncio.all_tasks()) == 1:
                    await sync_to_async(self.drive)(future.done)
                else:
                    await self._wait(changed)
        except BaseException:
            Future.cancel(future)
            await asyncio.shield(sync_to_async(self.run_until_idle)())
            raise
        return Future.result(future, 0)

    async def _wait(self, changed: asyncio.Event) -> None:
        """Wait until another task has run the loop and ``changed`` is set.

        Raises StalledError if this takes longer than MAX_WAIT_SECONDS.
        """
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await changed.wait()
        except TimeoutError:
            raise StalledError(
                f"{self._stall_message()} Other tasks are running, so the clock does not advance by itself."
            ) from None

    def _begin(self, work: Coroutine[Any, Any, Outcome]) -> DrivenFuture[Outcome]:
        future: DrivenFuture[Outcome] = DrivenFuture(self)

        def begin() -> None:
            if future.cancelled():
                work.close()
                return
            task = self.create_task(work)
            task.add_done_callback(lambda task: _hand_over(task, future))
            future.add_done_callback(lambda _: self.call_soon_threadsafe(task.cancel) if future.cancelled() else None)

        # An empty context: asgiref's data about the caller must not be visible to work on the loop.
        self.call_soon_threadsafe(begin, context=Context())
        return future

    def add_inline_work(self, future: Future[Any], work: Callable[[], Any]) -> None:
        """Queue ``work`` to run between two iterations of the loop. ``future`` gets its result."""
        context = copy_context()
        self._inline_work.append((future, lambda: context.run(work)))
        self.stop()  # returns control to _drive(), which runs the work

    # --- driving ---------------------------------------------------------------------------------------------------

    def run_until_idle(self) -> None:
        """Run everything that can run without advancing the clock.

        In inline work, do nothing, because the loop is running already. Raises SynchronousOnlyOperation in a coroutine.
        """
        self.forbid_in_coroutine()
        if not self._depth.get(threading.get_ident()):
            self._drive(lambda: False, lambda: True)

    def drive(self, is_done: Callable[[], bool]) -> None:
        """Run the loop until ``is_done()`` returns true, then until the loop is idle.

        Raises StalledError if ``is_done()`` can never return true.
        """
        self.forbid_in_coroutine()
        self._drive(is_done, self._advance_or_raise)
        self.run_until_idle()

    def advance(self, seconds: float) -> None:
        """Advance the clock. All timers that become due run."""
        end = self._now + seconds

        def reach_next_timer() -> bool:
            due = self._next_due()
            if due is None or due > end:
                self._now = max(self._now, end)
                return True
            self._now = math.nextafter(due, math.inf)
            return False

        self.forbid_in_coroutine()
        self._drive(lambda: False, reach_next_timer)
        self.run_until_idle()  # run the timers that are due exactly at the end

    def next_due(self) -> float | None:
        """Return the time until the next timer, in seconds; None if there is no timer."""
        due = self._next_due()
        return None if due is None else max(0.0, due - self._now)

    def forbid_in_coroutine(self) -> None:
        """Raise SynchronousOnlyOperation if called in a coroutine, which must not be blocked."""
        if running_loop() is not None:
            raise SynchronousOnlyOperation(
                "This function blocks, which a coroutine must not do: await the function with the prefix 'a'."
            )

    def _drive(self, is_done: Callable[[], bool], when_idle: Callable[[], bool]) -> None:
        """Run the loop until ``is_done()`` returns true.

        When nothing can run, call ``when_idle()``, which returns whether to stop.
        """
        me = threading.get_ident()
        self._depth[me] = self._depth.get(me, 0) + 1
        try:
            while True:
                with self._turn:
                    self._run_ready()
                    if is_done():
                        return
                    if not self._inline_work:
                        if self._is_another_busy(me):
                            self._wait_for_others(me)
                        elif when_idle():
                            return
                        continue
                    future, work = self._inline_work.popleft()
                    self._busy.append(me)
                self._run_inline(me, future, work)
        finally:
            self._depth[me] -= 1
            if not self._depth[me]:
                del self._depth[me]

    def _run_ready(self) -> None:
        """Run iterations of the loop until no callback is ready, or until work must run between two iterations."""
        if self._inline_work:
            return
        self._no_sockets.turns = 0
        self.run_forever()
        if self._no_sockets.turns > 1:
            self._tell_waiters()

    def _run_inline(self, me: int, future: Future[Any], work: Callable[[], Any]) -> None:
        try:
            if future.set_running_or_notify_cancel():
                try:
                    with kept_main_loop(), run_on_handler_commit():
                        outcome = work()
                except BaseException as fault:  # noqa: BLE001 - the future raises it
                    future.set_exception(fault)
                else:
                    future.set_result(outcome)
        finally:
            with self._turn:
                self._busy.remove(me)
                self._tell_waiters()

    def _is_another_busy(self, me: int) -> bool:
        return any(one != me and one not in self._waiters for one in self._busy)

    def _wait_for_others(self, me: int) -> None:
        seen = self._change_count
        self._waiters.add(me)
        self._turn.notify_all()
        try:
            if not self._turn.wait_for(
                lambda: self._change_count != seen or not self._is_another_busy(me), MAX_WAIT_SECONDS
            ):
                raise StalledError(f"Another thread has been busy for {MAX_WAIT_SECONDS:g} seconds.")
        finally:
            self._waiters.discard(me)

    def _tell_waiters(self) -> None:
        with self._turn:
            self._change_count += 1
            self._turn.notify_all()

    def _advance_or_raise(self) -> bool:
        due = self._next_due()
        if due is None or not self.auto_advance:
            raise StalledError(self._stall_message())
        self._now = math.nextafter(due, math.inf)
        return False

    def _next_due(self) -> float | None:
        timers = self._timers
        while timers and (timers[0][2].cancelled() or timers[0][0] < self._now):
            heappop(timers)
        return timers[0][0] if timers else None

    def _stall_message(self) -> str:
        due = self.next_due()
        later = (
            "No timer is running." if due is None else f"The next timer is due in {due:g} seconds: advance the clock."
        )
        return f"The test waits for a result, and nothing is left to run that could produce it. {later}"


class MemoryLoopBridge(LoopBridge):
    """A bridge to an in-memory loop, which has no thread of its own and runs only while a caller waits."""

    def __init__(self, loop: MemoryLoop) -> None:
        super().__init__(loop)
        self._memory_loop = loop

    def run_on_loop(self, work: Coroutine[Any, Any, Outcome]) -> Future[Outcome]:
        """Start ``work`` and return its future. Waiting for the result runs the loop.

        Raises TransportError if the loop is closed.
        """
        try:
            return self._memory_loop.run_on_loop(work)
        except RuntimeError as fault:
            work.close()
            raise TransportError("the router of this test has stopped") from fault

    async def await_on_loop(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Run ``work`` on the loop and return its result. Call this from a coroutine on any loop."""
        if asyncio.get_running_loop() is self.loop:
            return await work
        return await self._memory_loop.await_on_loop(work)


def _hand_over(task: asyncio.Future[Any], future: Future[Any]) -> None:
    if task.cancelled():
        Future.cancel(future)
        fault: BaseException | None = None
    else:
        fault = task.exception()
    if not future.set_running_or_notify_cancel():
        return
    if fault is not None:
        future.set_exception(fault)
    else:
        future.set_result(task.result())
