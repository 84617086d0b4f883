from contextlib import nullcontext

import msgspec
import pytest

from wamp_transport.router.limits import SessionLimits
from wamp_transport.router.message_checks import (
    check_announced,
    check_call_options,
    check_progress_supported,
    check_sizes,
    passes_progress,
)
from wamp_transport.router.options import Limits
from wamp_transport.serializers.registry import is_deeper
from wamp_transport.wamp.errors import ProtocolViolation, RequestRefused
from wamp_transport.wamp.messages import Call, CallOptions
from wamp_transport.wamp.payload import ABSENT, TOO_DEEP, InvalidPayload


def refused(session, uri="com.x", args=ABSENT, kwargs=ABSENT, **limits):
    session.limits = SessionLimits(("the test", Limits(**limits)))
    try:
        check_sizes(session, uri, Call(1, CallOptions(), uri, args, kwargs), is_deeper)
    except RequestRefused as refusal:
        return refusal.uri
    return None


RAW = msgspec.Raw


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"uri": "abc", "uri_length": 3}, None),
        ({"uri": "abcd", "uri_length": 3}, "wamp.error.invalid_uri"),
        ({"args": RAW(b"[1]"), "kwargs": RAW(b"{}"), "payload_size": 5}, None),
        ({"args": RAW(b"[1]"), "kwargs": RAW(b"{}"), "payload_size": 4}, "wamp.error.payload_size_exceeded"),
        ({"args": RAW(b"[[[1]]]"), "depth": 3}, None),
        ({"args": RAW(b"[[[1]]]"), "depth": 2}, "wamp.error.invalid_payload"),
        ({"kwargs": RAW(b'{"a":[[1]]}'), "depth": 2}, "wamp.error.invalid_payload"),
        ({"args": TOO_DEEP}, "wamp.error.invalid_payload"),
        ({"args": InvalidPayload("any")}, "wamp.error.invalid_payload"),
        ({"args": TOO_DEEP, "payload_size": 5}, "wamp.error.invalid_payload"),
    ],
)
def test_message_beyond_a_limit_is_refused(new_session, given, error):
    assert refused(new_session(), **given) == error


def test_passthru_that_was_not_announced_is_a_violation(new_session):
    session = new_session(caller=["payload_passthru_mode"])
    check_announced(session, "caller", CallOptions(ppt_scheme="x_a"), "CALL")
    check_announced(session, "callee", CallOptions(), "YIELD")
    with pytest.raises(ProtocolViolation, match=r"^YIELD uses ppt_scheme .* for callee$"):
        check_announced(session, "callee", CallOptions(ppt_scheme="x_a"), "YIELD")


CALLS, RESULTS = "progressive_call_invocations", "progressive_call_results"


def test_strict_progressive_call_needs_the_callers_announcement(new_session):
    check_call_options(new_session(caller=[CALLS]), CallOptions(progress=True), is_strict=True)
    check_call_options(new_session(), CallOptions(progress=True), is_strict=False)
    with pytest.raises(ProtocolViolation, match=CALLS):
        check_call_options(new_session(caller=[RESULTS]), CallOptions(progress=True), is_strict=True)


@pytest.mark.parametrize(
    ("features", "is_strict", "is_supported"),
    [
        ([], False, True),
        ([CALLS], False, True),
        (["call_canceling"], False, False),
        (["call_cancelling", CALLS], False, True),
        ([], True, False),
        ([CALLS], True, False),
        (["call_canceling"], True, False),
        (["call_cancelling", CALLS], True, True),
    ],
)
def test_callee_that_cannot_take_parts_is_refused(new_session, features, is_strict, is_supported):
    with nullcontext() if is_supported else pytest.raises(RequestRefused, match=CALLS):
        check_progress_supported(new_session(callee=features), is_strict=is_strict)


@pytest.mark.parametrize(
    ("caller", "callee", "passes_if_strict"),
    [
        ([], [RESULTS, "call_canceling"], False),
        ([RESULTS], [RESULTS], False),
        ([RESULTS], ["call_canceling"], False),
        ([RESULTS], [RESULTS, "call_cancelling"], True),
    ],
)
def test_progressive_results_need_announcements_if_strict(new_session, caller, callee, passes_if_strict):
    peers = new_session(caller=caller), new_session(callee=callee)
    assert passes_progress(*peers, is_strict=False)
    assert passes_progress(*peers, is_strict=True) is passes_if_strict
