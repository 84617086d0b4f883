"""Handlers as the loop can run them."""

import asyncio
import threading

import pytest

from wamp_transport.api.threads import awaitable


def test_coroutine_functions_stay_what_they_are():
    async def handler(message): ...

    class Handler:
        async def __call__(self, message): ...

    instance = Handler()
    assert awaitable(handler) is handler
    assert awaitable(instance) is instance


def test_functions_run_in_a_thread():
    def handler(message):
        if message == "fail":
            raise LookupError
        return threading.current_thread().name, message

    run = awaitable(handler)
    name, message = asyncio.run(run("x"))
    assert (name.startswith("wamp-api"), message) == (True, "x")
    with pytest.raises(LookupError):
        asyncio.run(run("fail"))


def test_handler_with_connections_of_its_own_leaves_the_pool_alone():
    def handler(message):
        return threading.current_thread().name

    assert asyncio.run(awaitable(handler)("x")).startswith("wamp-api")
    assert not asyncio.run(awaitable(handler, clean=False)("x")).startswith("wamp-api")


def test_messages_come_one_after_the_other_where_order_counts():
    meeting = threading.Barrier(2)
    order = []

    def together(message):
        meeting.wait(10)

    def alone(message):
        order.append(("begin", message))
        order.append(("end", message))

    async def both():
        run = awaitable(together)
        await asyncio.gather(run(1), run(2))
        run = awaitable(alone, in_order=True)
        await asyncio.gather(*(run(number) for number in range(5)))

    asyncio.run(both())
    assert order == [(what, number) for number in range(5) for what in ("begin", "end")]
