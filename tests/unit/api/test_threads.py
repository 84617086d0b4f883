"""Handlers as the loop can run them."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

from wamp_transport.api import threads
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


@pytest.mark.parametrize("clean", [True, False])
def test_connections_are_cleaned_unless_they_are_not_ours(clean, monkeypatch):
    uses = []

    @contextmanager
    def clean_connections():
        uses.append("clean")
        yield

    monkeypatch.setattr(threads, "clean_connections", clean_connections)
    assert asyncio.run(awaitable(str.upper, clean=clean)("x")) == "X"
    assert uses == (["clean"] if clean else [])


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
