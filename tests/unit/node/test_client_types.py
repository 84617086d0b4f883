import asyncio

import pytest

from wamp_transport.node.client_types import Invocation, Result


@pytest.mark.parametrize(("result", "value"), [(Result(), None), (Result([7, 8]), 7), (Result([], {"k": 1}), None)])
def test_value_is_the_first_argument(result, value):
    assert result.value == value


@pytest.mark.parametrize(("details", "expected"), [({"receive_progress": True}, [(True, [1])]), ({}, [])])
def test_progress_is_sent_only_if_the_caller_asked_for_it(details, expected):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(Invocation(7, "com.x", [], {}, details, send).progress([1]))
    assert [(message.options.progress, message.args) for message in sent] == expected
