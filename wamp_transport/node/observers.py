"""Observers of a node: who is told when sessions come and go, are refused something or read too slowly."""

import logging
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from ..router.effects import Record
from ..router.records import Session
from ..wamp.messages import Error
from .connection import Connection

logger = logging.getLogger(__name__)


class NodeObserver(Protocol):
    """Watches a node: ``node.observers.add(observer)``.

    Methods are called on the loop of the node, in the middle of its work: they must return soon, and must not wait. An
    observer that derives from this class implements those that it needs; the others cost nothing.
    """

    def session_joined(self, session: Session) -> None:
        """A session has joined its realm."""
        return  # as below: an observer that does not need this inherits it

    def session_left(self, session: Session, reason: str) -> None:
        """A session has left its realm. ``reason`` is a URI."""
        return

    def goodbye_received(self, connection: Connection, reason: str) -> None:
        """A client has said goodbye; its connection still has the id of the session that has ended."""
        return

    def request_refused(self, session_id: int, error: Error) -> None:
        """The router itself has answered a request with an error."""
        return

    def slow_consumer_detected(self, session: Session, queued_bytes: int | None) -> None:
        """A peer reads too slowly.

        ``queued_bytes``: how much waits for one that is closed for it; None for one that misses events and calls until
        it has caught up.
        """
        return

    def event_recorded(self, record: Record) -> None:
        """An event belongs to a durable history."""
        return


METHODS: Final = tuple(name for name in vars(NodeObserver) if not name.startswith("_"))


class NodeObservers:
    """The observers of one node, in the order in which they were added.

    One that raises is logged. The others are still called, and the message that caused the call goes its way.
    """

    def __init__(self) -> None:
        self._observers: list[NodeObserver] = []
        self._methods: dict[str, tuple[Callable[..., None], ...]] = dict.fromkeys(METHODS, ())

    def __iter__(self) -> Iterator[NodeObserver]:
        return iter(self._observers)

    def __len__(self) -> int:
        return len(self._observers)

    def add(self, observer: NodeObserver) -> None:
        """Call ``observer`` from now on, after those that were added before."""
        self._observers.append(observer)
        self._collect()

    def remove(self, observer: NodeObserver) -> None:
        """Call ``observer`` no more. Raises ValueError if it was not added."""
        self._observers.remove(observer)
        self._collect()

    def session_joined(self, session: Session) -> None:
        """See :class:`NodeObserver`."""
        self._notify("session_joined", session)

    def session_left(self, session: Session, reason: str) -> None:
        """See :class:`NodeObserver`."""
        self._notify("session_left", session, reason)

    def goodbye_received(self, connection: Connection, reason: str) -> None:
        """See :class:`NodeObserver`."""
        self._notify("goodbye_received", connection, reason)

    def request_refused(self, session_id: int, error: Error) -> None:
        """See :class:`NodeObserver`."""
        self._notify("request_refused", session_id, error)

    def slow_consumer_detected(self, session: Session, queued_bytes: int | None) -> None:
        """See :class:`NodeObserver`."""
        self._notify("slow_consumer_detected", session, queued_bytes)

    def event_recorded(self, record: Record) -> None:
        """See :class:`NodeObserver`."""
        self._notify("event_recorded", record)

    def _notify(self, method: str, *arguments: Any) -> None:
        for call in self._methods[method]:
            try:
                call(*arguments)
            except Exception:
                logger.exception("An observer of the node failed in %s", method)

    def _collect(self) -> None:
        """Find who implements what, so that a call that nobody needs is a look into a dict."""
        self._methods = {
            name: tuple(
                getattr(one, name)
                for one in self._observers
                if getattr(type(one), name, None) is not getattr(NodeObserver, name)
            )
            for name in METHODS
        }
