"""The registrations that the nodes of a :class:`.MemoryCluster` share: each node's side of a ledger in memory.

The nodes use the real :class:`.LedgerClient` and :class:`.LedgerTable`, whose modules explain the terms.
"""

from collections.abc import Iterable
from itertools import count

import msgspec

from ..cluster.ledger.client import CalleeRevoked, LedgerClient, Outcome, RegisterCompleted, RegisterRefused
from ..cluster.ledger.layout import CalleeKey, RegistrationKey
from ..cluster.ledger.memory import MemoryLedger
from ..cluster.ledger.operations import LeaveRequest
from ..cluster.ledger.table import CalleeAdded, CalleeRemoved, LedgerTable, TableChange
from ..router.decisions import RegistrationAdded, RegistrationRefused
from ..router.effects import ReleaseRegistration, RequestRegistration, Withdraw
from ..router.relayed import CalleeDetails, CalleeEntry, RegistrationChange
from .memory import EPOCH, MemoryNode

LEASE = 1e6
"""The lease of each node in seconds. It is too long to end in a test, because tests do not renew it."""

LedgerEffect = RequestRegistration | ReleaseRegistration | Withdraw


class NodeLedger:
    """A node's side of the ledger.

    Nothing happens automatically: :meth:`work` carries out the node's requests, and :meth:`read` reads the log.
    """

    def __init__(self, name: str, node: MemoryNode, ledger: MemoryLedger) -> None:
        self.name = name
        self.node = node
        self.ledger = ledger
        self.table = LedgerTable(name)
        ids = count(1)
        self.client = LedgerClient(name, b"record", LEASE, self.table, lambda _: None, lambda: f"{name}-{next(ids)}")
        self._tickets: dict[int, int] = {}
        """The tickets of the undecided requests, by token."""
        self._requests: dict[int, tuple[RegistrationKey, int]] = {}
        """The registrations and session ids of the undecided requests, by ticket."""
        self.work()
        self.read()

    def run(self, effect: LedgerEffect) -> None:
        """Carry out an effect of the node's router."""
        if isinstance(effect, Withdraw):
            request = self._requests.pop(effect.ticket, None)
            if request is not None:
                self.client.unregister(*request)
            return
        key = RegistrationKey(effect.realm, effect.match, effect.procedure)
        if isinstance(effect, ReleaseRegistration):
            self.client.unregister(key, effect.session_id)
            return
        details = msgspec.msgpack.encode(effect.details)
        token = self.client.register(
            key, effect.session_id, effect.invoke, effect.created, details, self.node.now, is_forced=effect.is_forced
        )
        if token is None:
            self.node.router.decide(effect.ticket, RegistrationRefused("unavailable"))
        else:
            self._tickets[token] = effect.ticket
            self._requests[effect.ticket] = key, effect.session_id

    def work(self) -> bool:
        """Make the ledger carry out the requests of the node. Return False if there are none."""
        now = self.node.now
        wall = round((EPOCH.timestamp() + now) * 1000)
        requests = self.client.next_requests(now)
        for request in requests:
            self._handle(self.client.on_answer(self.ledger.run(request, wall), now))
        return bool(requests)

    def pass_time(self) -> None:
        """Handle the deadlines of the node's requests."""
        self._handle(self.client.advance(self.node.now))

    def read(self) -> bool:
        """Read the log, or a snapshot of the ledger if the node needs one. Return False if there is nothing new.

        The router gets the changes of each entry separately. Otherwise, a callee that was added and removed again would
        be missing, and the meta events of its registration could be wrong.
        """
        now = self.node.now
        if self.table.needs_snapshot:
            changes = self.table.replace(self.ledger.members, self.ledger.rows)
            self._change(changes, self.client.on_snapshot(changes, now))
            return bool(changes)
        entries = self.ledger.entries(self.table.read_position)
        for entry in entries:
            changes = self.table.apply([entry])
            self._change(changes, self.client.on_changes(changes, now))
        return bool(entries)

    def remove(self) -> None:
        """Remove the node from the ledger, as if its lease had ended."""
        self.ledger.run(LeaveRequest(self.name), round((EPOCH.timestamp() + self.node.now) * 1000))

    def _change(self, changes: Iterable[TableChange], outcomes: Iterable[Outcome]) -> None:
        """Pass changes of the table, and the outcomes that follow from them, to the router."""
        outcomes = list(outcomes)
        found = [self._registration_change(change) for change in changes]
        revoked = (outcome for outcome in outcomes if isinstance(outcome, CalleeRevoked))
        found += [RegistrationChange("revoke", "", *each.registration, each.session) for each in revoked]
        calls = self.node.remote_calls
        calls.change_registrations([change for change in found if change is not None])
        self._handle([outcome for outcome in outcomes if not isinstance(outcome, CalleeRevoked)])

    def _registration_change(self, change: TableChange) -> RegistrationChange | None:
        if not isinstance(change, CalleeAdded | CalleeRemoved):
            return None
        node = "" if change.key.node == self.name else change.key.node
        key = (node, *change.key.registration, change.key.session)
        if isinstance(change, CalleeAdded):
            details = msgspec.msgpack.decode(change.row.details, type=CalleeDetails)
            created = change.registration
            entry = CalleeEntry(change.row.number, created.policy, created.created, details)
            return RegistrationChange("add", *key, entry)
        return RegistrationChange("remove", *key)

    def _handle(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, RegisterCompleted):
                ticket = self._tickets.pop(outcome.token)
                if ticket in self._requests:
                    key, session = self._requests.pop(ticket)
                    row = self.table.callees[key][CalleeKey(key, self.name, session)]
                    registration = self.table.registration(key)
                    created = "" if registration is None else registration.created
                    self.node.router.decide(ticket, RegistrationAdded(row.number, created))
            elif isinstance(outcome, RegisterRefused):
                ticket = self._tickets.pop(outcome.token)
                self._requests.pop(ticket, None)
                self.node.router.decide(ticket, RegistrationRefused(outcome.status))  # type: ignore[arg-type]
            elif isinstance(outcome, CalleeRevoked):
                change = RegistrationChange("revoke", "", *outcome.registration, outcome.session)
                self.node.remote_calls.change_registrations([change])
