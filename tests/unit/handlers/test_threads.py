"""The threads of synchronous handlers: bounded, shared fairly, with clean connections."""

import asyncio
import threading

import pytest

from wamp_transport.handlers.threads import HandlerThreads


def play(scenario, size=2):
    async def whole():
        threads = HandlerThreads(size)
        try:
            return await asyncio.wait_for(scenario(threads), 10)
        finally:
            threads.close()

    return asyncio.run(whole())


def test_work_runs_beside_the_loop_and_gives_its_outcome():
    async def scenario(threads):
        assert (await threads.run(lambda: threading.current_thread().name)).startswith("wamp-handler")
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)

    play(scenario)


@pytest.mark.parametrize(("size", "share"), [(1, 1), (2, 1), (8, 4), (9, 4)])
def test_one_handler_may_have_half_of_the_threads(size, share):
    threads = HandlerThreads(size)
    assert threads.share == share
    threads.close()


def test_turn_lasts_until_the_thread_is_free_even_when_nobody_waits():
    async def scenario(threads):
        begun, go_on = threading.Event(), threading.Event()
        turns = asyncio.Semaphore(1)

        def slow():
            begun.set()
            assert go_on.wait(10)

        first = asyncio.ensure_future(threads.run(slow, turns))
        await asyncio.to_thread(begun.wait, 10)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert turns.locked()
        second = asyncio.ensure_future(threads.run(lambda: 2, turns))
        go_on.set()
        assert await second == 2

    play(scenario)


def test_timeout_inside_the_awaited_work_ends_the_wait():
    async def scenario(threads):
        async def work():
            raise TimeoutError("from within")

        loop, is_over = asyncio.get_running_loop(), threading.Event()
        try:
            with pytest.raises(TimeoutError, match="from within"):
                await asyncio.wait_for(asyncio.to_thread(threads.wait_for, work(), loop, is_over), 5)
        finally:
            is_over.set()

    play(scenario)


def test_after_the_end_nothing_begins():
    async def scenario(threads):
        threads.close()
        turns = asyncio.Semaphore(1)
        with pytest.raises(RuntimeError):
            await threads.run(lambda: 1, turns)
        assert not turns.locked()

    play(scenario)
