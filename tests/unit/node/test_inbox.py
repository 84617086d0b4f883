import pytest

from wamp_transport.node import inbox
from wamp_transport.node.inbox import DecodedMessage, Inbox, LocalMessageEncoder, SessionEnd
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.messages import Event, EventDetails, Goodbye, ReasonDetails
from wamp_transport.wamp.payload import PYTHON


@pytest.fixture
def got():
    return []


@pytest.fixture
def box(loop, got):
    return Inbox(loop, got.append, got.append, lambda: None)


def turn(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


def event(*args):
    return Event(1, 2, EventDetails(), list(args))


def test_lane_makes_a_delivery_with_values_of_its_own():
    message = event([1])
    one, two = (LocalMessageEncoder().encode(message, PYTHON) for _ in range(2))
    assert isinstance(one, DecodedMessage)
    assert one.args == two.args == [[1]]
    assert one.args[0] is not two.args[0]
    assert one.kwargs is None
    assert LocalMessageEncoder().encode(Goodbye(ReasonDetails(), "x"), PYTHON).args is None


def test_payload_that_is_no_value_is_an_error():
    with pytest.raises(PayloadError):
        LocalMessageEncoder().encode(Event(1, 2, EventDetails(), b'["\\u0000?"]'), "json")


def test_there_are_no_bytes():
    serializer = LocalMessageEncoder().serializer
    assert serializer.name == PYTHON
    with pytest.raises(ProtocolViolation):
        serializer.decode(b"")
    with pytest.raises(PayloadError):
        serializer.encode(event(), PYTHON)
    assert serializer.values([1]) == [1]
    assert serializer.is_deeper([[1]], 1)


def test_what_is_written_is_handed_over_later_and_in_order(loop, box, got):
    for number in (1, 2):
        box.write(DecodedMessage(event(number)))
    box.close("com.reason", "so")
    box.close("com.other", "again")
    box.write(DecodedMessage(event(3)))
    assert not got
    assert len(box) == 3
    turn(loop)
    assert [type(each) for each in got] == [DecodedMessage, DecodedMessage, SessionEnd]
    assert got[2] == SessionEnd("com.reason", "so")


def test_much_is_handed_over_in_slices(loop, box, got, monkeypatch):
    monkeypatch.setattr(inbox, "MESSAGES_PER_TURN", 2)
    for number in range(3):
        box.write(DecodedMessage(event(number)))
    turn(loop)
    assert len(got) == 2
    turn(loop)
    assert len(got) == 3


@pytest.mark.expects_errors("A session inside the process failed to handle")
def test_message_that_cannot_be_handled_keeps_no_other_back(loop, got, caplog):
    def handle(delivery):
        if not got:
            got.append("failed")
            raise ZeroDivisionError
        got.append("handled")

    box = Inbox(loop, handle, got.append, lambda: None)
    box.write(DecodedMessage(event(1)))
    box.write(DecodedMessage(event(2)))
    turn(loop)
    assert got == ["failed", "handled"]
    assert "failed to handle DecodedMessage" in caplog.text


def test_paused_until_it_is_resumed(loop, box):
    assert not box.is_send_paused
    box.pause()
    assert box.is_send_paused
    waiting = loop.create_task(box.wait_until_writable())
    turn(loop)
    assert not waiting.done()
    box.resume()
    loop.run_until_complete(waiting)
    assert not box.is_send_paused
