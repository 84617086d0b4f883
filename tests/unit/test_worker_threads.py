"""Pools of threads: bounded, patient for a while, safe from what jobs raise, and with gauges."""

import asyncio
import os
import threading
from contextvars import ContextVar

import pytest

from wamp_transport.project_code import ProjectCodeError
from wamp_transport.worker_threads import PoolStats, WorkersBusy, WorkersClosed, WorkerThreads, all_stats

place = ContextVar("place", default="outside")
SECONDS = 20


@pytest.fixture
def make():
    made = []

    def make(size=1, **options):
        pool = WorkerThreads("test-pool", size, **options)
        made.append(pool)
        return pool

    yield make
    for pool in made:
        pool.close()


class Slow:
    """A job that runs until it is let go."""

    def __init__(self):
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self):
        self.has_begun.set()
        return self.may_end.wait(SECONDS)


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario, SECONDS))


def test_jobs_run_in_named_threads_in_the_context_of_the_caller(make):
    async def scenario():
        place.set("inside")
        assert await make().run(lambda a: (a, place.get(), threading.current_thread().name), 1) == (
            1,
            "inside",
            "test-pool_0",
        )

    run(scenario())


def test_full_queue_raises_and_the_pool_goes_on(make):
    slow, pool = Slow(), make(max_queued=1)

    async def scenario():
        jobs = [asyncio.ensure_future(pool.run(slow)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(WorkersBusy, match="queued for test-pool already"):
            await pool.run(slow)
        with pytest.raises(WorkersBusy):
            pool.submit(slow)
        slow.may_end.set()
        assert await asyncio.gather(*jobs) == [True, True]
        assert await pool.run(lambda: 5) == 5

    run(scenario())


def test_job_that_waits_longer_than_the_patience_is_never_begun(make):
    slow, begun, pool = Slow(), [], make(max_wait_seconds=0.05)

    async def scenario():
        first = asyncio.ensure_future(pool.run(slow))
        await asyncio.sleep(0)
        with pytest.raises(WorkersBusy, match=r"no thread of test-pool was free within 0\.05 seconds"):
            await pool.run(lambda: begun.append("late"))
        assert not first.done()
        slow.may_end.set()
        assert await first
        assert await pool.run(lambda: 5) == 5

    run(scenario())
    assert begun == []


def test_canceled_caller_drops_a_waiting_job_and_leaves_a_running_one(make):
    slow, begun, pool = Slow(), [], make(max_queued=1)

    async def scenario():
        first = asyncio.ensure_future(pool.run(slow))
        assert await asyncio.to_thread(slow.has_begun.wait, SECONDS)
        second = asyncio.ensure_future(pool.run(lambda: begun.append(2)))
        await asyncio.sleep(0)
        for job in (second, first):
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job
        assert (pool.stats().busy, pool.stats().queued) == (1, 0)
        slow.may_end.set()
        assert await pool.run(lambda: 5) == 5

    run(scenario())
    assert begun == []


def test_gauges_count_and_tell_the_age_of_the_oldest_job(make):
    slow, pool = Slow(), make(size=2)
    assert pool.stats() == PoolStats("test-pool", 2, 0, 0, 0.0)

    async def scenario():
        other = Slow()
        jobs = [asyncio.ensure_future(pool.run(one)) for one in (slow, other, other)]
        for one in (slow, other):
            assert await asyncio.to_thread(one.has_begun.wait, SECONDS)
        stats = pool.stats()
        assert (stats.size, stats.busy, stats.queued) == (2, 2, 1)
        assert 0 < stats.longest_seconds < SECONDS
        assert stats.name in [one.name for one in all_stats()]
        for one in (slow, other):
            one.may_end.set()
        await asyncio.gather(*jobs)

    run(scenario())
    assert (pool.stats().busy, pool.stats().queued) == (0, 0)


@pytest.mark.parametrize(
    "kind", [SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit, asyncio.CancelledError, BaseException]
)
@pytest.mark.parametrize("way", ["run", "submit"])
def test_whatever_a_job_raises_is_an_ordinary_failure(make, kind, way):
    pool = make()

    def fail():
        raise kind("no")

    async def scenario():
        with pytest.raises(ProjectCodeError, match=f"project code raised {kind.__name__}: no") as caught:
            await (pool.run(fail) if way == "run" else asyncio.wrap_future(pool.submit(fail)))
        assert isinstance(caught.value.__cause__, kind)
        assert await pool.run(lambda: 5) == 5

    run(scenario())


def test_job_has_its_owners_work_around_it(make):
    steps = []

    def around(work):
        steps.append("before")
        try:
            return work()
        finally:
            steps.append("after")

    pool = make(around=around)

    async def scenario():
        await pool.run(steps.append, "job")
        with pytest.raises(ProjectCodeError):
            await pool.run(next, iter(()))

    run(scenario())
    assert steps == ["before", "job", "after", "before", "after"]


def test_closed_pool_drops_what_waits_and_takes_nothing(make):
    slow, pool = Slow(), make()

    async def scenario():
        first, second = (asyncio.ensure_future(pool.run(slow)) for _ in range(2))
        assert await asyncio.to_thread(slow.has_begun.wait, SECONDS)
        pool.close()
        with pytest.raises(WorkersClosed, match="test-pool was closed"):
            await second
        with pytest.raises(WorkersClosed):
            await pool.run(slow)
        with pytest.raises(WorkersClosed):
            pool.submit(slow)
        slow.may_end.set()
        assert await first
        assert pool.stats().queued == 0

    run(scenario())


def test_last_job_follows_those_that_wait(make):
    slow, pool, done = Slow(), make(max_queued=1), []
    futures = [pool.submit(slow)]
    assert slow.has_begun.wait(SECONDS)
    futures.append(pool.submit(done.append, "waits"))
    ended = threading.Event()
    pool.close(last=lambda: (done.append("last"), ended.set()))
    slow.may_end.set()
    assert ended.wait(SECONDS)
    assert done == ["waits", "last"]


def test_end_waits_for_running_jobs_but_not_forever(make):
    slow, pool = Slow(), make()

    async def scenario():
        job = asyncio.ensure_future(pool.run(slow))
        assert await asyncio.to_thread(slow.has_begun.wait, SECONDS)
        await pool.finish(0.01)
        assert not job.done()
        asyncio.get_running_loop().call_later(0.05, slow.may_end.set)
        await pool.finish(SECONDS)
        assert pool.stats().busy == 0
        assert await job

    run(scenario())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_process_has_threads_of_its_own(make):
    pool = make()
    assert pool.submit(lambda: 1).result(SECONDS) == 1
    child = os.fork()
    if child == 0:
        try:
            os._exit(pool.submit(lambda: 7).result(SECONDS))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
