"""What is made of arguments and results, without a router."""

import pytest

from wamp_transport import api
from wamp_transport.api.functions import Unpublished, value_of
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


def unpublished(*args, options=None, **kwargs):
    return Unpublished.of("com.x", args, kwargs or None, options, None, None, None)


def test_event_holds_copies():
    values = [1]
    event = unpublished(values, k=values)
    values.append(2)
    assert (event.args, event.kwargs) == ([[1]], {"k": [1]})


@pytest.mark.parametrize(("given", "taken"), [(None, False), (False, False), (True, True)])
def test_process_hears_itself_unless_it_says_otherwise(given, taken):
    assert unpublished(options=api.PublishOptions(exclude_me=given)).options.exclude_me is taken


def test_value_that_cannot_be_sent_is_refused_before_anything_waits():
    with pytest.raises(PayloadError):
        unpublished(object())


def test_without_a_router_all_functions_say_so():
    for function, args in ((api.publish, ()), (api.call, ()), (api.submit, ()), (api.subscribe, (print,))):
        with pytest.raises(api.NotConfigured):
            function("com.x", *args)
