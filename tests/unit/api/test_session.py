"""Arguments and results of the session object, without a router."""

import asyncio

import pytest

from wamp_transport import api
from wamp_transport.api.backends import override_backend
from wamp_transport.api.bridge import LoopBridge
from wamp_transport.api.session import DEFAULT_TIMEOUT, PendingPublication, Session, value_of
from wamp_transport.node.client_types import Result
from wamp_transport.wamp.errors import PayloadError


@pytest.mark.parametrize(("result", "value"), [
    (Result(), None),
    (Result([7]), 7),
    (Result([[1, 2]]), [1, 2]),
])  # fmt: skip
def test_only_value_of_a_result_is_what_a_call_returns(result, value):
    assert value_of(result) == value


@pytest.mark.parametrize("result", [Result([1, 2]), Result([], {"k": 1}), Result([1], {"k": 1})])
def test_several_values_come_whole(result):
    assert value_of(result) is result


def pending(*args, options=None, **kwargs):
    return PendingPublication.of("com.x", args, kwargs or None, options, Session())


def test_event_holds_copies():
    values = [1]
    event = pending(values, k=values)
    values.append(2)
    assert (event.args, event.kwargs) == ([[1]], {"k": [1]})


@pytest.mark.parametrize(("given", "taken"), [(None, False), (False, False), (True, True)])
def test_process_hears_itself_unless_it_says_otherwise(given, taken):
    assert pending(options=api.PublishOptions(exclude_me=given)).options.exclude_me is taken


def test_value_that_cannot_be_sent_is_refused_before_anything_waits():
    with pytest.raises(PayloadError):
        pending(object())


class Sessions:
    """A backend that returns what it is asked for."""

    is_local = True

    def __init__(self):
        self.bridge = LoopBridge(asyncio.new_event_loop())
        self.bridge.loop.close()

    def session(self, realm, role):
        return realm, role


@pytest.fixture
def backend():
    backend = Sessions()
    with override_backend(backend):
        yield backend


@pytest.mark.parametrize(("own", "given", "expected"), [
    ({}, {}, ((None, None), 9)),
    ({"realm": "r", "role": "a", "timeout": 3}, {}, (("r", "a"), 3)),
    ({"realm": "r", "role": "a", "timeout": 3}, {"realm": "s", "timeout": None}, (("s", "a"), None)),
    ({"timeout": None}, {"role": "b"}, ((None, "b"), None)),
])  # fmt: skip
def test_operation_overrides_the_session_and_the_session_the_settings(backend, settings, own, given, expected):
    settings.WAMP_TRANSPORT = {"API": {"TIMEOUT": 9}}
    target = Session(**own)._target(**given)
    assert (target.session, target.seconds) == expected
    realm, role, timeout = given.get("realm"), given.get("role"), given.get("timeout", DEFAULT_TIMEOUT)
    target = Session(**own)._with(realm, role, timeout)._target()
    assert (target.session, target.seconds) == expected
