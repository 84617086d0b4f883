"""A loop that stays awake where what it waits for comes at once."""

import asyncio
import socket
from typing import Any

import pytest

from wamp_transport.transports.busy_poll import SURE, BusyPoll, poll_busily

SECONDS = 100.0


class Selector:
    """Something is there from ``due`` on; a look takes a second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due = 0.0
        self.sleeps = self.looks = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None:
            self.looks += timeout == 0
            self.now += 1.0 if timeout == 0 else min(timeout, max(self.due - self.now, 0.0))
        else:
            self.sleeps += 1
            self.now = max(self.now, self.due)
        return ["ready"] if self.now >= self.due else []


@pytest.fixture
def selector() -> Selector:
    return Selector()


@pytest.fixture
def busy(selector: Selector) -> BusyPoll:
    return BusyPoll(selector.select, SECONDS, lambda: selector.now)


def waited(busy: BusyPoll, selector: Selector, *delays: float, work: float = 0.0) -> int:
    """Wait for what comes after these, with so much to do between them; how often that was asleep."""
    before = selector.sleeps
    for delay in delays:
        selector.now += work
        selector.due = selector.now + delay
        while not busy.select():
            pass
    return selector.sleeps - before


def test_loop_stays_awake_after_quick_waits(busy: BusyPoll, selector: Selector) -> None:
    assert waited(busy, selector, *[10.0] * SURE) == SURE
    assert waited(busy, selector, *[10.0] * 50) == 0


def test_loop_sleeps_after_turns_with_much_to_do(busy: BusyPoll, selector: Selector) -> None:
    waited(busy, selector, *[10.0] * 50)
    assert waited(busy, selector, *[10.0] * 50, work=SECONDS) == 50
    assert waited(busy, selector, *[10.0] * 50, work=SECONDS / 4) == 0


def test_loop_sleeps_where_waits_are_long(busy: BusyPoll, selector: Selector) -> None:
    assert waited(busy, selector, *[SECONDS + 10] * 50) == 50
    assert selector.looks == 0


def test_every_second_wait_being_quick_is_not_enough(busy: BusyPoll, selector: Selector) -> None:
    assert waited(busy, selector, *[10.0, SECONDS + 10] * 50) == 100


def test_long_wait_is_slept_through_after_a_moment(busy: BusyPoll, selector: Selector) -> None:
    waited(busy, selector, *[10.0] * 50)
    looks = selector.looks
    assert waited(busy, selector, 10_000.0) == 1
    assert selector.looks - looks <= SECONDS + 1
    assert waited(busy, selector, *[10.0] * SURE) == 0
    assert waited(busy, selector, *[10_000.0] * 10) == 10


def test_turn_that_may_not_wait_does_not(busy: BusyPoll, selector: Selector) -> None:
    waited(busy, selector, *[10.0] * 50)
    selector.due = selector.now + 1000
    begin = selector.now
    assert busy.select(0) == []
    assert busy.select(SECONDS / 2) == []
    assert selector.now <= begin + 1 + SECONDS / 2


def test_timer_that_is_due_ends_the_wait(busy: BusyPoll, selector: Selector) -> None:
    for _ in range(2 * SURE):
        selector.due = selector.now + 10_000
        assert busy.select(500.0) == []
        waited(busy, selector, 10.0)


def test_loop_does_as_before() -> None:
    loop = asyncio.SelectorEventLoop()
    assert poll_busily(loop, 0.001)
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        other.setblocking(False)

        async def play() -> int:
            async def answer() -> None:
                while await loop.sock_recv(other, 1) == b"x":
                    await loop.sock_sendall(other, b"y")

            answering = asyncio.ensure_future(answer())
            answers = 0
            for _ in range(100):
                await loop.sock_sendall(one, b"x")
                answers += await loop.sock_recv(one, 1) == b"y"
            await loop.sock_sendall(one, b"z")
            await answering
            await asyncio.sleep(0.01)
            return answers

        assert loop.run_until_complete(play()) == 100
    loop.close()


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_other_loops_and_no_time_are_left_alone(seconds: float) -> None:
    assert not poll_busily(object(), seconds)
    loop = asyncio.SelectorEventLoop()
    assert poll_busily(loop, seconds) == bool(seconds)
    loop.close()
