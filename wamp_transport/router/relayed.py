"""Define the messages that the nodes of a cluster send to each other about sessions, events and calls.

A cluster is several nodes that clients see as one router. Each session is connected to one node. For a publication or a
call, the node of the publisher or caller is its *home*: it checks the permissions, assigns the id and decides whether
the client's identity is disclosed. It sends the event to each node that has asked for events of the topic. The
*interest* of a node consists of the topics and patterns whose events it wants.

The package ``cluster`` encodes these structs in MessagePack: each is an array that begins with the number of its type.
Later versions may add types, and fields with defaults at the end of a type. Payload is contained in ``args`` and
``kwargs``, serialized in the format ``payload_format``, and empty if absent.
"""

from typing import Any, Final, Literal

from msgspec import Raw, Struct

from ..wamp.errors import PayloadError
from ..wamp.messages import CallOptions, ErrorDetails, Publish, PublishOptions, ResultDetails
from ..wamp.payload import ABSENT, PYTHON
from .environment import Serialize
from .options import Match
from .records import ChosenShard, Publication

NO_OPTIONS: Final = PublishOptions()
NO_RESULT_DETAILS: Final = ResultDetails()
"""The details of a result that has none. Compare them by identity."""

SERIALIZED: Final = "json"
"""The format to which payload of Python values is converted. Unlike MessagePack, it has integers of any size."""


# --- interest ----------------------------------------------------------------------------------------------------

InterestKind = Literal["add", "release", "remove", "add_shard", "remove_shard"]
"""A kind of change in the interest of a node.

- ``add``: the node has subscribers for the topic or pattern
- ``release``: it no longer has subscribers, but still wants the events for a while, in case somebody subscribes again
- ``remove``: it no longer wants the events
- ``add_shard``, ``remove_shard``: a subscriber with a node key was added or removed
"""


class RemoteShard(Struct, array_like=True, frozen=True, gc=False):
    """A subscriber on another node that has a node key.

    It has the attributes by which a publication can select its receivers.
    """

    id: int
    authid: str
    authrole: str
    node_key: str


class InterestChange(Struct, array_like=True, gc=False):
    """A change of a node's interest in a topic or pattern.

    ``shard`` is the subscriber that was added or removed if ``kind`` is ``add_shard`` or ``remove_shard``, otherwise
    None.
    """

    kind: InterestKind
    match: Match
    uri: str
    shard: RemoteShard | None = None


class InterestPage(Struct, array_like=True, tag=1):
    """A page of the complete interest of the sender. The pages together are a *snapshot*.

    The changes have the kinds ``add``, ``release`` and ``add_shard``. ``is_first`` and ``is_last`` mark the first and
    the last page of a snapshot. A snapshot is sent to each new node, and to each node that has missed messages. It
    replaces the interest that the receiver knew before.
    """

    realm: str
    changes: list[InterestChange]
    is_first: bool
    is_last: bool


class InterestUpdate(Struct, array_like=True, tag=2):
    """Changes of the sender's interest in one realm, in order."""

    realm: str
    changes: list[InterestChange]


# --- events ------------------------------------------------------------------------------------------------------


class RelayedEvent(Struct, array_like=True, tag=4, gc=False):
    """A publication on its way from its home to a node with subscribers.

    ``time`` is the date and time of publication; None unless the event is retained or the home has event histories in
    this realm. ``options`` is None if there are none besides ``acknowledge``. ``shards`` contains the subscribers with
    a node key that the home has chosen; it is empty if the publication has no resource key. For the other fields see
    :class:`.Publication`.
    """

    realm: str
    publication_id: int
    time: Any
    topic: str
    session_id: int
    authid: str
    authrole: str
    trustlevel: int | None
    is_disclosed: bool
    options: PublishOptions | None
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""
    shards: tuple[ChosenShard, ...] = ()


class WantRetained(Struct, array_like=True, tag=17, gc=False):
    """A request for all retained events, from a node that has joined the cluster."""


