"""Keep the registrations of one realm in sync on all nodes of a cluster.

The nodes share a *table* of all callees, outside the router core. The table decides which callees a registration has,
and in which order. A session of this node becomes a callee in two steps: first the node requests an entry in the table.
When the callee is in the table, REGISTERED is sent. Until then, the REGISTER is suspended; see :mod:`.suspension`.

The node passes all changes of the table to the router, in order, and before the messages that other nodes have sent
because of these changes. Therefore, REGISTERED is sent before the first INVOCATION.

If a session of this node gives up a registration, its callee is removed here immediately, and from the table later. The
change of the table *confirms* the removal.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.messages import ClientRole, Register, Registered, RegisterOptions
from ..wamp.payload import PYTHON
from .decisions import Answer, RegistrationAdded, RegistrationRefused
from .effects import Effect, ReleaseRegistration, RequestRegistration, Send
from .environment import Announce, Environment
from .options import Match
from .pattern_registry import PatternRegistry
from .policies import public_policy
from .records import Callee, CallPeer, Registration, Session
from .registrations import (
    add_callee,
    already_exists,
    check_policy,
    describe,
    requested_policy,
    send_unregistered,
)
from .relayed import CalleeDetails, CalleeEntry, RegistrationChange
from .remote import RemoteNode, RemotePeer
from .suspension import MessageSuspended

KEY: Final = "registration"
"""The key for the answers to requests for registrations; see :attr:`.Suspension.key`."""

REQUEST_SECONDS: Final = 60.0
"""The time after which a request for a registration fails. Normally, an answer arrives much earlier."""

CalleeKey = tuple[str, Match, str, int]
"""The name of a node, a match policy, a procedure or pattern, and the session id of a callee."""


class LocalRegistrations(NamedTuple):
    """The parts of a realm's dealer on this node that handle changes of the table.

    ``revoke(session, registration, reason)`` and ``remove(session, registration)`` remove a callee of this node.
    """

    registry: PatternRegistry[Registration]
    announce: Announce
    revoke: Callable[[CallPeer, Registration, str], None]
    remove: Callable[[CallPeer, Registration], None]


class RegistrationSuspension:
    """The suspension of a REGISTER until its callee is in the table that all nodes share."""

    __slots__ = ("_request",)

    key: Final = KEY
    timeout: Final = REQUEST_SECONDS
    timeout_answer: Final = RegistrationRefused("unavailable")

    def __init__(self, request: RequestRegistration) -> None:
        self._request = request

    def request(self, ticket: int) -> RequestRegistration:
        """Return the effect that requests the registration."""
        self._request.ticket = ticket
        return self._request

    def resolve(self, answer: Answer) -> RegistrationAdded | RegistrationRefused:
        """Return the answer. An answer of another type is treated as a failure."""
        return answer if isinstance(answer, RegistrationAdded | RegistrationRefused) else self.timeout_answer


class RealmRegistrations:
    """The connection of one realm's registrations with the table. The realm is *open* while it exists on this node.

    ``node(name)`` returns another node, or None if there is no such member.
    """

    def __init__(
        self, realm: str, node: Callable[[str], RemoteNode | None], outbox: list[Effect], environment: Environment
    ) -> None:
        self._realm = realm
        self._node = node
        self._outbox = outbox
        self._environment = environment
        self._local: LocalRegistrations | None = None
        self._kept: dict[CalleeKey, CalleeEntry] = {}
        """The callees of other nodes while the realm is not open."""
        self._released: dict[tuple[Match, str], dict[int, int]] = {}
        """The callees of this node whose removal is not confirmed yet: by match policy and URI, a mapping of session
        ids to the id of the registration."""

    def open(self, local: LocalRegistrations) -> None:
        """Open the realm: add the callees of other nodes to its registrations."""
        self._local = local
        kept, self._kept = self._kept, {}
        for key, entry in kept.items():
            self._add(key, entry)

    def close(self) -> None:
        """Close the realm, which no longer exists on this node.

        Request the removal of the callees of this node from the table, and store those of other nodes for :meth:`open`.
        """
        local, self._local = self._local, None
        for registration in () if local is None else local.registry.by_id.values():
            for callee in registration.callees.values():
                peer = callee.peer
                if isinstance(peer, RemotePeer):
                    key = (peer.node.name, registration.match, registration.procedure, peer.id)
                    self._kept[key] = _entry(registration, callee, peer)
                    peer.node.peers.pop(peer.id, None)
                else:
                    self._release(peer.id, registration)
        self._released.clear()

    # --- callees of this node ----------------------------------------------------------------------------------------

    def complete(self, session: Session, message: Register) -> bool:
        """Complete a suspended REGISTER. Return False if its registration has not been requested yet.

        Raises RequestRefused if the request has failed.
        """
        answer = None if session.pending is None else session.pending.answers.get(KEY)
        local = self._local
        if answer is None or local is None:
            return False
        match: Match = message.options.match or "exact"
        procedure = message.procedure
        if isinstance(answer, RegistrationRefused):
            raise _refusal(answer.status, procedure, local.registry.index.get(match, procedure))
        entry = CalleeEntry(answer.number, requested_policy(message.options), answer.created, NO_DETAILS)
        registration = self._registration(local, match, procedure, entry)
        add_callee(registration, Callee(session, answer.number, message.options))
        self._outbox.append(Send((session.id,), Registered(message.request_id, registration.id), PYTHON))
        if answer.number == 1:
            local.announce("wamp.registration.on_create", procedure, session.id, describe(registration))
        local.announce("wamp.registration.on_register", procedure, session.id, registration.id)
        return True

    def register(self, session: Session, message: Register) -> None:
        """Request the registration for a REGISTER that has passed the permission checks.

        If the session is already a callee and does not set ``force_reregister``, send REGISTERED instead. Otherwise
        raises MessageSuspended, so that the REGISTER waits for the answer to the request. Raises RequestRefused if the
        registration is not possible.
        """
        local = self._local
        assert local is not None  # noqa: S101 - a realm with sessions is open
        options, procedure = message.options, message.procedure
        match: Match = options.match or "exact"
        invoke = requested_policy(options)
        registration = local.registry.index.get(match, procedure)
        if registration is not None:
            for callee in list(registration.callees.values()):
                if not callee.is_active:  # Its session has left, but is still to be removed.
                    local.remove(callee.peer, registration)
            if session.id in registration.callees:
                if not options.force_reregister:
                    check_policy(registration, invoke)
                    self._outbox.append(Send((session.id,), Registered(message.request_id, registration.id), PYTHON))
                    return
                # The session replaces itself. In the table, this removes the callee and adds a new one.
                local.revoke(session, registration, errors.UNREGISTERED)
        else:
            local.registry.check_room(match, procedure)
        request = RequestRegistration(
            0,
            session.id,
            self._realm,
            match,
            procedure,
            invoke,
            self._environment.timestamp(),
            _details(session, options),
            options.force_reregister is True,
        )
        raise MessageSuspended(RegistrationSuspension(request))

    def on_removed(self, session_id: int, registration: Registration) -> None:
        """Handle the removal of a callee of this node: request its removal from the table."""
        released = self._released.setdefault((registration.match, registration.procedure), {})
        released[session_id] = registration.id
        self._release(session_id, registration)

    # --- changes of the table ----------------------------------------------------------------------------------------

    def change(self, changes: Iterable[RegistrationChange]) -> None:
        """Handle changes of the table: first those with the kind ``remove``, then ``revoke``, then ``add``.

        In this order, a registration never has old and new callees at the same time.
        """
        by_kind: dict[str, list[RegistrationChange]] = {"remove": [], "revoke": [], "add": []}
        for change in changes:
            by_kind[change.kind].append(change)
        last_removed: dict[tuple[Match, str], RegistrationChange] = {}
        for each in by_kind["remove"]:
            last_removed[each.match, each.procedure] = each
            if each.node:
                self._remove((each.node, each.match, each.procedure, each.session_id))
            else:
                self._confirm(each, by_kind["add"])
        for each in by_kind["revoke"]:
            last = last_removed.get((each.match, each.procedure), each)
            self._revoke(each, is_last=(last.node, last.session_id) == ("", each.session_id))
        for each in by_kind["add"]:
            if each.entry is not None and each.node:
                self._add((each.node, each.match, each.procedure, each.session_id), each.entry)

    def remove_member(self, name: str) -> None:
        """Remove all callees of a node that has left the cluster."""
        node = self._node(name)
        for peer in [] if node is None else list(node.peers.values()):
            for registration in list(peer.registrations.values()):
                self._remove((name, registration.match, registration.procedure, peer.id))
        for key in [key for key in self._kept if key[0] == name]:
            del self._kept[key]

    def _add(self, key: CalleeKey, entry: CalleeEntry) -> None:
        name, match, procedure, session_id = key
        node = self._node(name)
        if node is None:
            return
        local, details = self._local, entry.details
        if local is None:
            self._kept[key] = entry
            return
        self._remove(key)
        peer = node.peers.get(session_id)
        if peer is None:
            peer = RemotePeer(node, session_id, details.authrole, frozenset(details.features))
            node.peers[session_id] = peer
        options = RegisterOptions(
            concurrency=details.concurrency or None,
            disclose_caller=details.disclose_caller,
            forward_timeout=details.forward_timeout,
            nkey=details.node_key,
        )
        add_callee(self._registration(local, match, procedure, entry), Callee(peer, entry.number, options))

    def _remove(self, key: CalleeKey) -> None:
        """Remove a callee of another node, if there is one."""
        self._kept.pop(key, None)
        name, match, procedure, session_id = key
        local, node = self._local, self._node(name)
        registration = None if local is None else local.registry.index.get(match, procedure)
        peer = None if node is None else node.peers.get(session_id)
        if local is None or node is None or registration is None or peer is None:
            return
        if peer.registrations.pop(registration.id, None) is not None:
            del registration.callees[session_id]
            if not registration.callees:
                local.registry.remove(registration.id, match, procedure)
        if not peer.registrations:
            del node.peers[session_id]

    def _confirm(self, removed: RegistrationChange, added: list[RegistrationChange]) -> None:
        """Handle the removal of a callee of this node from the table.

        Announce that the registration was deleted, unless the table still has callees of it. If ``added`` contains new
        callees, the registration was deleted only if one of them has the number 1, because this callee has created it
        again.
        """
        match, procedure, local = removed.match, removed.procedure, self._local
        released = self._released.get((match, procedure), {})
        registration_id = released.pop(removed.session_id, None)
        if local is None or registration_id is None or released:
            return
        del self._released[match, procedure]
        found = [each.entry for each in added if (each.match, each.procedure) == (match, procedure)]
        numbers = [entry.number for entry in found if entry is not None]
        if local.registry.index.get(match, procedure) is None and min(numbers, default=1) == 1:
            local.announce("wamp.registration.on_delete", procedure, removed.session_id, registration_id)

    def _revoke(self, change: RegistrationChange, *, is_last: bool) -> None:
        """Remove a callee of this node that was replaced in the table.

        If several callees were replaced together, ``is_last`` is true for the last one.
        """
        match, procedure, session_id = change.match, change.procedure, change.session_id
        local = self._local
        registration = None if local is None else local.registry.index.get(match, procedure)
        callee = None if registration is None else registration.callees.get(session_id)
        if local is None or registration is None or callee is None or callee.peer.remote is not None:
            return
        send_unregistered(self._outbox, callee.peer, registration, errors.UNREGISTERED)
        del registration.callees[session_id]
        callee.peer.registrations.pop(registration.id, None)
        local.announce("wamp.registration.on_unregister", procedure, session_id, registration.id)
        if not registration.callees:
            local.registry.remove(registration.id, match, procedure)
            if is_last:
                local.announce("wamp.registration.on_delete", procedure, session_id, registration.id)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _registration(
        self, local: LocalRegistrations, match: Match, procedure: str, entry: CalleeEntry
    ) -> Registration:
        """Return the registration of a procedure or pattern, as the table describes it. Create it if necessary."""
        registration = local.registry.index.get(match, procedure)
        if registration is None:
            registration = local.registry.create(
                match, procedure, lambda new_id: Registration(new_id, procedure, match, entry.invoke, entry.created)
            )
        registration.invoke, registration.created = entry.invoke, entry.created
        return registration

    def _release(self, session_id: int, registration: Registration) -> None:
        effect = ReleaseRegistration(session_id, self._realm, registration.match, registration.procedure)
        self._outbox.append(effect)


NO_DETAILS: Final = CalleeDetails("")


def _details(session: Session, options: RegisterOptions) -> CalleeDetails:
    """Return the details of a callee of this node that the other nodes need."""
    role = session.roles.get("callee") or ClientRole()
    features = tuple(sorted(name for name, value in (role.features or {}).items() if value is True))
    return CalleeDetails(
        session.authrole,
        features,
        options.concurrency or 0,
        options.nkey,
        options.disclose_caller is True,
        options.forward_timeout is True,
    )


def _entry(registration: Registration, callee: Callee, peer: RemotePeer) -> CalleeEntry:
    """Return the table entry that describes a callee of another node."""
    details = CalleeDetails(
        peer.authrole,
        tuple(peer.features),
        callee.concurrency,
        callee.node_key,
        callee.disclose_caller,
        callee.forward_timeout,
    )
    return CalleeEntry(callee.number, registration.invoke, registration.created, details)


def _refusal(status: str, procedure: str, registration: Registration | None) -> RequestRefused:
    """Return the error for a REGISTER whose request has failed."""
    is_single = registration is not None and public_policy(registration.invoke) == "single"
    if status == "exists" or (status == "policy" and is_single):
        return already_exists(procedure)
    if status == "policy":
        policy = "another invocation policy"
        if registration is not None:
            policy = f"the invocation policy {registration.invoke!r}"
        return RequestRefused(
            errors.PROCEDURE_EXISTS_WITH_DIFFERENT_POLICY, f"{procedure!r} is registered with {policy}"
        )
    return RequestRefused(
        errors.UNAVAILABLE, "registrations are not possible at the moment: the cluster is unreachable"
    )
