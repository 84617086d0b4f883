"""Observers of a node, which are notified of its sessions, refused requests, slow peers and recorded events."""

import logging
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from ..router.effects import Record
from ..router.records import RemoteCaller, Session
from ..wamp.messages import Error
from .connection import Connection

logger = logging.getLogger(__name__)


class NodeObserver(Protocol):
    """An observer of a node, added with ``node.observers.add(observer)``.

    The node calls the methods on its event loop while it handles messages, so they must not block. A subclass
    implements only the methods that it needs. The node does not call the others.
    """

    def session_joined(self, session: Session) -> None:
        """Called when a session has joined its realm."""
        return  # observers that do not need an event inherit these empty methods

    def session_left(self, session: Session, reason: str) -> None:
        """Called when a session has left its realm. ``reason`` is a URI."""
        return

    def session_killed(self, session: Session, killer: Session | RemoteCaller, reason: str) -> None:
        """Called when ``killer`` ends another session with the meta API. ``reason`` is a URI."""
        return

    def goodbye_received(self, connection: Connection, reason: str) -> None:
        """Called when a client has sent GOODBYE. The connection still has the id of the ended session."""
        return

    def request_refused(self, session_id: int, error: Error) -> None:
        """Called when the router itself has refused a request. ERRORs from callees are not reported.

        The client does not receive ``error`` if the request is a PUBLISH without ``acknowledge``.
        """
        return

    def slow_consumer_detected(self, session: Session, queued_bytes: int | None) -> None:
        """Called when a peer reads too slowly.

        If the peer is disconnected for this reason, ``queued_bytes`` is the number of bytes that are queued for it. If
        the peer stays connected, and misses events and calls until it has caught up, ``queued_bytes`` is None.
        """
        return

    def event_recorded(self, record: Record) -> None:
        """Called when an event that belongs to a durable history was published.

        The observer stores the event, and reports to :meth:`.Router.on_recorded` whether it could be stored.
        """
        return


METHODS: Final = tuple(name for name in vars(NodeObserver) if not name.startswith("_"))


class NodeObservers:
    """The observers of a node, in the order in which they were added.

    An exception of an observer is logged. It affects neither the other observers nor the routing of the message.
    """

    def __init__(self) -> None:
        self._observers: list[NodeObserver] = []
        self._methods: dict[str, tuple[Callable[..., None], ...]] = dict.fromkeys(METHODS, ())

    def __iter__(self) -> Iterator[NodeObserver]:
        return iter(self._observers)

    def __len__(self) -> int:
        return len(self._observers)

    def add(self, observer: NodeObserver) -> None:
        """Add an observer. It is called after the observers that were added before it."""
        self._observers.append(observer)
        self._collect()

    def remove(self, observer: NodeObserver) -> None:
        """Remove an observer. Raises ValueError if it was not added."""
        self._observers.remove(observer)
        self._collect()

    def session_joined(self, session: Session) -> None:
        """Notify the observers that a session has joined."""
        self._notify("session_joined", session)

    def session_left(self, session: Session, reason: str) -> None:
        """Notify the observers that a session has left."""
        self._notify("session_left", session, reason)

    def session_killed(self, session: Session, killer: Session | RemoteCaller, reason: str) -> None:
        """Notify the observers that the session ``killer`` ends another session."""
        self._notify("session_killed", session, killer, reason)

    def goodbye_received(self, connection: Connection, reason: str) -> None:
        """Notify the observers that a client has sent GOODBYE."""
        self._notify("goodbye_received", connection, reason)

    def request_refused(self, session_id: int, error: Error) -> None:
        """Notify the observers that the router has refused a request."""
        self._notify("request_refused", session_id, error)

    def slow_consumer_detected(self, session: Session, queued_bytes: int | None) -> None:
        """Notify the observers that a peer reads too slowly."""
        self._notify("slow_consumer_detected", session, queued_bytes)

    def event_recorded(self, record: Record) -> bool:
        """Notify the observers that an event for a durable history was published.

        Return False if no observer implements the method, so that the event is not stored.
        """
        self._notify("event_recorded", record)
        return bool(self._methods["event_recorded"])

    def _notify(self, method: str, *arguments: Any) -> None:
        for call in self._methods[method]:
            try:
                call(*arguments)
            except Exception:
                logger.exception("An observer of the node failed in %s", method)

    def _collect(self) -> None:
        """Collect the methods that the observers implement, so that all other notifications cost only one lookup."""
        self._methods = {
            name: tuple(
                getattr(one, name)
                for one in self._observers
                if getattr(type(one), name, None) is not getattr(NodeObserver, name)
            )
            for name in METHODS
        }