class RelayedRetained(Struct, array_like=True, tag=15):
    """A page of the retained events of a realm, in answer to :class:`WantRetained`. ``is_last`` marks the end.

    The pages of all realms are followed by an empty page with ``is_last``.
    """

    realm: str
    events: list[RelayedEvent]
    is_last: bool = False


class RelayedClear(Struct, array_like=True, tag=16, gc=False):
    """A request to delete the retained events of a topic that are older than ``time``, a date and time."""

    realm: str
    topic: str
    time: Any


# --- calls -------------------------------------------------------------------------------------------------------


class Identity(Struct, array_like=True, gc=False):
    """A session's id and the identity of its client."""

    session_id: int
    authid: str
    authrole: str


class RelayedCall(Struct, array_like=True, tag=5, gc=False):
    """A call on its way from its home to the callee's node.

    ``call_id`` is a sequence number: the home increments it for each call to another node, and never uses it again.
    ``callee`` is a session id. ``caller`` is None if the caller is not disclosed. ``time_left`` is the timeout of the
    call in seconds, 0 for none; only the home applies it. ``accepts_passthru`` is true if the caller can receive
    payload in passthru mode.

    ``options`` contains only those options of the CALL message that the callee's node needs; None if it needs none.
    """

    realm: str
    call_id: int
    registration_id: int
    callee: int
    procedure: str
    caller: Identity | None
    trustlevel: int | None
    options: CallOptions | None
    time_left: float
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""
    accepts_passthru: bool = False

    @property
    def is_streaming(self) -> bool:
        """Whether the call has progressive results or is a progressive call."""
        options = self.options
        return options is not None and bool(options.receive_progress or options.progress)


class RelayedCallPart(Struct, array_like=True, tag=6, gc=False):
    """A further CALL message of a progressive call, on its way to the callee's node."""

    realm: str
    call_id: int
    options: CallOptions
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


class RelayedCancel(Struct, array_like=True, tag=7, gc=False):
    """A report that the caller has canceled a call, or that the call has ended at its home for another reason.

    With mode ``kill``, the home still waits for the answer. ``reason`` is the URI for the INTERRUPT message.
    """

    realm: str
    call_id: int
    mode: Literal["skip", "kill", "killnowait"]
    reason: str


class RelayedResult(Struct, array_like=True, tag=8, gc=False):
    """A result of a call on its way to the call's home. If ``progress`` is true, another result or error follows.

    ``in_flight`` is the number of calls that the callee has not answered yet. ``details`` is None if there are none.
    """

    realm: str
    call_id: int
    progress: bool
    in_flight: int
    details: ResultDetails | None
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


class RelayedError(Struct, array_like=True, tag=9, gc=False):
    """An error that ends a call, on its way to the call's home. ``may_retry`` allows the home to try another callee.

    ``in_flight`` is the number of calls that the callee has not answered yet.
    """

    realm: str
    call_id: int
    in_flight: int
    may_retry: bool
    uri: str
    details: ErrorDetails
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


# --- registrations -----------------------------------------------------------------------------------------------


class CalleeDetails(Struct, array_like=True, frozen=True, omit_defaults=True):
    """The details of a callee that all nodes know. Later releases may add fields at the end.

    ``concurrency`` is 0 for no limit. ``features`` lists the features of the role ``callee`` that the client announced.
    """

    authrole: str
    features: tuple[str, ...] = ()
    concurrency: int = 0
    node_key: str | None = None
    disclose_caller: bool = False
    forward_timeout: bool = False


class CalleeEntry(Struct, gc=False):
    """A callee in the table of registrations that all nodes share.

    The callees of a registration are ordered by ``number``; the callee that created the registration has the number 1.
    ``invoke`` is the invocation policy of the registration, and ``created`` the time of its creation as text.
    """

    number: int
    invoke: str
    created: str
    details: CalleeDetails


