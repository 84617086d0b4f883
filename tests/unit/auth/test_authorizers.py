import pytest

from wamp_transport.auth.authorizers import InvalidAnswer, arguments, permit
from wamp_transport.router.decisions import Permit
from wamp_transport.router.effects import AuthorizationRequest
from wamp_transport.wamp.messages import PublishOptions, SubscribeOptions


@pytest.mark.parametrize(("answer", "expected"), [
    (True, Permit(True)),
    (False, Permit(False)),
    ({"allow": True}, Permit(True)),
    ({"allow": True, "cache": True, "disclose": True}, Permit(True, True, True)),
    ({"allow": False, "cache": True, "validate": None}, Permit(False, False, True)),
])  # fmt: skip
def test_answers_are_decisions(answer, expected):
    assert permit(answer) == expected


@pytest.mark.parametrize(("answer", "words"), [
    (None, "NoneType"),
    (1, "got int"),
    ("true", "got str"),
    ([True], "got list"),
    ({}, "'allow' is missing"),
    ({"cache": True}, "'allow' is missing"),
    ({"allow": 1}, "'allow' must be true or false, not int"),
    ({"allow": None}, "'allow' must be"),
    ({"allow": True, "disclose": "yes"}, "'disclose' must be"),
    ({"allow": True, "cache": None}, "'cache' must be"),
    ({"allow": True, "validate": {"call": "x"}}, "'validate'"),
    ({"allow": True, "role": "x"}, "'role' is no key"),
    ({"allow": True, 1: 2}, "1 is no key"),
])  # fmt: skip
def test_what_is_no_answer_is_told_without_its_values(answer, words):
    with pytest.raises(InvalidAnswer, match=words):
        permit(answer)


def test_arguments_are_values_of_their_own():
    transport = {"type": "websocket"}
    details = {"session": 2, "transport": transport}
    options = PublishOptions(exclude=[3], acknowledge=True)
    request = AuthorizationRequest(1, 2, "realm1", details, "com.a", "publish", "com.x", "exact", options)
    asked = arguments(request)
    assert asked == [
        {"session": 2, "transport": transport}, "com.x", "publish", {"exclude": [3], "acknowledge": True}
    ]  # fmt: skip
    asked[0]["transport"]["type"] = "changed"
    assert transport == {"type": "websocket"}


def test_pattern_is_told_in_the_options():
    request = AuthorizationRequest(
        1, 2, "realm1", {}, "com.a", "subscribe", "com.", "prefix", SubscribeOptions(match="prefix")
    )
    assert arguments(request)[3] == {"match": "prefix"}
