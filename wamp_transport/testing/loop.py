"""An event loop in memory, for one test: no sockets, no threads, and a clock that a test moves.

The loop runs only while somebody waits for what it does, in the thread of who waits. What would run in a thread
elsewhere (synchronous handlers, the ORM in coroutines) runs between two turns of the loop, in that same thread and with
no loop running there: so it sees the database connection, and the transaction, of the test.
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

from ..api.bridge import DrivenLoop
from ..compat.asgiref import kept_main_loop
from ..compat.asyncio import LoopWithoutSockets, running_loop
from .commits import committing_alone

Outcome = TypeVar("Outcome")
Given = TypeVarTuple("Given")

MAX_TURNS: Final = 1_000_000
"""Turns of the loop without a pause, after which something goes round in circles."""

PATIENCE: Final = 10.0
"""Seconds of real time that one thread or task waits for another."""


class NothingHappens(AssertionError):
    """A test waits for something that cannot come."""


class _NoSockets:
    """Stands where other loops wait for sockets: with nothing to do at once, the loop stops."""

    def __init__(self, loop: "MemoryLoop") -> None:
        self._loop = loop
        self.turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        self.turns += 1
        if timeout is None or timeout > 0:
            self._loop.stop()
        elif self.turns > MAX_TURNS:
            self._loop.stop()
            raise NothingHappens(f"A coroutine goes round in circles: {MAX_TURNS} turns without a pause")
        return []


class DrivenFuture(Future[Outcome]):
    """What comes of something on the loop. Whoever asks for its result drives the loop until it is there."""

    def __init__(self, loop: "MemoryLoop") -> None:
        super().__init__()
        self._loop = loop

    def result(self, timeout: float | None = None) -> Outcome:
        """The result. Time passes on the clock of the test alone: ``timeout`` is not looked at."""
        self._loop.drive(self.done)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The exception, None where there is none."""
        self._loop.drive(self.done)
        return super().exception(0)

    def cancel(self) -> bool:
        """Cancel the work, with all that comes of it."""
        is_cancelled = super().cancel()
        if is_cancelled:
            self._loop.settle()
        return is_cancelled


class _Aside(Executor):
    """Takes work that must not run on the loop."""

    def __init__(self, loop: "MemoryLoop") -> None:
        self._loop = loop

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._loop.put_aside(future, lambda: function(*args, **kwargs))
        return future


