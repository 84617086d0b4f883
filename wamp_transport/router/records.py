"""Define the records of the core: sessions, subscriptions, publications, registrations and calls.

Records refer to ids and to each other, never to connections.
"""

from typing import Any, Final, Literal, NamedTuple, Protocol

from msgspec import Struct

from ..wamp.ids import MAX_ID
from ..wamp.messages import Call, ClientRole, Error, Invocation, InvocationDetails, Message, Publish, RegisterOptions
from .deadlines import Deadline
from .limits import NO_LIMITS, SessionLimits
from .options import Match, ServiceOptions
from .pending import PendingLogin, PendingMessages

REQUEST_KEY: Final = hash("request id") & MAX_ID - 1
"""A secret random number. Calls in flight are stored under their request id, XORed with this number.

Clients choose the request ids. If the number were not secret, they could choose ids whose hashes collide, and the time
for each look-up would grow with the number of calls.
"""

State = Literal["closed", "authenticating", "challenging", "established", "suspended", "closing", "gone"]

JOINING_STATES = frozenset({"closed", "authenticating", "challenging"})
"""The states of a session that has not joined a realm yet."""

ACTIVE_STATES = frozenset({"established", "suspended"})
"""The states of a session that has joined a realm and not left it."""


class Peer(Protocol):
    """The interface of a client in subscriptions, registrations and calls.

    A :class:`Session` is a peer on this node. A :class:`.RemotePeer` represents a client of another node. Therefore,
    the classes Broker, Dealer and Calls must use only the attributes of :class:`Peer` and :class:`CallPeer`.
    ``trustlevel`` is None if the peer's role has no trust level.
    """

    id: int
    authid: str
    authrole: str
    trustlevel: int | None
    state: State

    def has(self, role: str, *features: str) -> bool:
        """Return whether the client announced a feature for ``role``.

        ``features`` are the possible names of this feature, one of which must have been announced.
        """


class RemoteSender(Protocol):
    """The interface for sending messages about calls to a caller or callee on another node."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing has been received from the peer's node for some time."""

    def start_call(self, record: "CallRecord", invocation: Invocation, payload_format: str) -> None:
        """Send a new call to the peer. Raises PayloadError if the payload cannot be serialized."""

    def send(self, message: Message, payload_format: str) -> None:
        """Send a message about a call to the peer. Raises PayloadError if the payload cannot be serialized."""

    def send_error(self, message: Error, payload_format: str, *, may_retry: bool = False) -> None:
        """Send the ERROR that ends a call. Raises PayloadError if the payload cannot be serialized.

        If ``may_retry`` is true, the caller's node may try another callee.
        """


class CallPeer(Peer, Protocol):
    """A caller or callee: a peer with records of its calls, invocations and registrations.

    - ``remote``: the interface for sending messages to a peer on another node; None for a session of this node
    - ``payload_format``: the format of the raw payload in the peer's current message
    - ``calls``: the calls that the peer made, by request id XORed with :data:`REQUEST_KEY`
    - ``calls_size``: the total size in bytes of the payloads of the calls that the peer made, except small calls
    - ``invocations``: the calls that the peer received, by invocation id
    - ``last_invocation``: the last invocation id that was assigned
    - ``ended_streams``: the request ids of the peer's progressive calls whose last CALL message has not arrived; if
      the call with such an id has ended, CALL messages with this id are ignored
    """

    @property
    def remote(self) -> RemoteSender | None:
        """The interface for sending messages to a peer on another node; None for a session of this node."""

    realm: str
    payload_format: str
    registrations: "dict[int, Registration]"
    calls: "dict[int, CallRecord]"
    calls_size: int
    invocations: "dict[int, CallRecord]"
    last_invocation: int
    ended_streams: set[int]


