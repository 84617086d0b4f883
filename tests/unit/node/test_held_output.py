"""Output that waits for the other nodes of the cluster."""

import asyncio

import pytest

from tests.unit.node.conftest import OPEN, Recorder
from wamp_transport.node.held_output import HOLD_SECONDS, HeldOutput
from wamp_transport.node.paced_output import PacedOutput
from wamp_transport.router.effects import Produce, Send
from wamp_transport.wamp.messages import Subscribed


@pytest.fixture
def missed() -> list[int]:
    """The announcements that did not become known in time."""
    return []


@pytest.fixture
def output(loop, missed) -> HeldOutput:
    """The held output of a node."""
    return HeldOutput(loop, missed.append)


def pass_time(loop, seconds) -> None:
    loop.now += seconds
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))


def test_output_waits_in_order(output, connect):
    connection = connect()
    transport = connection.transport
    connection.transport.write(b"0")
    output.hold(connection, 1)
    connection.transport.write(b"1")
    output.hold(connection, 3)
    connection.transport.write(b"2")
    output.hold(connection, 2)
    connection.transport.write(b"3")
    assert transport.written == [b"0"]
    assert connection.transport.queued_bytes == 3
    output.release(1)
    assert transport.written == [b"0", b"1"]
    output.release(2)
    assert transport.written == [b"0", b"1"]
    output.release(3)
    assert transport.written == [b"0", b"1", b"2", b"3"]
    assert connection.transport is transport
    assert (output.holds, output.missed) == (3, 0)


def test_reading_from_the_client_goes_on(output, connect):
    connection = connect()
    transport = connection.transport
    output.hold(connection, 1)
    assert transport.pauses == []
    connection.set_paused(True)
    connection.set_paused(False)
    assert transport.pauses == [True, False]


def test_hold_ends_after_a_second(output, connect, loop, missed):
    connection = connect()
    transport = connection.transport
    output.hold(connection, 1)
    connection.transport.write(b"1")
    pass_time(loop, HOLD_SECONDS / 2)
    output.hold(connection, 2)
    connection.transport.write(b"2")
    pass_time(loop, HOLD_SECONDS / 2)
    assert (transport.written, missed, output.missed) == ([b"1"], [1], 1)
    pass_time(loop, HOLD_SECONDS / 2)
    assert (transport.written, missed, output.missed) == ([b"1", b"2"], [1, 2], 2)
    assert connection.transport is transport


def test_too_many_bytes_end_the_hold(output, connect):
    connection = connect()
    transport = connection.transport
    transport.outgoing_limit = 3
    output.hold(connection, 1)
    for _ in range(3):
        connection.transport.write(b"x")
    assert transport.written == []
    connection.transport.write(b"x")
    assert transport.written == [b"x"] * 4
    assert connection.transport is transport
    assert output.missed == 1
    output.release(1)


def test_closing_writes_what_is_held_back(output, connect):
    connection = connect()
    transport = connection.transport
    output.hold(connection, 1)
    connection.transport.write(b"x")
    connection.transport.close("wamp.close.normal", "")
    assert (transport.written, transport.closed) == ([b"x"], [("wamp.close.normal", "")])


def test_end_of_the_cluster_writes_what_is_held_back(output, connect):
    connections = [connect(), connect()]
    transports = [each.transport for each in connections]
    for connection in connections:
        output.hold(connection, 5)
        connection.transport.write(b"x")
    output.close()
    assert [each.written for each in transports] == [[b"x"], [b"x"]]


@pytest.mark.parametrize("order", ["hold first", "large answer first"])
def test_large_answers_are_held_back_too(output, connect, loop, node, order):
    """A large answer is produced in slices. It keeps its place, whether it began before or during the hold."""
    connection = connect()
    transport = connection.transport
    numbers = iter(range(1, 1000))

    def encode(connection, send):
        return b"%d" % next(numbers)

    paced = PacedOutput(loop, {connection.session_id: connection}, encode, lambda: None)
    sends = [Send((connection.session_id,), Subscribed(1, 1), "json")] * 600
    produce = Produce(connection.session_id, iter(sends))
    if order == "hold first":
        output.hold(connection, 1)
        paced.start(produce)
        assert transport.written == []
    else:
        paced.start(produce)
        output.hold(connection, 1)
        assert len(transport.written) == 250
    for _ in range(20):
        loop.run_until_complete(asyncio.sleep(0))
    connection.transport.write(b"last")
    output.release(1)
    for _ in range(20):
        loop.run_until_complete(asyncio.sleep(0))
    assert transport.written == [b"%d" % number for number in range(1, 601)] + [b"last"]
    assert connection.transport is transport


def test_session_in_the_process_has_no_limit_in_bytes(output, node, encoder):
    connection = node.connect(OPEN, encoder, Recorder())
    connection.transport.outgoing_limit = 0
    output.hold(connection, 1)
    connection.transport.write(object())
    assert connection.transport.queued_bytes == 0
    output.release(1)
    assert connection.transport.queued_bytes == 0


def test_end_of_a_session_while_output_is_written_keeps_the_order(output, connect):
    """The connection's own transport finds that the peer is slow, and the session ends with GOODBYE."""
    connection = connect()
    transport = connection.transport
    write = transport.write

    def write_and_end(data):
        write(data)
        if data == b"1":
            connection.transport.write(b"goodbye")

    transport.write = write_and_end
    transport.outgoing_limit = 2
    output.hold(connection, 1)
    for data in (b"1", b"2", b"3"):
        connection.transport.write(data)
    assert transport.written == [b"1", b"2", b"3", b"goodbye"]
    assert connection.transport is transport
    assert output.missed == 1
