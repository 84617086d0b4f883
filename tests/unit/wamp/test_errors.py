import pytest

from wamp_transport.wamp import errors


def test_errors_are_uris_below_wamp():
    constants = {name: value for name, value in vars(errors).items() if name.isupper()}
    assert len(set(constants.values())) == len(constants) >= 20
    for name, uri in constants.items():
        assert uri.startswith("wamp.close." if name.startswith("CLOSE_") else "wamp.error.")


@pytest.mark.parametrize("kind", [errors.ProtocolViolation, errors.TransportError])
def test_exceptions_are_sorted_under_one_root(kind):
    assert issubclass(kind, errors.WampError)
    assert str(kind("a sentence")) == "a sentence"


def test_refusal_carries_uri_and_message():
    refusal = errors.RequestRefused(errors.INVALID_URI, "a sentence")
    assert (refusal.uri, str(refusal)) == (errors.INVALID_URI, "a sentence")


def test_payload_error_carries_uri_and_message():
    assert errors.PayloadError("a sentence").uri == errors.INVALID_PAYLOAD
    assert errors.PayloadError("big", errors.PAYLOAD_SIZE_EXCEEDED).uri == errors.PAYLOAD_SIZE_EXCEEDED
