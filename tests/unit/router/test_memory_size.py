import sys

import msgspec
import pytest

from wamp_transport.router.memory_size import detach, size_of, size_of_values
from wamp_transport.wamp.messages import Forwarder, Publish, PublishOptions
from wamp_transport.wamp.payload import ABSENT


def publish(args=ABSENT, kwargs=ABSENT, topic="com.x", **options):
    return Publish(1, PublishOptions(**options), topic, args, kwargs)


PLAIN = size_of(publish())


@pytest.mark.parametrize(
    "message",
    [
        publish(msgspec.Raw(b"x" * 9000)),
        publish(kwargs=msgspec.Raw(b"x" * 9000)),
        publish(["x" * 9000]),
        publish(kwargs={"x" * 9000: 1}),
        publish([[{"a": ["x" * 9000]}]]),
        publish([list(range(300))]),
        publish(topic="x" * 9000),
        publish(eligible=list(range(300))),
        publish(exclude_authid=["x" * 9000]),
        publish(ppt_keyid="x" * 9000),
        publish([(frozenset({"x" * 9000}),)]),
        publish([msgspec.Raw(b"x" * 9000)]),
        publish(forward_for=[Forwarder(session=1, authid="x" * 9000, authrole="")]),
    ],
)
def test_every_part_of_a_message_counts(message):
    assert size_of(message) >= PLAIN + 8000


def test_plain_message_takes_little():
    assert PLAIN < 1000


def test_decoded_values_count_with_the_memory_that_they_take():
    assert size_of_values([[] for _ in range(1000)]) > 1000 * sys.getsizeof([])


def test_detached_payload_keeps_no_larger_buffer_alive():
    data = b'[16, 1, {"ignored": "' + b"x" * 10_000 + b'"}, "com.x", [1], {"a": 2}]'
    users = sys.getrefcount(data)
    message = msgspec.json.decode(data, type=Publish)
    assert sys.getrefcount(data) > users
    detached = detach(message)
    assert detached == message
    del message
    assert sys.getrefcount(data) == users


def test_absent_payload_and_values_stay_as_they_are():
    values = [1]
    assert detach(publish()).args is ABSENT
    assert detach(publish(values)).args is values
