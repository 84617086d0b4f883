"""What the core remembers: sessions, subscriptions, registrations and calls, as plain records.

Records hold ids and each other, never connections.
"""

from typing import Any, Literal

from ..wamp.messages import ClientRole
from .options import Match, ServiceOptions

State = Literal["closed", "established", "closing", "gone"]


class Session:
    """One session of one transport, from the first byte to the end. ``state`` is changed in ``session.py`` alone."""

    __slots__ = (
        "authextra", "authid", "authmethod", "authprovider", "authrole", "calls", "id", "invocations",
        "last_invocation", "leave_reason", "payload_format", "realm", "registrations", "roles", "service", "state",
        "subscriptions",
    )  # fmt: skip

    def __init__(self, session_id: int, service: ServiceOptions, payload_format: str) -> None:
        self.id = session_id
        self.service = service
        self.payload_format = payload_format
        self.state: State = "closed"
        self.realm = ""
        self.authid = ""
        self.authrole = ""
        self.authmethod = ""
        self.authprovider = ""
        self.authextra: dict[str, Any] | None = None
        self.roles: dict[str, ClientRole | None] = {}
        self.subscriptions: dict[int, Subscription] = {}
        self.registrations: dict[int, Registration] = {}
        self.calls: dict[int, CallRecord] = {}
        self.invocations: dict[int, CallRecord] = {}
        self.last_invocation = 0
        self.leave_reason = ""


class Subscription:
    """A topic or pattern and who is subscribed to it, in the order of subscribing."""

    __slots__ = ("_receivers", "id", "match", "subscribers", "topic")

    def __init__(self, subscription_id: int, topic: str, match: Match) -> None:
        self.id = subscription_id
        self.topic = topic
        self.match = match
        self.subscribers: dict[int, Session] = {}
        self._receivers: tuple[int, ...] | None = None

    def add(self, session: Session) -> None:
        """Subscribe ``session``."""
        self.subscribers[session.id] = session
        self._receivers = None

    def remove(self, session: Session) -> None:
        """Unsubscribe ``session``."""
        self.subscribers.pop(session.id, None)
        self._receivers = None

    @property
    def receivers(self) -> tuple[int, ...]:
        """The ids of all subscribers, made once until the next change."""
        if self._receivers is None:
            self._receivers = tuple(self.subscribers)
        return self._receivers


class Registration:
    """A procedure or pattern and the session that carries it out."""

    __slots__ = ("callee", "disclose_caller", "id", "match", "procedure")

    def __init__(
        self, registration_id: int, procedure: str, match: Match, callee: Session, disclose_caller: bool
    ) -> None:
        self.id = registration_id
        self.procedure = procedure
        self.match = match
        self.callee = callee
        self.disclose_caller = disclose_caller


class CallRecord:
    """A call in flight: the caller's request and the callee's invocation."""

    __slots__ = ("callee", "caller", "invocation_id", "request_id")

    def __init__(self, caller: Session, request_id: int, callee: Session, invocation_id: int) -> None:
        self.caller = caller
        self.request_id = request_id
        self.callee = callee
        self.invocation_id = invocation_id
