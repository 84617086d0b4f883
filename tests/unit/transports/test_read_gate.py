"""A peer is read while there is no reason against it."""

import itertools

import pytest

from wamp_transport.transports.read_gate import PauseReason, ReadGate


class Transport:
    """A transport that counts what it is asked for."""

    def __init__(self) -> None:
        self.is_reading = True
        self.resumes = 0

    def pauseProducing(self) -> None:
        self.is_reading = False

    def resumeProducing(self) -> None:
        self.is_reading = True
        self.resumes += 1


@pytest.mark.parametrize("order", list(itertools.permutations(PauseReason)))
def test_transport_is_read_when_the_last_reason_is_gone_in_any_order(order: tuple[PauseReason, ...]) -> None:
    transport = Transport()
    gate = ReadGate(transport)
    for reason in PauseReason:
        gate.pause(reason)
        assert not transport.is_reading
    for reason in order[:-1]:
        gate.resume(reason)
        assert not transport.is_reading
    gate.resume(order[-1])
    assert transport.is_reading
    assert transport.resumes == 1


def test_reason_that_is_given_twice_is_withdrawn_once() -> None:
    transport = Transport()
    gate = ReadGate(transport)
    gate.pause(PauseReason.ROUTER)
    gate.pause(PauseReason.ROUTER)
    gate.resume(PauseReason.ROUTER)
    assert transport.is_reading


def test_withdrawn_reason_leaves_the_transport_until_it_is_read_on() -> None:
    transport = Transport()
    gate = ReadGate(transport)
    gate.pause(PauseReason.TURN)
    gate.withdraw(PauseReason.TURN)
    assert not transport.is_reading
    gate.read_on()
    assert transport.is_reading


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ((), False),
        ((PauseReason.OUTPUT,), False),
        ((PauseReason.TURN,), True),
        ((PauseReason.ROUTER, PauseReason.OUTPUT), True),
    ],
)
def test_input_that_was_read_waits_unless_only_output_does(reasons: tuple[PauseReason, ...], expected: bool) -> None:
    gate = ReadGate(Transport())
    for reason in reasons:
        gate.pause(reason)
    assert gate.holds_input is expected
    for reason in reasons:
        gate.withdraw(reason)
    assert not gate.holds_input


def test_gates_share_no_reasons() -> None:
    first, second = ReadGate(Transport()), ReadGate(Transport())
    first.pause(PauseReason.ROUTER)
    assert not second.reasons
