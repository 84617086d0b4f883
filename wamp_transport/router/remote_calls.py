"""Send calls to callees on other nodes of a cluster, and receive the calls of other nodes for callees on this node.

See :mod:`.relayed` for the terms. The home of a call chooses the callee, applies the timeout and sends the caller
exactly one answer. The callee's node checks that the callee still has the registration and can accept another call. If
not, the home tries the next callee.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple, get_args

from msgspec import Raw

from ..wamp import errors
from ..wamp.messages import CODES, Call, Error, ErrorDetails, Invocation, Result
from ..wamp.payload import ABSENT, PYTHON, positional
from .calls import Calls
from .effects import Effect, Send
from .environment import Environment
from .invocation_details import NO_CALL_OPTIONS, part_details, received_details
from .members import Members
from .policies import choose, choose_by_key
from .records import REQUEST_KEY, Callee, CallRecord, Registration
from .relayed import (
    NO_RESULT_DETAILS,
    RegistrationChange,
    RelayedCall,
    RelayedCallPart,
    RelayedCancel,
    RelayedError,
    RelayedResult,
    received_payload,
)
from .remote import PASSTHRU, CallIds, RemoteNode, RemotePeer
from .remote_registrations import LocalRegistrations, RealmRegistrations

CALL = CODES[Call]

NO_FEATURES: Final[frozenset[str]] = frozenset()
PASSTHRU_FEATURES: Final = frozenset((PASSTHRU,))

CallMessage = RelayedCall | RelayedCallPart | RelayedCancel | RelayedResult | RelayedError
"""A message about a call between two nodes."""

CALL_MESSAGES: Final = frozenset(get_args(CallMessage))
"""The types of messages about calls."""


class LocalDealer(NamedTuple):
    """The parts of a realm's dealer on this node that handle calls between nodes.

    ``reroute(record, failure, was_started=...)`` sends a call that has ended to another callee, or sends the error
    ``failure`` to the caller. ``is_permitted`` returns whether a callee may receive the calls of a procedure.
    """

    registrations: Mapping[int, Registration]
    calls: Calls
    reroute: Callable[..., None]
    is_permitted: Callable[[Callee, str], bool]


class RealmCalls:
    """The calls of one realm between this node and others. The realm is *open* while it exists on this node.

    ``nodes`` contains the other nodes by name, and ``registrations`` connects the realm's registrations with those of
    the other nodes.
    """

    def __init__(
        self, realm: str, members: Members, call_ids: CallIds, outbox: list[Effect], environment: Environment
    ) -> None:
        self._realm = realm
        self._members = members
        self._call_ids = call_ids
        self._outbox = outbox
        self._environment = environment
        self.nodes: dict[str, RemoteNode] = {}
        self._local: LocalDealer | None = None
        self.registrations = RealmRegistrations(realm, self.node, outbox, environment)

    def open(self, dealer: LocalDealer, registrations: LocalRegistrations) -> None:
        """Open the realm: pass the calls of other nodes to the dealer of this node from now on."""
        self._local = dealer
        self.registrations.open(registrations)

    def close(self) -> None:
        """Close the realm, which no longer exists on this node. Its sessions have left, so there are no calls."""
        self._local = None
        self.registrations.close()

    def node(self, name: str) -> RemoteNode | None:
        """Return the other node with this name; None if it is not a member."""
        node = self.nodes.get(name)
        if node is None and name in self._members:
            serialize = self._environment.serialize
            node = RemoteNode(name, self._realm, self._members, self._call_ids, self._outbox, serialize)
            self.nodes[name] = node
        return node

    def remove_member(self, name: str) -> None:
        """End the calls with a node that has left the cluster, and remove its callees."""
        self.registrations.remove_member(name)
        node = self.nodes.get(name)
        if node is not None:
            for call_id in list(node.sent):
                self.on_call_failed(name, call_id)
            for key in list(node.received):
                self.on_call_interrupted(name, key ^ REQUEST_KEY)
            del self.nodes[name]

    # Hot path of a cluster.

    def choose(
        self, registration: Registration, random_below: Callable[[int], int], excluded: Collection[int] = ()
    ) -> Callee | None:
        """Return the callee for the next call; see :func:`.policies.choose`. Prefer nodes that are not silent."""
        if self._members.silent:
            preferred = choose(registration, random_below, (*excluded, *_silent_callees(registration)))
            if preferred is not None:
                return preferred
        return choose(registration, random_below, excluded)

    def choose_by_key(self, registration: Registration, key: str, excluded: Collection[int] = ()) -> Callee | None:
        """Return the callee for a resource key; see :func:`.policies.choose_by_key`."""
        if self._members.silent:
            preferred = choose_by_key(registration, key, (*excluded, *_silent_callees(registration)))
            if preferred is not None:
                return preferred
        return choose_by_key(registration, key, excluded)

    def receive(self, name: str, message: CallMessage) -> None:
        """Handle a message from another node. Ignore messages about calls that have ended."""
        node = self.nodes.get(name) or self.node(name)
        if node is None:
            return
        if isinstance(message, RelayedCall):
            self._on_call(node, message)
        elif isinstance(message, RelayedResult):
            self._on_result(node, message)
        elif isinstance(message, RelayedError):
            self._on_error(node, message)
        elif self._local is not None:
            record = node.received.get(message.call_id ^ REQUEST_KEY)
            if record is None:
                return
            if isinstance(message, RelayedCallPart):
                self._on_part(record, message)
            else:
                self._on_cancel(self._local.calls, record, message)

    def _on_call(self, node: RemoteNode, message: RelayedCall) -> None:
        """Send an INVOCATION to the callee, unless it cannot accept the call."""
        local = self._local
        registration = None if local is None else local.registrations.get(message.registration_id)
        callee = None if registration is None else registration.callees.get(message.callee)
        if local is None or registration is None or callee is None:
            # The home did not know yet that the callee has unregistered the procedure.
            self._refuse(node, message, errors.NO_SUCH_PROCEDURE)
            return
        if not self._can_accept(callee, registration, message):
            self._refuse(node, message, errors.NO_AVAILABLE_CALLEE)
            return
        caller = RemotePeer(node, 0, "", PASSTHRU_FEATURES if message.accepts_passthru else NO_FEATURES)
        caller.callee = callee
        options = NO_CALL_OPTIONS if message.options is None else message.options
        args = Raw(message.args) if message.args else ABSENT
        kwargs = Raw(message.kwargs) if message.kwargs else ABSENT
        call = Call(message.call_id, options, message.procedure, args, kwargs)
        record = local.calls.open(caller, call, registration, callee)
        details = received_details(message, registration.match)
        if message.options is not None and message.is_streaming:
            record.wants_progress = options.receive_progress is True
            record.details = details
        invocation = Invocation(record.invocation_id, registration.id, details, args, kwargs)
        self._outbox.append(Send((callee.peer.id,), invocation, message.payload_format))

    def _on_result(self, node: RemoteNode, message: RelayedResult) -> None:
        record = node.sent.get(message.call_id)
        local = self._local
        if record is None or local is None:
            return
        if message.progress:
            local.calls.restart_timeout(record)
        else:
            node.sent.take(message.call_id)
            local.calls.end(record)
        record.callee.elsewhere = max(0, message.in_flight - record.callee.in_flight)
        args = Raw(message.args) if message.args else ABSENT
        kwargs = Raw(message.kwargs) if message.kwargs else ABSENT
        details = NO_RESULT_DETAILS if message.details is None else message.details
        result = Result(record.request_id, details, args, kwargs)
        self._outbox.append(Send((record.caller.id,), result, message.payload_format))

    # End of the hot path.

    def _on_error(self, node: RemoteNode, message: RelayedError) -> None:
        was_started = message.call_id in node.sent.with_parts or message.uri == errors.UNAVAILABLE
        record = node.sent.take(message.call_id)
        local = self._local
        if record is None or local is None:
            return
        local.calls.end(record)
        record.callee.elsewhere = max(0, message.in_flight - record.callee.in_flight)
        if message.may_retry and not record.is_killed:
            is_last = message.uri == errors.NO_SUCH_PROCEDURE and len(record.registration.callees) <= 1
            failure = errors.NO_SUCH_PROCEDURE if is_last else errors.NO_AVAILABLE_CALLEE
            local.reroute(record, failure, was_started=was_started)
            return
        args, kwargs = received_payload(message.args), received_payload(message.kwargs)
        error = Error(CALL, record.request_id, message.details, message.uri, args, kwargs)
        local.calls.forward_error(record, error, message.payload_format)

    def _can_accept(self, callee: Callee, registration: Registration, message: RelayedCall) -> bool:
        if self._local is None or callee.peer.remote is not None or not callee.can_accept_call:
            return False
        return registration.match == "exact" or self._local.is_permitted(callee, message.procedure)

    def _refuse(self, node: RemoteNode, message: RelayedCall, uri: str) -> None:
        """Ask the home of a call to try another callee. ``uri`` is the error to send if there is none."""
        peer = RemotePeer(node, 0, "", NO_FEATURES)
        text = f"the callee of {message.procedure!r} is not available"
        error = Error(CALL, message.call_id, ErrorDetails(), uri, positional(text))
        peer.send_error(error, PYTHON, may_retry=True)

    def _on_part(self, record: CallRecord, message: RelayedCallPart) -> None:
        details = part_details(record, message.options)
        args, kwargs = received_payload(message.args), received_payload(message.kwargs)
        invocation = Invocation(record.invocation_id, record.registration.id, details, args, kwargs)
        self._outbox.append(Send((record.callee.peer.id,), invocation, message.payload_format))

    def _on_cancel(self, calls: Calls, record: CallRecord, message: RelayedCancel) -> None:
        if message.mode != "skip" and not record.is_killed:
            calls.interrupt(record, message.mode, message.reason)
        if message.mode == "kill":
            record.is_killed = True
        else:
            calls.end(record)

    # --- events of the link ------------------------------------------------------------------------------------------

    def on_call_failed(self, name: str, call_id: int) -> None:
        """End a call with an error, because the callee's node cannot be reached any more."""
        record = self._take(name, call_id)
        if record is not None and self._local is not None:
            self._local.calls.fail(record, errors.NETWORK_FAILURE, "the connection to the callee's node was lost")

    def on_call_interrupted(self, name: str, call_id: int) -> None:
        """End a call from another node without an answer, and interrupt its callee."""
        node = self.nodes.get(name)
        record = None if node is None else node.received.get(call_id ^ REQUEST_KEY)
        if record is not None and self._local is not None:
            if not record.is_killed:
                self._local.calls.interrupt(record, "killnowait", errors.NETWORK_FAILURE)
            self._local.calls.end(record)

    def on_call_not_sent(self, name: str, call_id: int) -> None:
        """Try another callee, because the link has refused to send a call to the callee's node."""
        node = self.nodes.get(name)
        was_started = node is not None and call_id in node.sent.with_parts
        record = self._take(name, call_id)
        if record is not None and self._local is not None:
            self._local.calls.end(record)
            self._local.reroute(record, errors.UNAVAILABLE, was_started=was_started)

    def _take(self, name: str, call_id: int) -> CallRecord | None:
        node = self.nodes.get(name)
        return None if node is None else node.sent.take(call_id)


