import copy
import pickle

import pytest

from wamp_transport.wamp import errors


def test_errors_are_uris_below_wamp():
    constants = {name: value for name, value in vars(errors).items() if name.isupper() and isinstance(value, str)}
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


def test_application_error_says_what_came_with_it():
    fault = errors.ApplicationError("com.error", "no", 1, uri="x")
    assert (fault.uri, fault.args, fault.kwargs) == ("com.error", ("no", 1), {"uri": "x"})
    assert str(fault) == "com.error: no, 1, uri=x"
    assert str(errors.ApplicationError("com.error")) == "com.error"


def test_ended_session_says_why():
    fault = errors.SessionClosed("com.reason", "because")
    assert (fault.reason, str(fault), str(errors.SessionClosed("com.reason", ""))) == (
        "com.reason",
        "because",
        "com.reason",
    )


@pytest.mark.parametrize("again", [copy.copy, lambda fault: pickle.loads(pickle.dumps(fault))])
def test_errors_reach_other_processes_as_they_are(again):
    for fault in (
        errors.ApplicationError("com.error", "no", 1, uri="x", func=2),
        errors.ApplicationError("com.error"),
        errors.NoSuchProcedure(errors.NO_SUCH_PROCEDURE, "nobody"),
        errors.CallTimeout(errors.TIMEOUT, "late", 1, 2),
    ):
        other = again(fault)
        assert type(other) is type(fault)
        assert (other.uri, other.args, other.kwargs) == (fault.uri, fault.args, fault.kwargs)
    ended = again(errors.SessionClosed("com.reason", "because"))
    assert (ended.reason, str(ended)) == ("com.reason", "because")
