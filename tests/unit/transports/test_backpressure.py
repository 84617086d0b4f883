"""Which peers are too slow, and what is said of them when."""

from asyncio import TimerHandle
from collections.abc import Callable
from typing import cast

import pytest

from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.transports.backpressure import Bounds, Policy, SlowConsumerMonitor


class Timer:
    """A timer that a test lets run."""

    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        self.seconds = seconds
        self.function: Callable[[], None] | None = function

    def cancel(self) -> None:
        self.function = None

    def run(self) -> None:
        assert self.function is not None
        self.function()


class Scales:
    """A pressure with 100 bytes for ever, 1000 at all, and notes of what it says."""

    def __init__(self, policy: Policy) -> None:
        self.timers: list[Timer] = []
        self.congestions: list[bool] = []
        self.overflows: list[int] = []
        bounds = Bounds(100, 7.0, 1000, policy)
        self.pressure = SlowConsumerMonitor(bounds, self.call_later, self.congestions.append, self.overflows.append)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> TimerHandle:
        self.timers.append(Timer(delay, callback))
        return cast(TimerHandle, self.timers[-1])

    @property
    def running(self) -> list[float]:
        return [timer.seconds for timer in self.timers if timer.function is not None]


def test_bounds_are_those_of_the_service() -> None:
    options = WebSocketOptions(
        outgoing_limit=5, outgoing_grace_period=2000, max_outgoing_size=70_000, outgoing_policy="drop"
    )
    assert Bounds.of(options) == Bounds(5, 2.0, 70_000, "drop")
    assert Bounds.of(WebSocketOptions()) == Bounds()
    assert Bounds.of(WebSocketOptions(max_outgoing_size=70_000)).limit == 70_000


@pytest.mark.parametrize("policy", ["close", "drop"])
def test_burst_that_passes_in_time_is_nothing(policy: Policy) -> None:
    scales = Scales(policy)
    for waiting in (100, 101, 1000, 500):
        scales.pressure.update_size(waiting)
    assert scales.running == [7.0]
    scales.pressure.update_size(100)
    assert scales.running == []
    assert (scales.congestions, scales.overflows) == ([], [])


def test_grace_begins_anew_with_each_burst() -> None:
    scales = Scales("close")
    for waiting in (200, 50, 200):
        scales.pressure.update_size(waiting)
    assert [timer.function is None for timer in scales.timers] == [True, False]


def test_peer_over_the_limit_for_too_long_is_closed() -> None:
    scales = Scales("close")
    scales.pressure.update_size(101)
    scales.pressure.update_size(150)
    scales.timers[0].run()
    assert scales.overflows == [150]
    assert scales.congestions == []


def test_peer_over_the_most_is_closed_at_once() -> None:
    scales = Scales("close")
    scales.pressure.update_size(101)
    scales.pressure.update_size(1001)
    assert scales.overflows == [1001]
    assert scales.running == []


@pytest.mark.parametrize("waiting", [150, 1001])
def test_peer_is_left_out_until_it_has_caught_up(waiting: int) -> None:
    scales = Scales("drop")
    scales.pressure.update_size(waiting)
    for timer in scales.timers:
        timer.run()
    scales.pressure.update_size(waiting + 50)
    assert scales.congestions == [True]
    assert scales.pressure.is_congested
    assert scales.running == []
    scales.pressure.update_size(100)
    assert scales.congestions == [True, False]
    assert scales.overflows == []


def test_peer_left_out_for_which_still_more_waits_is_closed() -> None:
    scales = Scales("drop")
    scales.pressure.update_size(2000)
    scales.pressure.update_size(2001)
    assert scales.overflows == [2001]
    assert scales.congestions == [True, False]


def test_peer_that_is_gone_leaves_no_timer() -> None:
    scales = Scales("close")
    scales.pressure.update_size(500)
    scales.pressure.reset()
    assert scales.running == []
