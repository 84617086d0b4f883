"""Whatever a message says, every serializer says it and reads it back; whatever bytes say, nothing breaks."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.testing import wire_codecs
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.messages import CODES

from ..effort import examples
from .strategies import messages, values

pytestmark = pytest.mark.long

BOUNDED = settings(max_examples=examples(24), deadline=None)
NAMES = list(SERIALIZERS)


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("target", NAMES)
@BOUNDED
@given(elements=messages)
def test_message_survives_every_way(source, target, elements):
    message = SERIALIZERS[source].decode(wire_codecs.dump(source, elements))
    data = SERIALIZERS[target].encode(message, source)
    found = wire_codecs.load(target, data)
    assert found[0] == elements[0] == CODES[type(message)]
    again = SERIALIZERS[target].decode(data)
    assert SERIALIZERS[target].encode(again, target) == data
    if message.__struct_fields__[-1] == "kwargs":
        fixed = len(message.__struct_fields__) - 1
        assert found[fixed:] == elements[fixed:]


@pytest.mark.parametrize("name", NAMES)
@BOUNDED
@given(data=st.binary(max_size=80))
def test_random_bytes_are_a_message_or_a_violation(name, data):
    with contextlib.suppress(ProtocolViolation):
        assert type(SERIALIZERS[name].decode(data)) in CODES


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(50), deadline=None)
@given(
    elements=messages,
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 30),
)
def test_damaged_messages_are_a_message_or_a_violation_and_can_be_passed_on(name, elements, changes, cut):
    data = bytearray(wire_codecs.dump(name, elements))
    for position, octet in changes:
        data[position % len(data)] = octet
    damaged = bytes(data[: len(data) - cut] if cut < 5 else data)
    if name == "json":
        # The transport has seen that text is UTF-8.
        damaged = damaged.decode("utf-8", "replace").encode()
    try:
        message = SERIALIZERS[name].decode(damaged)
    except ProtocolViolation:
        return
    for target in NAMES:
        with contextlib.suppress(PayloadError):
            SERIALIZERS[target].decode(SERIALIZERS[target].encode(message, name))


@pytest.mark.parametrize("name", NAMES)
@BOUNDED
@given(elements=st.lists(values | st.integers(0, 80), max_size=6))
def test_lists_of_anything_are_a_message_or_a_violation(name, elements):
    with contextlib.suppress(ProtocolViolation):
        SERIALIZERS[name].decode(wire_codecs.dump(name, elements))