class RegistrationChange(Struct, gc=False):
    """A change of the table of registrations that all nodes share.

    ``session_id`` is the callee. ``node`` is the name of its node, empty for this node. ``kind`` is one of these:

    - ``add``: a callee was added; ``entry`` describes it. A callee of this node is added only when its request is
      answered with :class:`.RegistrationAdded`.
    - ``remove``: a callee was removed from the table. A session of this node that still has the registration keeps it.
    - ``revoke``: a session of this node has lost the registration to another session
    """

    kind: Literal["add", "remove", "revoke"]
    node: str
    realm: str
    match: Match
    procedure: str
    session_id: int
    entry: CalleeEntry | None = None


# --- questions ---------------------------------------------------------------------------------------------------


class RelayedQuestion(Struct, array_like=True, tag=13, gc=False):
    """A call to a meta procedure that every node must answer. ``caller`` is the session that called it.

    ``question_id`` is a sequence number: the sender increments it for each question. ``transport`` contains the details
    of the caller's transport.
    """

    realm: str
    question_id: int
    procedure: str
    caller: Identity
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""
    transport: dict[str, Any] = {}


class RelayedReply(Struct, array_like=True, tag=14, gc=False):
    """The answer to a :class:`RelayedQuestion`, with one positional argument.

    It is the value that the procedure returns or, if ``uri`` is the URI of an error, a human-readable message.
    """

    realm: str
    question_id: int
    uri: str | None
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


RelayedMessage = (
    InterestUpdate | RelayedEvent | WantRetained | RelayedRetained | RelayedClear | RelayedCall | RelayedCallPart
    | RelayedCancel | RelayedResult | RelayedError | RelayedQuestion | RelayedReply
)  # fmt: skip
"""A message that the router sends to other nodes. The package ``cluster`` adds :class:`InterestPage` and more."""


def relayed_event(realm: str, publication: Publication, serialize: Serialize) -> RelayedEvent:
    """Return the event to send to other nodes for a publication; see :func:`payload_bytes` for errors."""
    message = publication.message
    payload_format, args, kwargs = payload_bytes(publication.payload_format, message, serialize)
    return RelayedEvent(
        realm,
        publication.id,
        publication.time,
        message.topic,
        publication.session_id,
        publication.authid,
        publication.authrole,
        publication.trustlevel,
        publication.is_disclosed,
        None if publication.is_plain else message.options,
        payload_format,
        args,
        kwargs,
        publication.shards,
    )


def received_publication(event: RelayedEvent) -> Publication:
    """Return the publication that another node has sent."""
    options, args, kwargs = event.options, event.args, event.kwargs
    return Publication(
        event.publication_id,
        Publish(
            1,
            NO_OPTIONS if options is None else options,
            event.topic,
            Raw(args) if args else ABSENT,
            Raw(kwargs) if kwargs else ABSENT,
        ),
        event.payload_format,
        event.session_id,
        event.authid,
        event.authrole,
        event.is_disclosed,
        event.trustlevel,
        event.time,
        is_plain=options is None,
        shards=event.shards,
        is_relayed=True,
    )


def payload_bytes(payload_format: str, message: Any, serialize: Serialize) -> tuple[str, bytes, bytes]:
    """Return the payload of a WAMP message for a message to another node: the format, ``args`` and ``kwargs``.

    Python values are serialized as JSON; as MessagePack if JSON cannot represent them, such as NaN and text that begins
    with a null character. Raises PayloadError if neither format can represent them.
    """
    if payload_format != PYTHON:
        args, kwargs = message.args, message.kwargs
        return payload_format, b"" if args is ABSENT else bytes(args), b"" if kwargs is ABSENT else bytes(kwargs)
    try:
        return _serialized(message, SERIALIZED, serialize)
    except PayloadError:
        return _serialized(message, "msgpack", serialize)


def _serialized(message: Any, payload_format: str, serialize: Serialize) -> tuple[str, bytes, bytes]:
    parts = message.args, message.kwargs
    args, kwargs = (b"" if part is ABSENT else serialize(part, payload_format) for part in parts)
    return payload_format, args, kwargs


def received_payload(data: bytes) -> Raw:
    """Convert the ``args`` or ``kwargs`` of a message from another node to those of a WAMP message."""
    return Raw(data) if data else ABSENT
