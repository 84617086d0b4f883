"""When what waits for peers is sent: in one turn for few, in slices for many."""

from collections.abc import Callable, Iterator
from selectors import DefaultSelector
from typing import Any

import pytest

from wamp_transport.transports.flush_scheduler import (
    MAX_PEERS_PER_TURN,
    PEERS_PER_CLOCK_CHECK,
    SLICE_SECONDS,
    FlushScheduler,
)


class Loop:
    """An event loop whose time only peers and the test spend; ``turn`` makes what was due, and not what that made."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None], /) -> None:
        self.due.append(callback)

    def time(self) -> float:
        return self.now

    def turn(self) -> None:
        due, self.due = self.due, []
        for callback in due:
            callback()


class Peer:
    """One that takes its time, and keeps a list of who was served."""

    def __init__(self, loop: Loop, served: list["Peer"], cost: float = 0.0) -> None:
        self.loop = loop
        self.served = served
        self.cost = cost

    def flush(self) -> bool:
        self.loop.now += self.cost
        self.served.append(self)
        return False


COST = SLICE_SECONDS / (4 * PEERS_PER_CLOCK_CHECK)
IN_A_SLICE = 4 * PEERS_PER_CLOCK_CHECK


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def flushing(loop: Loop) -> FlushScheduler:
    return FlushScheduler(loop)


def crowd(loop: Loop, served: list[Peer], count: int) -> list[Peer]:
    return [Peer(loop, served, COST) for _ in range(count)]


def test_few_peers_are_served_in_one_turn_in_order(loop: Loop, flushing: FlushScheduler) -> None:
    served: list[Peer] = []
    peers = crowd(loop, served, MAX_PEERS_PER_TURN)
    for peer in peers:
        flushing.flush_soon(peer)
    assert len(loop.due) == 1
    assert served == []
    loop.turn()
    assert served == peers
    assert loop.due == []


def test_many_peers_are_served_in_slices_in_order(loop: Loop, flushing: FlushScheduler) -> None:
    served: list[Peer] = []
    peers = crowd(loop, served, MAX_PEERS_PER_TURN + 1)
    for peer in peers:
        flushing.flush_soon(peer)
    loop.turn()
    assert 0 < len(served) <= IN_A_SLICE + PEERS_PER_CLOCK_CHECK
    turns = 1
    while loop.due:
        assert len(loop.due) == 1
        loop.turn()
        turns += 1
    assert served == peers
    assert turns >= 3


def test_few_that_come_later_are_served_before_what_is_left(loop: Loop, flushing: FlushScheduler) -> None:
    served: list[Peer] = []
    for peer in crowd(loop, served, 10 * MAX_PEERS_PER_TURN):
        flushing.flush_soon(peer)
    loop.turn()
    count = len(served)
    late = Peer(loop, served)
    flushing.flush_soon(late)
    assert len(loop.due) == 1
    loop.turn()
    assert served[count] is late
    assert count < len(served) < 10 * MAX_PEERS_PER_TURN


def test_many_that_come_later_wait_behind_what_is_left(loop: Loop, flushing: FlushScheduler) -> None:
    served: list[Peer] = []
    first, second = crowd(loop, served, 2 * MAX_PEERS_PER_TURN), crowd(loop, served, 2 * MAX_PEERS_PER_TURN)
    for peer in first:
        flushing.flush_soon(peer)
    loop.turn()
    for peer in second:
        flushing.flush_soon(peer)
    while loop.due:
        loop.turn()
    assert served == first + second


def test_a_long_turn_is_followed_by_an_equally_long_slice(loop: Loop, flushing: FlushScheduler) -> None:
    served: list[Peer] = []
    for peer in crowd(loop, served, 10 * MAX_PEERS_PER_TURN):
        flushing.flush_soon(peer)
    loop.turn()
    count = len(served)
    loop.now += 5 * SLICE_SECONDS
    loop.turn()
    assert 5 * IN_A_SLICE - PEERS_PER_CLOCK_CHECK <= len(served) - count <= 5 * IN_A_SLICE + PEERS_PER_CLOCK_CHECK


def test_a_peer_written_to_while_it_is_flushed_gets_another_turn(loop: Loop, flushing: FlushScheduler) -> None:
    served: list[Peer] = []

    class Talkative(Peer):
        def flush(self) -> bool:
            super().flush()
            if len(served) == 1:
                flushing.flush_soon(self)
            return False

    peer = Talkative(loop, served)
    flushing.flush_soon(peer)
    loop.turn()
    assert served == [peer]
    loop.turn()
    assert served == [peer, peer]
    assert loop.due == []


def test_at_the_end_everybody_is_served_at_once(loop: Loop, flushing: FlushScheduler) -> None:
    served: list[Peer] = []
    peers = crowd(loop, served, 2 * MAX_PEERS_PER_TURN)
    for peer in peers:
        flushing.flush_soon(peer)
    loop.turn()
    late = Peer(loop, served)
    flushing.flush_soon(late)
    flushing.flush_all()
    assert served == [*peers, late]
    loop.turn()
    assert served == [*peers, late]


class TurningLoop(Loop):
    """One that can say when its turns end: it has a selector, as asyncio's has."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = DefaultSelector()
        self.waits: list[float | None] = []
        self._selector.select = self._select  # type: ignore[method-assign]

    def _select(self, timeout: float | None = None) -> list[Any]:
        self.waits.append(timeout)
        return []

    def turn(self) -> None:
        self._selector.select(60)


