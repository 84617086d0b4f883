"""When what waits for peers is sent: in one turn for few, in slices for many."""

from collections.abc import Callable

import pytest

from wamp_transport.transports.flushing import SLICE_SECONDS, STRIDE, WAVE, Flushing


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

    def flush(self) -> None:
        self.loop.now += self.cost
        self.served.append(self)


COST = SLICE_SECONDS / (4 * STRIDE)
IN_A_SLICE = 4 * STRIDE


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def flushing(loop: Loop) -> Flushing:
    return Flushing(loop)


def crowd(loop: Loop, served: list[Peer], count: int) -> list[Peer]:
    return [Peer(loop, served, COST) for _ in range(count)]


def test_few_peers_are_served_in_one_turn_in_order(loop: Loop, flushing: Flushing) -> None:
    served: list[Peer] = []
    peers = crowd(loop, served, WAVE)
    for peer in peers:
        flushing.flush_soon(peer)
    assert len(loop.due) == 1
    assert served == []
    loop.turn()
    assert served == peers
    assert loop.due == []


def test_many_peers_are_served_in_slices_in_order(loop: Loop, flushing: Flushing) -> None:
    served: list[Peer] = []
    peers = crowd(loop, served, WAVE + 1)
    for peer in peers:
        flushing.flush_soon(peer)
    loop.turn()
    assert 0 < len(served) <= IN_A_SLICE + STRIDE
    turns = 1
    while loop.due:
        assert len(loop.due) == 1
        loop.turn()
        turns += 1
    assert served == peers
    assert turns >= 3


def test_few_that_come_later_are_served_before_what_is_left(loop: Loop, flushing: Flushing) -> None:
    served: list[Peer] = []
    for peer in crowd(loop, served, 10 * WAVE):
        flushing.flush_soon(peer)
    loop.turn()
    count = len(served)
    late = Peer(loop, served)
    flushing.flush_soon(late)
    assert len(loop.due) == 1
    loop.turn()
    assert served[count] is late
    assert count < len(served) < 10 * WAVE


def test_many_that_come_later_wait_behind_what_is_left(loop: Loop, flushing: Flushing) -> None:
    served: list[Peer] = []
    first, second = crowd(loop, served, 2 * WAVE), crowd(loop, served, 2 * WAVE)
    for peer in first:
        flushing.flush_soon(peer)
    loop.turn()
    for peer in second:
        flushing.flush_soon(peer)
    while loop.due:
        loop.turn()
    assert served == first + second


def test_a_long_turn_is_followed_by_an_equally_long_slice(loop: Loop, flushing: Flushing) -> None:
    served: list[Peer] = []
    for peer in crowd(loop, served, 10 * WAVE):
        flushing.flush_soon(peer)
    loop.turn()
    count = len(served)
    loop.now += 5 * SLICE_SECONDS
    loop.turn()
    assert 5 * IN_A_SLICE - STRIDE <= len(served) - count <= 5 * IN_A_SLICE + STRIDE


def test_a_peer_written_to_while_it_is_flushed_gets_another_turn(loop: Loop, flushing: Flushing) -> None:
    served: list[Peer] = []

    class Talkative(Peer):
        def flush(self) -> None:
            super().flush()
            if len(served) == 1:
                flushing.flush_soon(self)

    peer = Talkative(loop, served)
    flushing.flush_soon(peer)
    loop.turn()
    assert served == [peer]
    loop.turn()
    assert served == [peer, peer]
    assert loop.due == []


def test_at_the_end_everybody_is_served_at_once(loop: Loop, flushing: Flushing) -> None:
    served: list[Peer] = []
    peers = crowd(loop, served, 2 * WAVE)
    for peer in peers:
        flushing.flush_soon(peer)
    loop.turn()
    late = Peer(loop, served)
    flushing.flush_soon(late)
    flushing.flush_all()
    assert served == [*peers, late]
    loop.turn()
    assert served == [*peers, late]
