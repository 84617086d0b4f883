"""A callback at the end of each turn of the loop, and a loop that polls before it sleeps."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from wamp_transport.compat.asyncio import HAS_EPOLL
from wamp_transport.transports.event_loop import (
    MAX_SOCKETS_PER_TURN,
    STAY_AWAKE_AFTER,
    BusyPoll,
    call_at_end_of_turns,
    enable_busy_poll,
    shorten_turns,
)

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
    assert waited(busy, selector, *[10.0] * STAY_AWAKE_AFTER) == STAY_AWAKE_AFTER
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
    assert waited(busy, selector, *[10.0] * STAY_AWAKE_AFTER) == 0
    assert waited(busy, selector, *[10_000.0] * 10) == 10


def test_turn_that_may_not_wait_does_not(busy: BusyPoll, selector: Selector) -> None:
    waited(busy, selector, *[10.0] * 50)
    selector.due = selector.now + 1000
    begin = selector.now
    assert busy.select(0) == []
    assert busy.select(SECONDS / 2) == []
    assert selector.now <= begin + 1 + SECONDS / 2


def test_timer_that_is_due_ends_the_wait(busy: BusyPoll, selector: Selector) -> None:
    for _ in range(2 * STAY_AWAKE_AFTER):
        selector.due = selector.now + 10_000
        assert busy.select(500.0) == []
        waited(busy, selector, 10.0)


def test_loop_does_as_before() -> None:
    loop = asyncio.SelectorEventLoop()
    assert enable_busy_poll(loop, 0.001)
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
    assert not enable_busy_poll(object(), seconds)
    loop = asyncio.SelectorEventLoop()
    assert enable_busy_poll(loop, seconds) == bool(seconds)
    loop.close()


# --- end of turns ----------------------------------------------------------------------------------------------------


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.SelectorEventLoop()
    yield made
    made.close()


def test_callback_is_called_after_what_the_turn_had_to_do_and_before_the_next(loop: asyncio.AbstractEventLoop) -> None:
    order: list[str] = []

    def end() -> bool:
        order.append("end")
        return False

    def first() -> None:
        order.append("first")
        loop.call_soon(second)

    def second() -> None:
        order.append("second")
        loop.stop()

    assert call_at_end_of_turns(loop, end)
    loop.call_soon(first)
    loop.call_soon(order.append, "beside")
    loop.run_forever()
    # A loop looks for what has come before its first turn, too.
    assert order == ["end", "first", "beside", "end", "second"]


def test_what_the_callback_gives_the_loop_to_do_is_not_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    asked = 0

    def end() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            loop.call_soon(loop.stop)
            return True
        return False

    assert call_at_end_of_turns(loop, end)
    # Nothing else wakes this loop within a minute.
    late = loop.call_later(60, loop.stop)
    begin = loop.time()
    loop.call_soon(lambda: None)
    loop.run_forever()
    assert loop.time() - begin < 30
    late.cancel()


def test_loop_of_another_kind_is_left_alone() -> None:
    assert not call_at_end_of_turns(object(), lambda: False)


@pytest.mark.skipif(not HAS_EPOLL, reason="only epoll can be limited")
def test_turns_handle_a_limited_number_of_sockets_in_a_fair_order() -> None:
    """Sockets that stay readable do not keep the others waiting."""
    loop = asyncio.new_event_loop()
    assert shorten_turns(loop)
    pairs = [socket.socketpair() for _ in range(3 * MAX_SOCKETS_PER_TURN)]
    turns: list[list[int]] = []
    try:
        for number, (reader, writer) in enumerate(pairs):
            writer.send(b"x")
            loop.add_reader(reader, lambda number=number: turns[-1].append(number))
        for _ in range(3):
            turns.append([])
            loop.call_soon(loop.stop)
            loop.run_forever()
    finally:
        loop.close()
        for pair in pairs:
            for each in pair:
                each.close()
    assert [len(turn) for turn in turns] == [MAX_SOCKETS_PER_TURN] * 3
    assert {number for turn in turns for number in turn} == {*range(len(pairs))}


def test_loop_without_epoll_is_left_as_it_is() -> None:
    assert not shorten_turns(object())