@pytest.fixture
def turning() -> Iterator[TurningLoop]:
    loop = TurningLoop()
    yield loop
    loop._selector.close()


def test_peers_are_served_at_the_end_of_the_turn_without_another(turning: TurningLoop) -> None:
    flushing = FlushScheduler(turning)
    served: list[Peer] = []
    peers = crowd(turning, served, 3)
    for peer in peers:
        flushing.flush_soon(peer)
    assert turning.due == []
    turning.turn()
    assert served == peers
    turning.turn()
    assert served == peers
    assert turning.waits == [60, 60]


def test_loop_does_not_wait_after_more_than_handing_bytes_to_the_system(turning: TurningLoop) -> None:
    flushing = FlushScheduler(turning)

    class Slow(Peer):
        def flush(self) -> bool:
            super().flush()
            return True

    served: list[Peer] = []
    flushing.flush_soon(Slow(turning, served))
    flushing.flush_soon(Peer(turning, served))
    turning.turn()
    assert len(served) == 2
    turning.turn()
    assert turning.waits == [0, 60]


def test_loop_does_not_wait_while_a_slice_is_left(turning: TurningLoop) -> None:
    flushing = FlushScheduler(turning)
    served: list[Peer] = []
    peers = crowd(turning, served, 2 * MAX_PEERS_PER_TURN)
    for peer in peers:
        flushing.flush_soon(peer)
    while served != peers:
        turning.turn()
        assert len(turning.waits) < 2 * MAX_PEERS_PER_TURN
    turning.turn()
    assert len(turning.waits) > 3
    assert set(turning.waits[:-1]) == {0}
    assert turning.waits[-1] == 60


def test_loop_does_not_wait_where_a_peer_was_written_to_while_it_was_flushed(turning: TurningLoop) -> None:
    flushing = FlushScheduler(turning)
    served: list[Peer] = []

    class Talkative(Peer):
        def flush(self) -> bool:
            super().flush()
            if len(served) == 1:
                flushing.flush_soon(self)
            return False

    flushing.flush_soon(Talkative(turning, served))
    turning.turn()
    turning.turn()
    turning.turn()
    assert len(served) == 2
    assert turning.waits == [0, 60, 60]


@pytest.mark.expects_errors("Cannot send the bytes queued for a peer")
@pytest.mark.parametrize("number", [3, 2 * MAX_PEERS_PER_TURN])
def test_bug_with_one_peer_is_logged_and_keeps_nobody_else_waiting(
    turning: TurningLoop, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    flushing = FlushScheduler(turning)

    class Broken(Peer):
        def flush(self) -> bool:
            raise LookupError("a bug")

    served: list[Peer] = []
    flushing.flush_soon(Broken(turning, served))
    peers = crowd(turning, served, number)
    for peer in peers:
        flushing.flush_soon(peer)
    while served != peers:
        turning.turn()
        assert len(turning.waits) < 2 * MAX_PEERS_PER_TURN
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [LookupError]
