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
"""Why this module cannot be used; empty if it can. The import raises no error, because commands that do not serve also
import this module."""

running_loop: Final[Callable[[], asyncio.AbstractEventLoop | None]] = getattr(
    asyncio, "_get_running_loop", asyncio.get_running_loop
)
"""Return the loop that runs in this thread; None if none runs."""


def selector_of(loop: Any) -> BaseSelector | None:
    """Return the selector of ``loop``; None if it has none, so that it cannot be hooked."""
    selector = getattr(loop, "_selector", None)
    return selector if isinstance(selector, BaseSelector) else None


class LoopWithoutSockets(asyncio.BaseEventLoop):
    """A base for event loops in memory. It calls ``selector.select`` where other loops wait for sockets."""

    def __init__(self, selector: Any) -> None:
        super().__init__()
        self._selector = selector
        # The clock of a subclass may stand still. With a resolution, asyncio would run timers that are not due yet.
        self._clock_resolution = 0.0

    def _write_to_self(self) -> None:
        self.wake_up()

    def wake_up(self) -> None:
        """Wake the loop because it has new work. Called from any thread; subclasses override it."""

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there are no sockets and so no events."""
