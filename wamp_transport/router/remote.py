"""Represent the sessions of other nodes that call, or are called by, sessions of this node.

See :mod:`.relayed` for the terms. A call between two nodes has two records. At the home of the call, the callee is a
:class:`RemotePeer`. On the callee's node, the caller is a RemotePeer, and the id of its request is the call id.
"""

from collections.abc import Callable
from typing import Any

from ..wamp import errors
from ..wamp.errors import PayloadError
from ..wamp.messages import Error, Interrupt, Invocation, Message, Result
from .effects import Effect, Relay
from .environment import Serialize
from .invocation_details import NO_DETAILS, part_options, relayed_options
from .members import Members
from .records import Callee, CallRecord, Registration, State
from .relayed import (
    NO_RESULT_DETAILS,
    Identity,
    RelayedCall,
    RelayedCallPart,
    RelayedCancel,
    RelayedError,
    RelayedMessage,
    RelayedResult,
    payload_bytes,
)

PASSTHRU = "payload_passthru_mode"


class CallIds:
    """The counter for the ids of the calls that this node sends to other nodes. ``last`` is the id of the last one."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = 0


class SentCalls(dict[int, CallRecord]):
    """The calls of this node's clients that another node is handling, by call id.

    ``cancel(call_id)`` asks the other node to stop. Removing a call with :meth:`pop` cancels it. Therefore, no record
    stays on the other node if the call ends on this node for any reason. If the other node has ended the call, use
    :meth:`take`.

    ``with_parts`` contains the ids of the progressive calls for which more than the first CALL message was sent.
    """

    def __init__(self, cancel: Callable[[int], None]) -> None:
        super().__init__()
        self.with_parts: set[int] = set()
        self._cancel = cancel

    def pop(self, call_id: int, default: Any = None) -> Any:
        """Remove a call and cancel it. Return its record, or ``default`` if there is no such call."""
        if call_id not in self:
            return default
        record = self.take(call_id)
        self._cancel(call_id)
        return record

    def take(self, call_id: int) -> CallRecord | None:
        """Remove a call without canceling it, and return its record. Return None if there is no such call."""
        self.with_parts.discard(call_id)
        return dict.pop(self, call_id, None)


class RemoteNode:
    """Another node, as one realm sees it.

    - ``sent``: the calls that this node has sent to the other node
    - ``received``: the calls that this node has received from the other node, by call id XORed with
      :data:`.REQUEST_KEY`
    - ``peers``: the other node's sessions that have registrations, by session id
    - ``outbox``: the effects of this node
    - ``serialize(values, format)``: see :class:`.Environment`
    """

    __slots__ = (
        "_members",
        "bit",
        "call_ids",
        "name",
        "names",
        "outbox",
        "peers",
        "realm",
        "received",
        "sent",
        "serialize",
    )

    def __init__(
        self,
        name: str,
        realm: str,
        members: Members,
        call_ids: CallIds,
        outbox: list[Effect],
        serialize: Serialize,
    ) -> None:
        self.name = name
        self.realm = realm
        self.names = (name,)
        self.bit = members.bit(name)
        self.call_ids = call_ids
        self.sent = SentCalls(self._cancel)
        self.received: dict[int, CallRecord] = {}
        self.peers: dict[int, RemotePeer] = {}
        self._members = members
        self.outbox = outbox
        self.serialize = serialize

    @property
    def is_silent(self) -> bool:
        """Whether nothing has been received from the node for some time."""
        return bool(self._members.silent & self.bit)

    def relay(self, message: RelayedMessage) -> None:
        """Send a message to the node."""
        self.outbox.append(Relay(self.names, message))

    def payload(self, payload_format: str, message: Any) -> tuple[str, bytes, bytes]:
        """Return the payload of a WAMP message for a message to the node; see :func:`.payload_bytes`."""
        return payload_bytes(payload_format, message, self.serialize)

    def _cancel(self, call_id: int) -> None:
        self.relay(RelayedCancel(self.realm, call_id, "skip", errors.CANCELED))


class RemotePeer:
    """A session on another node. It is a callee with registrations, or the caller of one call.

    It implements :class:`.CallPeer`. ``features`` are the features that the client announced for its role.
    If it is a caller, ``callee`` is the callee of its call.
    """

    __slots__ = (
        "authid", "authrole", "callee", "calls", "calls_size", "ended_streams", "features", "id", "invocations", "node",
        "payload_format", "realm", "registrations", "state", "trustlevel",
    )  # fmt: skip

    def __init__(self, node: RemoteNode, session_id: int, authrole: str, features: frozenset[str]) -> None:
        self.node = node
        self.realm = node.realm
        self.id = session_id
        self.authid = ""
        self.authrole = authrole
        self.features = features
        self.trustlevel: int | None = None
        self.state: State = "established"
        self.payload_format = ""
        self.callee: Callee | None = None
        self.registrations: dict[int, Registration] = {}
        self.calls = node.received
        self.calls_size = 0
        self.invocations: dict[int, CallRecord] = node.sent
        self.ended_streams: set[int] = set()

    @property
    def remote(self) -> "RemotePeer":
        """The peer itself, because it is on another node."""
        return self

    @property
    def is_silent(self) -> bool:
        """Whether nothing has been received from the peer's node for some time."""
        return self.node.is_silent

    @property
    def last_invocation(self) -> int:
        """The id of the last call that this node has sent to any other node. The next call gets the next number."""
        return self.node.call_ids.last

    @last_invocation.setter
    def last_invocation(self, call_id: int) -> None:
        self.node.call_ids.last = call_id

    def has(self, role: str, *features: str) -> bool:
        """Return whether the client announced a feature; see :meth:`.Session.has`."""
        return not self.features.isdisjoint(features)

    # Hot path of a cluster.

    def start_call(self, record: CallRecord, invocation: Invocation, payload_format: str) -> None:
        """Send a new call to the peer. Raises PayloadError if the payload cannot be serialized."""
        node, details = self.node, invocation.details
        caller = None
        if details.caller is not None:
            caller = Identity(details.caller, details.caller_authid or "", details.caller_authrole or "")
        try:
            payload_format, args, kwargs = payload_bytes(payload_format, invocation, node.serialize)
        except PayloadError:
            node.sent.take(record.invocation_id)
            raise
        call = RelayedCall(
            self.realm,
            record.invocation_id,
            invocation.registration_id,
            self.id,
            record.call.procedure,
            caller,
            details.trustlevel,
            None if details is NO_DETAILS else relayed_options(details),
            record.timeout,
            payload_format,
            args,
            kwargs,
            record.caller.has("caller", PASSTHRU),
        )
        node.outbox.append(Relay(node.names, call))

    def send(self, message: Message, payload_format: str) -> None:
        """Send a message about a call to the peer. Raises PayloadError if the payload cannot be serialized."""
        node, realm = self.node, self.realm
        if isinstance(message, Result):
            payload = payload_bytes(payload_format, message, node.serialize)
            details = None if message.details is NO_RESULT_DETAILS else message.details
            progress = details is not None and details.progress is True
            in_flight = 0 if self.callee is None else self.callee.in_flight
            result = RelayedResult(realm, message.request_id, progress, in_flight, details, *payload)
            node.outbox.append(Relay(node.names, result))
        elif isinstance(message, Error):
            self.send_error(message, payload_format)
        elif isinstance(message, Interrupt):
            call_id, mode = message.request_id, message.options.mode or "killnowait"
            if mode != "kill":
                node.sent.take(call_id)
            node.relay(RelayedCancel(realm, call_id, mode, message.options.reason or errors.CANCELED))
        elif isinstance(message, Invocation):
            payload = node.payload(payload_format, message)
            node.sent.with_parts.add(message.request_id)
            node.relay(RelayedCallPart(realm, message.request_id, part_options(message.details), *payload))

    # End of the hot path.

    def send_error(self, message: Error, payload_format: str, *, may_retry: bool = False) -> None:
        """Send the ERROR that ends a call to the caller's node.

        If ``may_retry`` is true, the caller's node may try another callee. Raises PayloadError if the payload cannot be
        serialized.
        """
        payload = self.node.payload(payload_format, message)
        in_flight = 0 if self.callee is None else self.callee.in_flight
        error = RelayedError(
            self.realm, message.request_id, in_flight, may_retry, message.error, message.details, *payload
        )
        self.node.relay(error)
