"""Named pools of threads for work that must not block the event loop: hashes, handlers, hooks, database, files.

Each kind of work has a separate pool so that, for example, slow hashes never block handlers. The queue of a pool is
limited. If a job raises an exception such as SystemExit, which would affect more than this job, the pool converts it to
an ordinary exception (see :mod:`.project_code`). Each pool provides gauges for metrics. The function ``around`` calls
each job of a pool, and can, for example, manage database connections before and after the job.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any, Final, TypeVar
from weakref import WeakSet

from .project_code import call_guarded

Outcome = TypeVar("Outcome")

Around = Callable[[Callable[[], Any]], Any]
"""A function that calls a job and returns its result. It can run code before and after the job."""

DEFAULT_MAX_QUEUED_JOBS: Final = 10_000
"""The default of ``max_queued``. It equals the maximum number of queued messages of a session in Django code."""


def _call(work: Callable[[], Any]) -> Any:
    return work()


class WorkersBusy(Exception):
    """Raised if a pool's queue is full, or if a job was queued for too long. In both cases, the job was not started."""


class WorkersClosed(RuntimeError):
    """Raised if a pool accepts no jobs, because the pool was closed or the interpreter is shutting down."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """The gauges of a pool at one moment.

    ``busy`` is the number of running jobs. ``longest_seconds`` is the time for which the oldest of them has been
    running.
    """

    name: str
    size: int
    busy: int
    queued: int
    longest_seconds: float


class _Job:
    """A job of a pool. It is queued, running, finished, or dropped before it started.

    The pool's mutex protects access to the attributes.
    """

    __slots__ = ("begun_at", "context", "is_late", "is_queued", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.context = copy_context()
        self.is_queued = True
        self.is_late = False
        self.begun_at = 0.0


class WorkerThreads:
    """A pool of up to ``size`` threads, which are started on demand.

    Up to ``max_queued`` jobs can wait for a thread. A job of :meth:`run` waits for up to ``max_wait_seconds``; None
    means no limit. This limit does not apply to :meth:`submit`.
    """

    def __init__(
        self,
        name: str,
        size: int,
        *,
        max_queued: int = DEFAULT_MAX_QUEUED_JOBS,
        max_wait_seconds: float | None = None,
        around: Around = _call,
    ) -> None:
        self.name = name
        self.size = size
        self.max_queued = max_queued
        self.max_wait_seconds = max_wait_seconds
        self._around = around
        self._start()
        _pools.add(self)

    def _start(self) -> None:
        self._mutex = Lock()
        self._queued = 0
        self._running: set[_Job] = set()
        self._executor = ThreadPoolExecutor(self.size, self.name)

    async def run(self, function: Callable[..., Outcome], *args: Any) -> Outcome:
        """Call a function in a thread, in the caller's context, and return its result.

        If the caller is canceled, a running job continues and a queued job is dropped. Raises WorkersBusy if the queue
        is full or the job has waited for too long, WorkersClosed if the pool accepts no jobs, and any exception of the
        function. Exceptions such as SystemExit, which would end more than the job, are converted; see
        :func:`~.project_code.call_guarded`.
        """
        job = self._admit(partial(function, *args))
        loop = asyncio.get_running_loop()
        try:
            # Use the loop's method, because the event loop of wamp_transport.testing runs jobs without threads.
            outcome: asyncio.Future[Outcome] = loop.run_in_executor(self._executor, self._do, job)
        except RuntimeError as error:
            self._drop(job)
            raise WorkersClosed(f"{self.name} accepts no jobs") from error
        timer = (
            None
            if self.max_wait_seconds is None
            else loop.call_later(self.max_wait_seconds, self._expire, job, outcome)
        )
        try:
            return await outcome
        except asyncio.CancelledError:
            self._drop(job)
            if job.is_late:
                raise WorkersBusy(
                    f"no thread of {self.name} was free within {self.max_wait_seconds:g} seconds"
                ) from None
            task = asyncio.current_task()
            if outcome.cancelled() and task is not None and not task.cancelling():
                raise WorkersClosed(f"{self.name} was closed") from None
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def submit(self, function: Callable[..., Outcome], *args: Any) -> Future[Outcome]:
        """Queue a job that calls ``function``, and return its future. This method is thread-safe.

        Raises WorkersBusy if the queue is full, and WorkersClosed if the pool accepts no jobs.
        """
        job = self._admit(partial(function, *args))
        try:
            future = self._executor.submit(self._do, job)
        except RuntimeError as error:
            self._drop(job)
            raise WorkersClosed(f"{self.name} accepts no jobs") from error
        future.add_done_callback(lambda _: self._drop(job))
        return future

    def stats(self) -> PoolStats:
        """Return the current gauges of the pool."""
        now = monotonic()
        with self._mutex:
            longest = max((now - job.begun_at for job in self._running), default=0.0)
            return PoolStats(self.name, self.size, len(self._running), self._queued, longest)

    def close(self, last: Callable[[], Any] | None = None) -> None:
        """Stop accepting jobs. Running jobs continue, and queued jobs are dropped.

        If ``last`` is given, queued jobs are not dropped. Instead, they run, and then the function ``last`` runs as the
        last job, even if the queue is full.
        """
        if last is not None:
            with suppress(RuntimeError):  # the interpreter is shutting down, or the pool is already closed
                self._executor.submit(call_guarded, last)
        self._executor.shutdown(wait=False, cancel_futures=last is None)

    async def finish(self, seconds: float) -> None:
        """Stop accepting jobs, and wait up to ``seconds`` for accepted jobs. Jobs that take longer are not stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(self._executor.shutdown), seconds)

    def _admit(self, work: Callable[[], Any]) -> _Job:
        job = _Job(work)
        with self._mutex:
            # Even if ``max_queued`` is 0, a job is accepted if a thread is free.
            if self._queued >= self.max_queued + max(0, self.size - len(self._running)):
                raise WorkersBusy(f"{self._queued} jobs are queued for {self.name} already")
            self._queued += 1
        return job

    def _drop(self, job: _Job) -> None:
        """Remove a queued job. A job that has started is not affected."""
        with self._mutex:
            if job.is_queued:
                job.is_queued = False
                self._queued -= 1

    def _expire(self, job: _Job, outcome: "asyncio.Future[Any]") -> None:
        with self._mutex:
            job.is_late = job.is_queued
        if job.is_late:
            self._drop(job)
            outcome.cancel()

    def _do(self, job: _Job) -> Any:
        with self._mutex:
            if not job.is_queued:
                return None
            job.is_queued = False
            self._queued -= 1
            job.begun_at = monotonic()
            self._running.add(job)
        try:
            return job.context.run(call_guarded, self._around, job.work)
        finally:
            with self._mutex:
                self._running.discard(job)


_pools: WeakSet[WorkerThreads] = WeakSet()


def all_stats() -> list[PoolStats]:
    """Return the gauges of all pools of this process, ordered by name."""
    return sorted((pool.stats() for pool in list(_pools)), key=lambda stats: stats.name)


def _reset_after_fork() -> None:
    """Reset all pools in a forked process.

    A forked process has none of the parent's threads, and its copies of the parent's locks can be locked.
    """
    for pool in list(_pools):
        pool._start()


os.register_at_fork(after_in_child=_reset_after_fork)