class MemoryLoop(LoopWithoutSockets, DrivenLoop):
    """The loop. ``jumps``: the clock goes on by itself when somebody waits and nothing else is left to do."""

    def __init__(self) -> None:
        self._no_sockets = _NoSockets(self)
        super().__init__(self._no_sockets)
        self._now = 0.0
        self.jumps = True
        self.aside: Final = _Aside(self)
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = count()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._turn = threading.Condition(threading.RLock())
        self._busy: list[int] = []
        """The threads that do something aside, once for each thing."""
        self._waiters: set[int] = set()
        """Those of them that wait for others."""
        self._version = 0
        """Another number whenever something has happened that one may wait for."""
        self._depth: dict[int, int] = {}
        self._tasks: set[asyncio.Future[Any]] = set()

    # --- what asyncio wants of a loop ------------------------------------------------------------------------------

    def time(self) -> float:
        """Seconds since the test began, on its clock."""
        return self._now

    def call_at(
        self, when: float, callback: Callable[[*Given], object], *args: *Given, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See asyncio."""
        handle = super().call_at(when, callback, *args, context=context)
        heappush(self._timers, (handle.when(), next(self._order), handle))
        return handle

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Given], Outcome], *args: *Given
    ) -> asyncio.Future[Outcome]:
        """``func`` beside the loop, in the thread of who drives it, whatever executor is meant."""
        return asyncio.wrap_future(self.aside.submit(func, *args), loop=self)

    def wake_up(self) -> None:
        """Wake the threads that wait for what this loop does."""
        self._tell_waiters()

    # --- work from outside -----------------------------------------------------------------------------------------

    def post(self, work: Coroutine[Any, Any, Outcome]) -> Future[Outcome]:
        """Begin ``work``, and let all happen that can."""
        future = self._begin(work)
        running = running_loop()
        if running is None:
            self.settle()
        elif running is not self:  # a coroutine that does not wait: what it wants happens meanwhile
            task = running.create_task(sync_to_async(self.settle)())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return future

    async def reach(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """What comes of ``work``, for a coroutine on another loop.

        The loop is driven where Django runs synchronous code for this coroutine. The clock goes on by itself where
        no other task is there that could do something meanwhile.
        """
        future = self._begin(work)
        changed = asyncio.Event()
        running = asyncio.get_running_loop()
        future.add_done_callback(lambda _: running.call_soon_threadsafe(changed.set))
        try:
            await sync_to_async(self.settle)()
            while not future.done():
                if self.jumps and len(asyncio.all_tasks()) == 1:
                    await sync_to_async(self.drive)(future.done)
                else:
                    await self._wait(changed)
        except BaseException:
            Future.cancel(future)
            await asyncio.shield(sync_to_async(self.settle)())
            raise
        return Future.result(future, 0)

    async def _wait(self, changed: asyncio.Event) -> None:
        """Until another task has driven the loop so far."""
        try:
            async with asyncio.timeout(PATIENCE):
                await changed.wait()
        except TimeoutError:
            raise NothingHappens(f"{self._said()} Other tasks run, so the clock waits to be told to advance.") from None

    def _begin(self, work: Coroutine[Any, Any, Outcome]) -> DrivenFuture[Outcome]:
        future: DrivenFuture[Outcome] = DrivenFuture(self)

        def begin() -> None:
            if future.cancelled():
                work.close()
                return
            task = self.create_task(work)
            task.add_done_callback(lambda task: _hand_over(task, future))
            future.add_done_callback(lambda _: self.call_soon_threadsafe(task.cancel) if future.cancelled() else None)

        # What asgiref remembers of who calls is not for what is done on the loop.
        self.call_soon_threadsafe(begin, context=Context())
        return future

    def put_aside(self, future: Future[Any], work: Callable[[], Any]) -> None:
        """Let ``work`` be done between two turns."""
        context = copy_context()
        self._waiting.append((future, lambda: context.run(work)))
        self.stop()  # so that whoever drives does it

    # --- driving ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let all happen that can without time passing. In the midst of it, it happens later anyway."""
        self.refuse_coroutines()
        if not self._depth.get(threading.get_ident()):
            self._drive(lambda: False, lambda: True)

    def drive(self, is_done: Callable[[], bool]) -> None:
        """Run until ``is_done``, and outermost until all has happened that can. Raises NothingHappens."""
        self.refuse_coroutines()
        self._drive(is_done, self._jump_or_raise)
        self.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass, with all that is due meanwhile."""
        end = self._now + seconds

        def goes_on() -> bool:
            due = self._next_due()
            if due is None or due > end:
                self._now = max(self._now, end)
                return True
            self._now = math.nextafter(due, math.inf)
            return False

        self.refuse_coroutines()
        self._drive(lambda: False, goes_on)
        self.settle()  # what is due at the very end

    def next_due(self) -> float | None:
        """In how many seconds something is due, if ever."""
        due = self._next_due()
        return None if due is None else max(0.0, due - self._now)

    def refuse_coroutines(self) -> None:
        """Raises SynchronousOnlyOperation in a coroutine, which has to await."""
        if running_loop() is not None:
            raise SynchronousOnlyOperation(
                "This waits, and a coroutine would hold up its event loop: use the function with an 'a' in front, and"
                " 'await' it."
            )

    def _drive(self, is_done: Callable[[], bool], when_idle: Callable[[], bool]) -> None:
        """Run until ``is_done``; ``when_idle`` is asked with nothing left to do, and says whether that is the end."""
        me = threading.get_ident()
        self._depth[me] = self._depth.get(me, 0) + 1
        try:
            while True:
                with self._turn:
                    self._run_ready()
                    if is_done():
                        return
                    if not self._waiting:
                        if self._is_another_busy(me):
                            self._wait_for_others(me)
                        elif when_idle():
                            return
                        continue
                    future, work = self._waiting.popleft()
                    self._busy.append(me)
                self._do(me, future, work)
        finally:
            self._depth[me] -= 1
            if not self._depth[me]:
                del self._depth[me]

    def _run_ready(self) -> None:
        """Turns of the loop, until nothing is left to do there or something is to be done aside."""
        if self._waiting:
            return
        self._no_sockets.turns = 0
        self.run_forever()
        if self._no_sockets.turns > 1:
            self._tell_waiters()

    def _do(self, me: int, future: Future[Any], work: Callable[[], Any]) -> None:
        try:
            if future.set_running_or_notify_cancel():
                try:
                    with kept_main_loop(), committing_alone():
                        outcome = work()
                except BaseException as fault:  # noqa: BLE001 - whoever waits for it gets it
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
        seen = self._version
        self._waiters.add(me)
        self._turn.notify_all()
        try:
            if not self._turn.wait_for(lambda: self._version != seen or not self._is_another_busy(me), PATIENCE):
                raise NothingHappens(f"Another thread has been doing something for {PATIENCE:g} seconds.")
        finally:
            self._waiters.discard(me)

    def _tell_waiters(self) -> None:
        with self._turn:
            self._version += 1
            self._turn.notify_all()

    def _jump_or_raise(self) -> bool:
        due = self._next_due()
        if due is None or not self.jumps:
            raise NothingHappens(self._said())
        self._now = math.nextafter(due, math.inf)
        return False

    def _next_due(self) -> float | None:
        timers = self._timers
        while timers and (timers[0][2].cancelled() or timers[0][0] < self._now):
            heappop(timers)
        return timers[0][0] if timers else None

    def _said(self) -> str:
        due = self.next_due()
        later = "Nothing is due later." if due is None else f"Something is due in {due:g} seconds: advance the clock."
        return f"The test waits for something, and nothing is left that could bring it. {later}"


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
