"""The timer of a polling loop, on a loop whose clock the tests move."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from wamp_transport.bootstrap.poll_timer import FAST_POLLS, MIN_PAUSE_SECONDS, SLOW_SECONDS, PollTimer
from wamp_transport.testing.loop import MemoryLoop

SECONDS = 0.5


class Polling:
    """A polling loop. ``times`` are the times of its polls, which take ``work`` seconds each."""

    def __init__(self, loop: MemoryLoop) -> None:
        self.loop = loop
        self.timer = PollTimer(SECONDS)
        self.times: list[float] = []
        self.work = 0.0
        self._run: Future[None] = loop.run_on_loop(self._poll())

    async def _poll(self) -> None:
        while True:
            await self.timer.wait()
            self.times.append(round(self.loop.time(), 6))
            await asyncio.sleep(self.work)

    def within(self, seconds: float) -> list[float]:
        """The times of the polls in the next seconds, counted from now."""
        begun_at, before = self.loop.time(), len(self.times)
        self.loop.advance(seconds)
        return [round(at - begun_at, 6) for at in self.times[before:]]

    def do(self, step: Callable[[], None]) -> None:
        self.loop.call_soon(step)
        self.loop.run_until_idle()


@pytest.fixture
def polling():
    loop = MemoryLoop()
    polling = Polling(loop)
    yield polling
    polling._run.cancel()
    loop.close()


def test_without_hints_polls_come_at_the_interval(polling: Polling) -> None:
    assert polling.within(1.6) == [0.5, 1.0, 1.5]


def test_hint_causes_a_poll_at_once(polling: Polling) -> None:
    polling.loop.advance(0.6)
    polling.do(polling.timer.wake)
    assert polling.times[-1] == 0.6
    assert polling.within(0.6) == [0.5]


def test_hints_shortly_after_a_poll_share_the_next_one(polling: Polling) -> None:
    polling.loop.advance(0.5)
    for _ in range(5):
        polling.do(polling.timer.wake)
    assert polling.within(0.4) == [MIN_PAUSE_SECONDS]


def test_flood_of_hints_causes_a_limited_number_of_polls(polling: Polling) -> None:
    before = len(polling.times)
    for _ in range(1000):
        polling.do(polling.timer.wake)
        polling.loop.advance(0.001)
    assert len(polling.times) - before == pytest.approx(1 / MIN_PAUSE_SECONDS, abs=1)


def test_hint_during_a_poll_causes_another_one(polling: Polling) -> None:
    polling.work = 0.1
    polling.loop.advance(0.55)
    polling.do(polling.timer.wake)
    assert polling.times == [0.5]
    assert polling.within(0.2) == [0.15]  # after a pause as long as the work


def test_long_work_is_followed_by_the_interval_at_most(polling: Polling) -> None:
    polling.work = 3.0
    polling.loop.advance(0.5)
    polling.do(polling.timer.wake)
    assert polling.within(3.6) == [3.5]


def test_polling_is_slow_while_relaxed_and_normal_again_afterwards(polling: Polling) -> None:
    polling.do(lambda: polling.timer.relax(True))
    first = polling.within(FAST_POLLS * SECONDS)
    assert len(first) == FAST_POLLS  # the one that is due now, and those that follow it at the normal interval
    assert polling.within(2 * SLOW_SECONDS) == pytest.approx(
        [SLOW_SECONDS - SECONDS, 2 * SLOW_SECONDS - SECONDS], abs=0.6
    )
    polling.do(lambda: polling.timer.relax(False))
    assert polling.times[-1] == round(polling.loop.time(), 6)
    polling.within(FAST_POLLS * SECONDS)
    assert len(polling.within(2.0)) == 4


def test_hint_makes_the_next_polls_fast(polling: Polling) -> None:
    polling.do(lambda: polling.timer.relax(True))
    polling.loop.advance(4 * SLOW_SECONDS)
    polling.do(polling.timer.wake)
    times = polling.within(2 * SLOW_SECONDS)
    assert len([at for at in times if at <= FAST_POLLS * SECONDS]) == FAST_POLLS - 1
    assert times[FAST_POLLS - 1] == (FAST_POLLS - 1) * SECONDS + SLOW_SECONDS


def test_retry_does_not_wait_for_a_slow_poll(polling: Polling) -> None:
    polling.do(lambda: polling.timer.relax(True))
    polling.loop.advance(4 * SLOW_SECONDS)
    polling.loop.advance(polling.times[-1] + 1.0 - polling.loop.time() + SLOW_SECONDS)
    polling.do(polling.timer.hurry)
    assert polling.times[-1] == round(polling.loop.time(), 6)  # the normal interval has passed already