class Session:
    """A session of a client, from the opening of its transport until the session ends.

    If the client sends another HELLO after GOODBYE, the same transport has a new session.

    - ``state``: the state of the session, which only ``session.move`` may assign
    - ``login``: the login in progress; None unless an authenticator decides on it
    - ``pending``: the suspended message and the messages after it; None unless a message is suspended
    - ``deadline``: the session's current deadline, such as the time limit for its login
    - ``ticket``: the number that identifies the session's open request, for example to an authorizer; 0 for none
    """

    __slots__ = (
        "authextra", "authid", "authmethod", "authprovider", "authrole", "calls", "calls_size", "deadline",
        "ended_streams", "id", "invocations", "last_invocation", "leave_reason", "limits", "login", "payload_format",
        "pending", "realm", "registrations", "remote", "roles", "service", "state", "subscriptions", "testaments",
        "ticket", "transport", "trustlevel",
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
        self.remote: None = None  # An attribute of the instance, because the hot path reads it.
        self.calls: dict[int, CallRecord] = {}
        self.calls_size = 0
        self.invocations: dict[int, CallRecord] = {}
        self.last_invocation = 0
        self.leave_reason = ""
        self.limits: SessionLimits = NO_LIMITS
        self.deadline: Deadline | None = None
        self.ticket = 0
        self.login: PendingLogin | None = None
        self.pending: PendingMessages | None = None
        self.ended_streams: set[int] = set()
        self.trustlevel: int | None = None
        self.transport: dict[str, Any] = {}
        self.testaments: dict[str, list[Publish]] = {"detached": [], "destroyed": []}

    def has(self, role: str, *features: str) -> bool:
        """Return whether the client announced a feature for ``role``.

        ``features`` are the possible names of this feature, one of which must have been announced.
        """
        announced = self.roles.get(role)
        if announced is None or announced.features is None:
            return False
        return any(announced.features.get(feature) is True for feature in features)


PROOFS = frozenset({"verifier", "scram_server_signature"})
"""The keys that a login with SCRAM adds to the authextra of WELCOME. They are shown only to the client itself."""


def session_details(session: Session) -> dict[str, Any]:
    """Return the details of a session for the meta API and for authorizers."""
    return {
        "session": session.id,
        "authid": session.authid,
        "authrole": session.authrole,
        "authmethod": session.authmethod,
        "authprovider": session.authprovider,
        "authextra": {name: value for name, value in (session.authextra or {}).items() if name not in PROOFS},
        "transport": session.transport,
    }


class RemoteCaller:
    """A session of another node that has called a meta procedure. Its node has checked the limits and permissions."""

    __slots__ = ("authid", "authrole", "id", "limits", "realm", "transport")

    def __init__(self, session_id: int, authid: str, authrole: str, realm: str, transport: dict[str, Any]) -> None:
        self.id = session_id
        self.authid = authid
        self.authrole = authrole
        self.realm = realm
        self.transport = transport
        self.limits = NO_LIMITS


class Subscription:
    """A topic or pattern and its subscribers, in the order in which they subscribed.

    - ``node_keys`` maps session ids to node keys, for those subscribers that have a node key.
    - ``home_only`` contains the session ids of the subscribers that receive only events published on this node.
    - ``is_persistent`` is true if the subscription has an event history. Then it is kept even without subscribers.
    - ``is_announced`` is true if the other nodes of a cluster were asked for the events.
    """

    __slots__ = (
        "_receivers", "created", "home_only", "id", "is_announced", "is_persistent", "match", "node_keys",
        "subscribers", "topic",
    )  # fmt: skip

    def __init__(self, subscription_id: int, topic: str, match: Match, created: str) -> None:
        self.id = subscription_id
        self.topic = topic
        self.match = match
        self.created = created
        self.is_persistent = False
        self.is_announced = False
        self.home_only: set[int] = set()
        self.subscribers: dict[int, Peer] = {}
        self.node_keys: dict[int, str] = {}
        self._receivers: tuple[int, ...] | None = None

    def add(self, peer: Peer, node_key: str | None, *, home_only: bool = False) -> None:
        """Add a subscriber, or change its options. Without ``node_key``, it keeps its earlier node key."""
        if home_only:
            self.home_only.add(peer.id)
        else:
            self.home_only.discard(peer.id)
        self.subscribers[peer.id] = peer
        if node_key is not None:
            self.node_keys[peer.id] = node_key
        self._receivers = None

    def remove(self, peer: Peer) -> None:
        """Remove a subscriber."""
        self.subscribers.pop(peer.id, None)
        self.node_keys.pop(peer.id, None)
        self.home_only.discard(peer.id)
        self._receivers = None

    @property
    def needs_other_nodes(self) -> bool:
        """Whether events published on other nodes must be stored or sent to a subscriber."""
        return self.is_persistent or len(self.subscribers) > len(self.home_only)

    @property
    def is_in_use(self) -> bool:
        """Whether the subscription is persistent or has a subscriber that is not leaving."""
        return self.is_persistent or any(peer.state in ACTIVE_STATES for peer in self.subscribers.values())

    @property
    def receivers(self) -> tuple[int, ...]:
        """The ids of all subscribers. The tuple is cached until the next change."""
        if self._receivers is None:
            self._receivers = tuple(self.subscribers)
        return self._receivers


class RealmStats(NamedTuple):
    """The number of objects of each kind in a realm.

    ``calls`` counts calls in flight, ``retained`` counts topics with a retained event.
    """

    sessions: int
    subscriptions: int
    registrations: int
    calls: int
    retained: int


class ChosenShard(Struct, array_like=True, frozen=True, gc=False):
    """The subscriber with a node key that receives a publication through one subscription; see :mod:`.relay`.

    ``match`` and ``uri`` are those of the subscription. ``session_id`` is 0 if the publication's black and white lists
    accept none of the subscribers with a node key.
    """

    match: Match
    uri: str
    session_id: int


class Publication(Struct, gc=False):
    """A PUBLISH that was accepted, with its publisher's identity and the publication id.

    - ``is_plain``: whether it has no options other than ``acknowledge``
    - ``is_disclosed``: whether its receivers learn who published it
    - ``is_relayed``: whether another node of the cluster has sent it

    The following fields are set if the publication is stored. ``time`` is the time of publication; it can also be set
    on a publication that is not stored. ``receiver_filter`` checks a peer against the black and white lists, and is
    False if there are none. ``retained_number`` is the number of a retained publication; see :class:`.RetainedEvents`.
    ``size`` is the approximate number of bytes that the publication takes in memory.

    ``shards`` contains the subscribers that were chosen among those with node keys. It is empty unless subscribers on
    several nodes have node keys.
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
    receiver_filter: Any = None
    retained_number: int = 0
    size: int = 0
    shards: tuple[ChosenShard, ...] = ()
    is_relayed: bool = False


class Callee:
    """A peer that registered a procedure, and its options.

    - ``concurrency``: the maximum number of calls in flight, 0 for no limit
    - ``number``: the position in the order in which the callees of the realm have registered; in a cluster, the
      position among the callees of the registration
    - ``in_flight``: the number of calls in flight that have a record on this node
    - ``elsewhere``: if the callee is on another node, the number of further calls that it had when it last answered
    """

    __slots__ = (
        "concurrency", "disclose_caller", "elsewhere", "forward_timeout", "in_flight", "node_key", "number", "peer",
    )  # fmt: skip

    def __init__(self, peer: CallPeer, number: int, options: RegisterOptions) -> None:
        self.peer = peer
        self.number = number
        self.concurrency = options.concurrency or 0
        self.disclose_caller = options.disclose_caller is True
        self.forward_timeout = options.forward_timeout is True
        self.node_key = options.nkey
        self.in_flight = 0
        self.elsewhere = 0

    @property
    def is_active(self) -> bool:
        """Whether the peer is not leaving."""
        return self.peer.state in ACTIVE_STATES

    @property
    def can_accept_call(self) -> bool:
        """Whether the peer is not leaving and is below its concurrency limit."""
        return self.peer.state in ACTIVE_STATES and not 0 < self.concurrency <= self.in_flight


class Registration:
    """A procedure or pattern and its callees by session id, in the order of registration.

    ``last_number`` is the number of the callee that got the last call. The policy ``roundrobin`` continues with the
    next callee.
    """

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
    def has_active_callee(self) -> bool:
        """Whether the registration has a callee that is not leaving."""
        return any(callee.is_active for callee in self.callees.values())


class CallRecord(Struct, eq=False):
    """A call in flight: the caller's request and the callee's invocation.

    - ``call``: the first CALL message, unchanged, so that it can be sent to another callee if this one is unavailable
    - ``is_streaming``: whether this is a progressive call whose last CALL message has not arrived
    - ``is_killed``: whether the caller canceled the call with mode ``kill``, and the callee has not answered yet
    - ``is_disclosed``: whether the permissions or the authorizer of the caller's role disclose the caller's identity
    - ``details``: the details of the first INVOCATION, on which those of all further ones are based; None unless this
      is a progressive call or the caller requested progressive results
    - ``tried``: the session ids of callees that were unavailable
    - ``size``: the size of the payload in bytes; 0 if the call is small
    """

    caller: CallPeer
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
    size: int = 0
