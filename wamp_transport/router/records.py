"""What the core remembers: sessions, subscriptions, registrations and calls, as plain records.

Records hold ids and each other, never connections.
"""

from typing import Any, Literal, NamedTuple

from msgspec import Struct

from ..wamp.messages import Call, ClientRole, InvocationDetails, Publish, RegisterOptions
from .deadlines import Deadline
from .limits import NO_LIMITS, SessionLimits
from .options import Match, ServiceOptions
from .waiting import Login, Waiting

State = Literal["closed", "authenticating", "challenging", "established", "deciding", "closing", "gone"]

JOINING = frozenset({"closed", "authenticating", "challenging"})
"""The states of a session that is not established yet."""

PRESENT = frozenset({"established", "deciding"})
"""The states of a session that is a member of its realm."""


class Session:
    """One session of one transport, from the first byte to the end. ``state`` is changed in ``session.py`` alone."""

    __slots__ = (
        "authextra", "authid", "authmethod", "authprovider", "authrole", "calls", "deadline", "ended_streams", "id",
        "invocations", "last_invocation", "leave_reason", "limits", "login", "payload_format", "realm", "registrations",
        "roles", "service", "state", "subscriptions", "testaments", "ticket", "transport", "trustlevel", "waiting",
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
        self.limits: SessionLimits = NO_LIMITS
        self.deadline: Deadline | None = None
        self.ticket = 0
        self.login: Login | None = None
        self.waiting: Waiting | None = None
        self.ended_streams: set[int] = set()
        self.trustlevel: int | None = None
        self.transport: dict[str, Any] = {}
        self.testaments: dict[str, list[Publish]] = {"detached": [], "destroyed": []}

    def has(self, role: str, *features: str) -> bool:
        """Whether the peer announced one of the features for a role; the names are spellings of the same one."""
        announced = self.roles.get(role)
        if announced is None or announced.features is None:
            return False
        return any(announced.features.get(feature) is True for feature in features)


class Subscription:
    """A topic or pattern and who is subscribed to it, in the order of subscribing.

    ``node_keys`` holds the node key of each subscriber that gave one. ``is_kept``: it stays without subscribers, for
    its history.
    """

    __slots__ = ("_receivers", "created", "id", "is_kept", "match", "node_keys", "subscribers", "topic")

    def __init__(self, subscription_id: int, topic: str, match: Match, created: str) -> None:
        self.id = subscription_id
        self.topic = topic
        self.match = match
        self.created = created
        self.is_kept = False
        self.subscribers: dict[int, Session] = {}
        self.node_keys: dict[int, str] = {}
        self._receivers: tuple[int, ...] | None = None

    def add(self, session: Session, node_key: str | None) -> None:
        """Subscribe ``session``."""
        self.subscribers[session.id] = session
        if node_key is not None:
            self.node_keys[session.id] = node_key
        self._receivers = None

    def remove(self, session: Session) -> None:
        """Unsubscribe ``session``."""
        self.subscribers.pop(session.id, None)
        self.node_keys.pop(session.id, None)
        self._receivers = None

    @property
    def is_held(self) -> bool:
        """Whether it has a subscriber that is not leaving, or stays without."""
        return self.is_kept or any(session.state in PRESENT for session in self.subscribers.values())

    @property
    def receivers(self) -> tuple[int, ...]:
        """The ids of all subscribers, made once until the next change."""
        if self._receivers is None:
            self._receivers = tuple(self.subscribers)
        return self._receivers


class RealmStats(NamedTuple):
    """What there is in a realm. ``calls`` are in flight; ``retained`` are topics with a retained event."""

    sessions: int
    subscriptions: int
    registrations: int
    calls: int
    retained: int


class Publication(Struct, gc=False):
    """A PUBLISH on its way, or kept: with who published it and when.

    ``is_plain``: its options are known to ask for nothing but an answer.
    """

    id: int
    message: Publish
    payload_format: str
    session_id: int
    authid: str
    authrole: str
    is_disclosed: bool
    trustlevel: int | None = None
    time: Any = None
    is_plain: bool = False


class Callee:
    """A session in a registration: how many calls it takes, and how it wants them.

    ``concurrency`` is the most calls in flight, 0 for no limit. ``number`` grows in the order of registering.
    """

    __slots__ = ("concurrency", "disclose_caller", "forward_timeout", "in_flight", "node_key", "number", "session")

    def __init__(self, session: Session, number: int, options: RegisterOptions) -> None:
        self.session = session
        self.number = number
        self.concurrency = options.concurrency or 0
        self.disclose_caller = options.disclose_caller is True
        self.forward_timeout = options.forward_timeout is True
        self.node_key = options.nkey
        self.in_flight = 0

    @property
    def is_there(self) -> bool:
        """Whether its session is not leaving."""
        return self.session.state in PRESENT

    @property
    def is_able(self) -> bool:
        """Whether it can take one more call."""
        return self.session.state in PRESENT and not 0 < self.concurrency <= self.in_flight


class Registration:
    """A procedure or pattern and the callees that carry it out, in the order of registering."""

    __slots__ = ("callees", "created", "id", "invoke", "last_number", "match", "procedure")

    def __init__(self, registration_id: int, procedure: str, match: Match, invoke: str, created: str) -> None:
        self.id = registration_id
        self.procedure = procedure
        self.match = match
        self.invoke = invoke
        self.created = created
        self.callees: dict[int, Callee] = {}
        self.last_number = 0

    @property
    def is_staffed(self) -> bool:
        """Whether it has a callee that is not leaving."""
        return any(callee.is_there for callee in self.callees.values())


class CallRecord(Struct, eq=False):
    """A call in flight: the caller's request and the callee's invocation.

    ``call`` is the CALL as it came, for another callee should this one be unavailable; ``tried`` holds the sessions
    that were. ``is_streaming``: more parts of the call may follow; ``details`` are what its callee was told with the
    first. ``is_disclosed``: the caller's identity is told by its role's rules. ``is_killed``: the callee was told to
    stop.
    """

    caller: Session
    request_id: int
    call: Call
    registration: Registration
    callee: Callee
    invocation_id: int
    wants_progress: bool = False
    is_streaming: bool = False
    is_killed: bool = False
    is_disclosed: bool = False
    details: InvocationDetails | None = None
    timeout: float = 0.0
    deadline: Deadline | None = None
    tried: tuple[int, ...] = ()
