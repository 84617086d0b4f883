from functools import partial

import pytest

from wamp_transport.router.effects import Send
from wamp_transport.router.meta.context import LargeResult
from wamp_transport.router.meta.procedures import PROCEDURES, _answer, bind_procedures
from wamp_transport.wamp.errors import RequestRefused
from wamp_transport.wamp.messages import Call, CallOptions, Error, ErrorDetails, Result, ResultDetails


@pytest.fixture
def call(context, caller, outbox):
    """Calls a procedure with raw payload, as the dealer does."""
    procedures = bind_procedures(context, outbox)
    return lambda uri, *payload: procedures[uri](caller, Call(7, CallOptions(), uri, *payload))


def test_all_procedures_are_built_in_and_the_routers_own(context, outbox):
    assert bind_procedures(context, outbox).keys() == PROCEDURES.keys()
    assert all(uri.startswith("wamp.") for uri in PROCEDURES)


def test_answer_is_one_value(call, caller, outbox):
    call("wamp.session.count")
    assert outbox == [Send((caller.id,), Result(7, ResultDetails(), [1]), "python")]


def test_answer_without_a_value_is_null(call, caller, outbox, join):
    call("wamp.session.kill", b"[%d]" % join().id)
    assert outbox[0].message.args == [None]


def test_payload_is_read_in_the_format_of_the_caller(call, caller, outbox, join, left):
    other = join()
    caller.payload_format = "msgpack"
    call("wamp.session.kill", b"\x91" + bytes([other.id]), b"\x81\xa7message\xa3out")
    assert left == [(other.id, "wamp.close.killed", "out", caller)]


def test_payload_of_another_shape_is_refused(call, outbox):
    with pytest.raises(RequestRefused) as caught:
        call("wamp.session.count", b'"text"')
    assert caught.value.uri == "wamp.error.invalid_argument"
    assert outbox == []


def test_payload_that_cannot_be_read_is_refused(call, outbox):
    with pytest.raises(RequestRefused) as caught:
        call("wamp.session.count", b'["\\u0000no base64!"]')
    assert caught.value.uri == "wamp.error.invalid_payload"
    assert outbox == []


def test_large_result_is_made_when_it_is_sent(call, caller, join, outbox):
    call("wamp.session.list")
    (produce,) = outbox
    assert produce.session_id == caller.id
    other = join()
    assert list(produce.messages) == [Send((caller.id,), Result(7, ResultDetails(), [[caller.id, other.id]]), "python")]


def test_large_result_that_cannot_be_made_is_an_error(context, caller, outbox):
    def compute():
        raise RequestRefused("com.error", "too large")

    bound = partial(_answer, context, outbox, lambda *_: LargeResult(compute))
    bound(caller, Call(7, CallOptions(), "com.x"))
    (send,) = outbox.pop().messages
    assert send == Send((caller.id,), Error(48, 7, ErrorDetails(), "com.error", ["too large"]), "python")
