"""Write the registrations of this node to the ledger, and pass those of the other nodes to the router.

The *ledger* is the table of members and registrations that all nodes of a cluster share. Each node has a copy of it. A
REGISTER is *undecided* until the ledger has answered. See :mod:`wamp_transport.cluster.ledger.client`.
"""

import logging
from asyncio import AbstractEventLoop
from collections.abc import Iterable

import msgspec

from ..cluster.ledger.client import CalleeRevoked, Outcome, RegisterCompleted, RegisterRefused
from ..cluster.ledger.layout import CalleeKey, RegistrationKey
from ..cluster.ledger.table import CalleeAdded, CalleeRemoved, TableChange
from ..router.decisions import RegistrationAdded, RegistrationRefused
from ..router.effects import ReleaseRegistration, RequestRegistration, Withdraw
from ..router.relayed import CalleeDetails, CalleeEntry, RegistrationChange
from ..router.router import Router
from .membership import Membership

logger = logging.getLogger(__name__)


class UndecidedRegister(msgspec.Struct, gc=False):
    """A REGISTER that the ledger has not answered.

    ``ticket`` identifies the request in the router, ``token`` in the client of the ledger.
    """

    ticket: int
    token: int
    key: RegistrationKey
    session_id: int


class SharedRegistrations:
    """The connection between the router and the ledger.

    Changes of the ledger are collected until :meth:`apply_changes` is called. The router needs changes that belong
    together in one list, such as the removal of a callee and the addition of the callee that replaces it.
    """

    def __init__(self, router: Router, loop: AbstractEventLoop) -> None:
        self._router = router
        self._loop = loop
        self._membership: Membership | None = None
        self._by_token: dict[int, UndecidedRegister] = {}
        self._by_ticket: dict[int, UndecidedRegister] = {}
        self._changes: list[RegistrationChange] = []

    def use(self, membership: Membership | None) -> None:
        """Use a new membership, or none. Refuse the undecided REGISTERs, and drop the collected changes."""
        self._membership = membership
        undecided = list(self._by_ticket.values())
        self._by_token.clear()
        self._by_ticket.clear()
        self._changes.clear()
        for each in undecided:
            self._router.decide(each.ticket, RegistrationRefused("unavailable"))

    # --- effects -------------------------------------------------------------------------------------------------

    def request(self, effect: RequestRegistration) -> None:
        """Send a request for a registration to the ledger. If this is not possible, refuse the REGISTER."""
        membership = self._membership
        key = RegistrationKey(effect.realm, effect.match, effect.procedure)
        token = None
        if membership is not None:
            token = membership.ledger.register(
                key,
                effect.session_id,
                effect.invoke,
                effect.created,
                msgspec.msgpack.encode(effect.details),
                self._loop.time(),
                is_forced=effect.is_forced,
            )
            membership.flush_soon()
        if token is None:
            self._router.decide(effect.ticket, RegistrationRefused("unavailable"))
            return
        undecided = UndecidedRegister(effect.ticket, token, key, effect.session_id)
        self._by_token[token] = self._by_ticket[effect.ticket] = undecided

    def release(self, effect: ReleaseRegistration) -> None:
        """Remove a callee from the ledger."""
        self._unregister(RegistrationKey(effect.realm, effect.match, effect.procedure), effect.session_id)

    def withdraw(self, effect: Withdraw) -> None:
        """Cancel the request for a registration with the effect's ticket. Do nothing if there is no such request."""
        undecided = self._by_ticket.pop(effect.ticket, None)
        if undecided is not None:
            del self._by_token[undecided.token]
            self._unregister(undecided.key, undecided.session_id)

    def _unregister(self, key: RegistrationKey, session_id: int) -> None:
        if self._membership is not None:
            self._membership.ledger.unregister(key, session_id)
            self._membership.flush_soon()

    # --- the ledger ----------------------------------------------------------------------------------------------

    @property
    def has_changes(self) -> bool:
        """Whether there are collected changes that have not been passed to the router yet."""
        return bool(self._changes)

    def add_changes(self, changes: Iterable[TableChange]) -> None:
        """Collect changes of the node's copy of the ledger."""
        node = "" if self._membership is None else self._membership.node_id
        for change in changes:
            if isinstance(change, CalleeRemoved):
                place = "" if change.key.node == node else change.key.node
                self._add("remove", place, change.key.registration, change.key.session)
            elif isinstance(change, CalleeAdded) and change.key.node != node:
                row, registration = change.row, change.registration
                try:
                    details = msgspec.msgpack.decode(row.details, type=CalleeDetails)
                except msgspec.DecodeError as error:
                    logger.error(
                        "A callee of node %s is ignored, because its details are invalid: %s", change.key.node, error
                    )
                    continue
                entry = CalleeEntry(row.number, registration.policy, registration.created, details)
                self._add("add", change.key.node, change.key.registration, change.key.session, entry)

    def on_outcome(self, outcome: Outcome) -> None:
        """Handle the outcome of a request to the ledger.

        For the outcome of a REGISTER, call :meth:`apply_changes` first. If a callee was revoked, call it afterwards.
        """
        if isinstance(outcome, CalleeRevoked):
            self._add("revoke", "", outcome.registration, outcome.session)
        elif isinstance(outcome, RegisterCompleted):
            self._on_completed(outcome.token)
        elif isinstance(outcome, RegisterRefused):
            undecided = self._take(outcome.token)
            if undecided is not None:
                self._router.decide(undecided.ticket, RegistrationRefused(outcome.status))  # type: ignore[arg-type]

    def apply_changes(self) -> None:
        """Pass the collected changes to the router."""
        cluster = self._router.cluster
        if self._changes and cluster is not None:
            changes, self._changes = self._changes, []
            cluster.calls.change_registrations(changes)

    def _add(
        self, kind: str, node: str, key: RegistrationKey, session_id: int, entry: CalleeEntry | None = None
    ) -> None:  # fmt: skip
        self._changes.append(RegistrationChange(kind, node, *key, session_id, entry))  # type: ignore[arg-type]

    def _on_completed(self, token: int) -> None:
        undecided, membership = self._take(token), self._membership
        if undecided is None or membership is None:
            return
        key = undecided.key
        callee = CalleeKey(key, membership.node_id, undecided.session_id)
        row = membership.table.callees.get(key, {}).get(callee)
        if row is None:  # it was removed again while the log was read
            self._unregister(key, undecided.session_id)
            self._router.decide(undecided.ticket, RegistrationRefused("unavailable"))
            return
        registration = membership.table.registration(key)
        created = "" if registration is None else registration.created
        self._router.decide(undecided.ticket, RegistrationAdded(row.number, created))

    def _take(self, token: int) -> UndecidedRegister | None:
        """Remove and return an undecided REGISTER. Return None if it was withdrawn."""
        undecided = self._by_token.pop(token, None)
        if undecided is not None:
            del self._by_ticket[undecided.ticket]
        return undecided
