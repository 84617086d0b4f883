"""Undocumented members of asyncio's event loop: its selector, and a base for event loops without sockets."""

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
"""The reason why this module cannot be used; empty if it can be used.

Importing the module raises no error, because commands that run no server import it too.
"""

running_loop: Final[Callable[[], asyncio.AbstractEventLoop | None]] = getattr(
    asyncio, "_get_running_loop", asyncio.get_running_loop
)
"""Return the running loop of this thread; None if no loop is running."""


def selector_of(loop: Any) -> BaseSelector | None:
    """Return the selector of ``loop``; None if it has none, such as a loop of uvloop."""
    selector = getattr(loop, "_selector", None)
    return selector if isinstance(selector, BaseSelector) else None


class LoopWithoutSockets(asyncio.BaseEventLoop):
    """A base class for event loops without sockets, for tests.

    It calls ``selector.select`` at the point where other loops wait for sockets.
    """

    def __init__(self, selector: Any) -> None:
        super().__init__()
        self._selector = selector
        # Asyncio can run timers early, by up to the clock resolution. No timer must run early here, because tests can
        # set the clock of a subclass to an exact time.
        self._clock_resolution = 0.0

    def _write_to_self(self) -> None:
        self.wake_up()

    def wake_up(self) -> None:
        """Wake the loop, because it has new work. Any thread may call this. Subclasses override it."""

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing, because a loop without sockets has no I/O events."""
