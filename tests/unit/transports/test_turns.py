"""The end of an event loop's turn."""

import asyncio
from collections.abc import Iterator

import pytest

from wamp_transport.transports.turns import at_end_of_turns


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.SelectorEventLoop()
    yield made
    made.close()


def test_callback_is_called_after_what_the_turn_had_to_do_and_before_the_next(loop: asyncio.AbstractEventLoop) -> None:
    order: list[str] = []

    def end() -> bool:
        order.append("end")
        return False

    def first() -> None:
        order.append("first")
        loop.call_soon(second)

    def second() -> None:
        order.append("second")
        loop.stop()

    assert at_end_of_turns(loop, end)
    loop.call_soon(first)
    loop.call_soon(order.append, "beside")
    loop.run_forever()
    # A loop looks for what has come before its first turn, too.
    assert order == ["end", "first", "beside", "end", "second"]


def test_what_the_callback_gives_the_loop_to_do_is_not_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    asked = 0

    def end() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            loop.call_soon(loop.stop)
            return True
        return False

    assert at_end_of_turns(loop, end)
    # Nothing else wakes this loop within a minute.
    late = loop.call_later(60, loop.stop)
    begin = loop.time()
    loop.call_soon(lambda: None)
    loop.run_forever()
    assert loop.time() - begin < 30
    late.cancel()


def test_loop_of_another_kind_is_left_alone() -> None:
    assert not at_end_of_turns(object(), lambda: False)
