from wamp_transport.wamp.messages import CallOptions, InvocationDetails
from wamp_transport.wamp.payload import ABSENT, copy_passthru_attributes, positional, uses_passthru

ALL_ATTRIBUTES = {
    "enc_algo": "mqtt",
    "enc_key": "key",
    "enc_serializer": "json",
    "ppt_scheme": "x_a",
    "ppt_serializer": "cbor",
    "ppt_cipher": "xsalsa20poly1305",
    "ppt_keyid": "id",
}


def test_positional_values_are_a_list():
    assert positional() == []
    assert positional("a", None, [1]) == ["a", None, [1]]


def test_absent_is_no_payload_at_all():
    assert bytes(ABSENT) == b""


def test_only_ppt_scheme_makes_it_passthru():
    assert uses_passthru(CallOptions(ppt_scheme="x_a"))
    assert not uses_passthru(CallOptions(enc_algo="mqtt"))
    assert not uses_passthru(CallOptions())


def test_copying_sets_every_attribute_of_the_options():
    details = InvocationDetails(procedure="com.x")
    assert copy_passthru_attributes(CallOptions(timeout=5, **ALL_ATTRIBUTES), details) is details
    assert details == InvocationDetails(procedure="com.x", **ALL_ATTRIBUTES)


def test_copying_leaves_attributes_that_options_lack():
    assert copy_passthru_attributes(CallOptions(), InvocationDetails(enc_key="kept")) == InvocationDetails(
        enc_key="kept"
    )
