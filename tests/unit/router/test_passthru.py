import pytest

from wamp_transport.router.passthru import check_announced, mirrored, uses_passthru
from wamp_transport.wamp.errors import ProtocolViolation
from wamp_transport.wamp.messages import CallOptions, InvocationDetails

EVERYTHING = {
    "enc_algo": "mqtt",
    "enc_key": "key",
    "enc_serializer": "json",
    "ppt_scheme": "x_a",
    "ppt_serializer": "cbor",
    "ppt_cipher": "xsalsa20poly1305",
    "ppt_keyid": "id",
}


def test_scheme_is_what_makes_it_passthru():
    assert uses_passthru(CallOptions(ppt_scheme="x_a"))
    assert not uses_passthru(CallOptions(enc_algo="mqtt"))
    assert not uses_passthru(CallOptions())


def test_peer_that_did_not_announce_it_may_not_use_it(new_session):
    session = new_session(caller=["payload_passthru_mode"])
    check_announced(session, "caller", CallOptions(ppt_scheme="x_a"), "CALL")
    check_announced(session, "callee", CallOptions(), "YIELD")
    with pytest.raises(ProtocolViolation, match=r"^YIELD uses ppt_scheme .* for callee$"):
        check_announced(session, "callee", CallOptions(ppt_scheme="x_a"), "YIELD")


def test_all_that_options_say_of_the_payload_is_told():
    details = InvocationDetails(procedure="com.x")
    assert mirrored(CallOptions(timeout=5, **EVERYTHING), details) is details
    assert details == InvocationDetails(procedure="com.x", **EVERYTHING)


def test_what_options_do_not_say_is_not_told():
    assert mirrored(CallOptions(), InvocationDetails(enc_key="kept")) == InvocationDetails(enc_key="kept")
