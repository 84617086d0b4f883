"""What is used of asyncio's event loop beyond its documentation: the selector, and a loop without sockets for tests."""

import asyncio
from collections.abc import Callable
from selectors import BaseSelector
from typing import Any, Final

from .requirements import Members
from .versions import PYTHON

MEMBERS: Final = (
    Members("asyncio.selector_events", "BaseSelectorEventLoop", instance="_selector"),
    Members(
        "asyncio.base_events",
        "BaseEventLoop",
        overridden={"_write_to_self": "", "_process_events": "event_list"},
        instance="_selector _clock_resolution",
    ),
    Members("asyncio", "events", called={"_get_running_loop": ""}),
)

PROBLEM: Final = PYTHON.problem(MEMBERS)
"""Why this module cannot be relied on; empty if it can. The module is imported by commands that serve nothing as well,
so it does not raise."""

running_loop: Final[Callable[[], asyncio.AbstractEventLoop | None]] = getattr(
    asyncio, "_get_running_loop", asyncio.get_running_loop
)
"""Return the loop that runs in this thread; None if none runs."""


def selector_of(loop: Any) -> BaseSelector | None:
    """Return the selector of ``loop``; None for a loop without one, which cannot be hooked into."""
    selector = getattr(loop, "_selector", None)
    return selector if isinstance(selector, BaseSelector) else None


class LoopWithoutSockets(asyncio.BaseEventLoop):
    """A base for event loops in memory. It calls ``selector.select`` where other loops wait for sockets."""

    def __init__(self, selector: Any) -> None:
        super().__init__()
        self._selector = selector
        # The clock can stand still: without this, asyncio would run timers that are almost due.
        self._clock_resolution = 0.0

    def _write_to_self(self) -> None:
        self.wake_up()

    def wake_up(self) -> None:
        """Called from any thread when the loop has got something to do."""

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there are no sockets and so no events."""