def _silent_callees(registration: Registration) -> Iterable[int]:
    for session_id, callee in registration.callees.items():
        if callee.peer.remote is not None and callee.peer.remote.is_silent:
            yield session_id


class RemoteCalls:
    """The calls between this node and others, and the shared registrations, in all realms."""

    def __init__(self, members: Members, outbox: list[Effect], environment: Environment) -> None:
        self._members = members
        self._outbox = outbox
        self._environment = environment
        self._call_ids = CallIds()
        self.realms: dict[str, RealmCalls] = {}

    def realm(self, name: str) -> RealmCalls:
        """Return the calls and registrations of a realm."""
        calls = self.realms.get(name)
        if calls is None:
            calls = RealmCalls(name, self._members, self._call_ids, self._outbox, self._environment)
            self.realms[name] = calls
        return calls

    def close_realm(self, name: str) -> None:
        """Close a realm that no longer exists on this node."""
        self.realm(name).close()

    def receive(self, name: str, message: CallMessage) -> None:
        """Handle a message from another node."""
        realm = self.realms.get(message.realm) or self.realm(message.realm)
        realm.receive(name, message)

    def remove_member(self, name: str) -> None:
        """End all calls with a node that leaves the cluster, and remove its callees. Call this while it is a member."""
        for realm in self.realms.values():
            realm.remove_member(name)

    def set_silent(self, name: str, is_silent: bool) -> None:
        """Set whether a node is silent; see :class:`.Members`. New calls prefer nodes that are not silent."""
        self._members.set_silent(name, is_silent)

    def change_registrations(self, changes: Iterable[RegistrationChange]) -> None:
        """Handle changes that were made together in the table of registrations; see :mod:`.remote_registrations`.

        Afterwards, the node must pass the answers for the REGISTER messages that these changes complete to
        :meth:`.Router.decide`.
        """
        by_realm: dict[str, list[RegistrationChange]] = {}
        for change in changes:
            by_realm.setdefault(change.realm, []).append(change)
        for realm, each in by_realm.items():
            self.realm(realm).registrations.change(each)

    def call_failed(self, name: str, realm: str, call_id: int) -> None:
        """Handle the failure of a call to a node. The caller gets the error ``wamp.error.network_failure``."""
        self.realm(realm).on_call_failed(name, call_id)

    def call_interrupted(self, name: str, realm: str, call_id: int) -> None:
        """Handle the failure of a call from a node. The callee is interrupted, and its answer is ignored."""
        self.realm(realm).on_call_interrupted(name, call_id)

    def call_not_sent(self, name: str, realm: str, call_id: int) -> None:
        """Handle a call that could not be sent to a node. Another callee is tried.

        If there is none, the caller gets the error ``wamp.error.unavailable``.
        """
        self.realm(realm).on_call_not_sent(name, call_id)
