"""Undocumented members of asyncio's event loop: its selector and epoll object, and a base for loops without sockets."""

import asyncio
import selectors
from collections.abc import Callable
from selectors import BaseSelector
from typing import Any, Final

from .requirements import Members
from .versions import PYTHON

HAS_EPOLL: Final = hasattr(selectors, "EpollSelector")
"""Whether this is Linux, where asyncio uses epoll."""

MEMBERS: Final = (
    Members("asyncio.selector_events", "BaseSelectorEventLoop", instance="_selector"),
    Members(
        "asyncio.base_events",
        "BaseEventLoop",
        overridden={"_write_to_self": "", "_process_events": "event_list"},
        instance="_selector _clock_resolution",
    ),
    Members("asyncio", "events", called={"_get_running_loop": ""}),
    *([Members("selectors", "EpollSelector", instance="_selector")] if HAS_EPOLL else []),
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


class LimitedEpoll:
    """An epoll object for asyncio's selector that returns at most ``limit`` sockets from one ``poll``.

    The next calls return the remaining sockets, before any socket is returned again.
    """

    def __init__(self, epoll: Any, limit: int) -> None:
        self._poll = epoll.poll
        self._limit = limit
        self.register, self.modify, self.unregister = epoll.register, epoll.modify, epoll.unregister
        self.fileno, self.close = epoll.fileno, epoll.close

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        """Wait as :meth:`select.epoll.poll` does."""
        ready: list[tuple[int, int]] = self._poll(timeout, min(maxevents, self._limit))
        return ready


def limit_ready_sockets(loop: Any, limit: int) -> bool:
    """Make ``loop`` handle at most ``limit`` sockets in one turn, and return True.

    If the loop does not use epoll, do nothing and return False.
    """
    selector = selector_of(loop)
    if not HAS_EPOLL or not isinstance(selector, selectors.EpollSelector):
        return False
    epoll: Any = selector
    epoll._selector = LimitedEpoll(epoll._selector, limit)
    return True


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
