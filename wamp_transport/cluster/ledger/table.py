"""A node's copy of the ledger.

The table follows the log. When it has missed entries, or the ledger has begun anew, :attr:`LedgerTable.needs_snapshot`
becomes true, and the node reads a snapshot. Until the snapshot arrives, the old content remains in use.

A callee is *visible* if its node is a member. A member can be missing in a snapshot although it was not removed. In
this case, it is expected to restate its rows. Until it does, for at most :data:`RESTATE_TIME`, it remains a member of
the table, and its callees stay visible. A callee becomes invisible before that if somebody has registered its procedure
in a way that excludes it: with the policy ``single``, or with another policy.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from .layout import (
    CALLEE,
    MEMBER,
    REGISTRATION,
    REMOVED,
    CalleeKey,
    CalleeRow,
    MemberRow,
    RegistrationKey,
    RegistrationRow,
    node_of,
    parse_callee_field,
    registration_of,
)
from .log import LogEntry, order

RESTATE_TIME: Final = 10.0
"""The time in seconds that a member has for restating its rows after it was missing in a snapshot."""

MAX_STEP: Final = 2.5
"""Maximum number of seconds between two renewals that count towards :data:`RESTATE_TIME`.

Therefore, hardly any of this time passes while the ledger is unavailable to this node.
"""

MAX_LATER_ENTRIES: Final = 10_000
"""Maximum number of log entries that are stored until a snapshot arrives."""


class MemberJoined(NamedTuple):
    """A node has become a member. ``record`` is an encoded :class:`.MemberRecord`."""

    node: str
    record: bytes


class MemberLeft(NamedTuple):
    """A node is no longer a member. Its id is never used again."""

    node: str


class CalleeAdded(NamedTuple):
    """A callee has become visible. ``registration`` describes its registration."""

    key: CalleeKey
    row: CalleeRow
    registration: RegistrationRow


class CalleeRemoved(NamedTuple):
    """A callee is no longer visible."""

    key: CalleeKey
    row: CalleeRow


TableChange: TypeAlias = MemberJoined | MemberLeft | CalleeAdded | CalleeRemoved


class LedgerTable:
    """The copy of the ledger on the node ``node``. It has the following attributes:

    - ``ledger``: the id of the ledger; empty before the first snapshot
    - ``position``: the position of the last log entry that the table contains
    - ``members``: the records of the members, by node id
    - ``rows``: the content of the hash ``rows``
    - ``callees``: the visible callees by registration
    - ``needs_snapshot``: whether the node must read a snapshot
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self.ledger = ""
        self.position = ""
        self.members: dict[str, bytes] = {}
        self.rows: dict[bytes, bytes] = {}
        self.callees: dict[RegistrationKey, dict[CalleeKey, CalleeRow]] = {}
        self.needs_snapshot = True
        self._visible: dict[bytes, bytes] = {}
        self._by_node: dict[bytes, set[bytes]] = {}
        self._by_registration: dict[bytes, set[bytes]] = {}
        self._missing: dict[str, _Missing] = {}
        self._later: list[LogEntry] = []
        self._announced = ""
        self._elapsed = 0.0
        self._renewed_at = 0.0

    @property
    def read_position(self) -> str:
        """The position in the log after which the node must read next. Each snapshot changes it."""
        return self._later[-1].position if self._later else self.position

    # --- changes of the ledger -------------------------------------------------------------------------------------

    def apply(self, entries: Sequence[LogEntry]) -> list[TableChange]:
        """Apply log entries in the order of the log, and return the changes.

        If a snapshot is needed, store the entries until it arrives, and return no changes.
        """
        if self.needs_snapshot:
            self._keep_for_later(entries)
            return []
        touched: dict[bytes, None] = {}
        changes: list[TableChange] = []
        for place, entry in enumerate(entries):
            if order(entry.position) <= order(self.position):
                continue
            if entry.previous != self.position or any(field == b"id" for field, _ in entry.fields):
                self.needs_snapshot = True
                self._keep_for_later(entries[place:])
                break
            self.position = entry.position
            for field, value in entry.fields:
                self._apply_field(field, value, touched, changes)
        return self._refresh(touched, changes)

    def replace(self, members: Mapping[bytes, bytes], rows: Mapping[bytes, bytes]) -> list[TableChange]:
        """Replace the content with a snapshot, and return the differences.

        If the snapshot is empty or inconsistent, the content of the ledger was lost. In this case, the old content
        stays, and the node must read another snapshot later.
        """
        if not members.get(b"id") or rows.get(b"id") != members[b"id"]:
            return []
        touched = dict.fromkeys((*self._visible, *self.rows, *rows))
        changes: list[TableChange] = []
        present = {field[2:].decode(): value for field, value in members.items() if field.startswith(MEMBER)}
        for node in list(self.members):
            if REMOVED + node.encode() in members:
                self._remove_member(node, touched, changes)
            elif node not in present and node not in self._missing:
                self._missing[node] = _Missing(self._elapsed + RESTATE_TIME, self._stated_callees(node))
        self.rows = {field: value for field, value in rows.items() if field != b"id"}
        self._by_node.clear()
        self._by_registration.clear()
        for field in self.rows:
            if field.startswith(CALLEE):
                self._index(field)
        for node, value in present.items():
            self._add_member(node, MemberRow.decode(value).record, touched, changes)
        self.ledger = members[b"id"].decode()
        self.position = self._announced = members.get(b"last", b"").decode()
        self.needs_snapshot = False
        return self._refresh(touched, changes) + self.apply(self._take_later())

    def compare(self, ledger: str, newest: str, position: str) -> None:
        """Compare the table with an answer of the ledger. A snapshot is needed if the log was lost or is an older copy.

        The answer contains the id of the ledger and the position of its newest log entry. ``position`` is the position
        that the table had when the request was sent.
        """
        is_older = order(newest) < order(position) or (order(newest) == order(position) and newest != position)
        if ledger != self.ledger or is_older:
            self.needs_snapshot = True

    def on_renewed(self, newest: str, now: float) -> list[TableChange]:
        """Handle the answer to an operation ``renew``, after :meth:`compare`. Return the changes.

        The table must reach the newest log entry before the next answer. Otherwise, it needs a snapshot. The members
        that were missing in a snapshot are removed if they have not restated their rows in time. ``now`` is the time in
        seconds.
        """
        if order(self.position) < order(self._announced):
            self.needs_snapshot = True
        self._announced = newest
        self._elapsed += min(now - self._renewed_at, MAX_STEP)
        self._renewed_at = now
        touched: dict[bytes, None] = {}
        changes: list[TableChange] = []
        for node, missing in list(self._missing.items()):
            if missing.deadline <= self._elapsed and node != self.node:
                self._remove_member(node, touched, changes)
        return self._refresh(touched, changes)

    # --- content ---------------------------------------------------------------------------------------------------

    def registration(self, key: RegistrationKey) -> RegistrationRow | None:
        """Return the row of a registration, or None."""
        value = self.rows.get(key.field)
        return None if value is None else RegistrationRow.decode(value)

    def fields_of(self, node: str) -> frozenset[bytes]:
        """Return the fields of the callees of a node in the ledger, whether they are visible or not."""
        return frozenset(self._by_node.get(node.encode(), ()))

    def holders(self, name: bytes) -> frozenset[bytes]:
        """Return the fields of the callees of a registration in the ledger, whether they are visible or not."""
        return frozenset(self._by_registration.get(REGISTRATION + name, ()))

    def orphans(self) -> set[str]:
        """Return the nodes that are not members but still have rows in the ledger."""
        return {node.decode() for node in self._by_node} - self.members.keys()

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _keep_for_later(self, entries: Sequence[LogEntry]) -> None:
        self._later += entries
        del self._later[:-MAX_LATER_ENTRIES]

    def _take_later(self) -> list[LogEntry]:
        """Return the stored entries that follow the snapshot. Drop the earlier ones and those of a lost ledger."""
        later, self._later = self._later, []
        following = (place for place, entry in enumerate(later) if entry.previous == self.position)
        return later[next(following, len(later)) :]

    def _apply_field(self, field: bytes, value: bytes, touched: dict[bytes, None], changes: list[TableChange]) -> None:
        if field.startswith(MEMBER):
            node = field[2:].decode()
            if value:
                self._add_member(node, value, touched, changes)
            else:
                self._remove_member(node, touched, changes)
            return
        touched[field] = None
        is_present = field in self.rows
        if value:
            self.rows[field] = value
        else:
            self.rows.pop(field, None)
        if field.startswith(CALLEE) and is_present != bool(value):
            (self._index if value else self._remove_from_index)(field)

    def _index(self, field: bytes) -> None:
        self._by_node.setdefault(node_of(field), set()).add(field)
        self._by_registration.setdefault(registration_of(field), set()).add(field)

    def _remove_from_index(self, field: bytes) -> None:
        for index, key in ((self._by_node, node_of(field)), (self._by_registration, registration_of(field))):
            index[key].remove(field)
            if not index[key]:
                del index[key]

    def _add_member(self, node: str, record: bytes, touched: dict[bytes, None], changes: list[TableChange]) -> None:
        missing = self._missing.pop(node, None)
        if missing is not None:
            touched.update(dict.fromkeys(missing.callees))
        if node not in self.members:
            changes.append(MemberJoined(node, record))
        self.members[node] = record
        touched.update(dict.fromkeys(self.fields_of(node)))

    def _remove_member(self, node: str, touched: dict[bytes, None], changes: list[TableChange]) -> None:
        missing = self._missing.pop(node, None)
        if missing is not None:
            touched.update(dict.fromkeys(missing.callees))
        if self.members.pop(node, None) is not None:
            changes.append(MemberLeft(node))
        touched.update(dict.fromkeys(self.fields_of(node)))

    def _stated_callees(self, node: str) -> "dict[bytes, tuple[bytes, bytes]]":
        """Return the rows of a node's visible callees and of their registrations."""
        rows = self.rows
        return {field: (rows[field], rows[registration_of(field)]) for field in self.fields_of(node)}

    def _find(self, field: bytes) -> tuple[bytes, bytes] | None:
        """If a callee must be visible, return its row and the row of its registration. Otherwise return None."""
        node = node_of(field).decode()
        if node not in self.members:
            return None
        registration = self.rows.get(registration_of(field))
        value = self.rows.get(field)
        if value is not None and registration is not None:
            return value, registration
        missing = self._missing.get(node)
        kept = None if missing is None else missing.callees.get(field)
        if kept is not None and registration is not None:
            policy = RegistrationRow.decode(registration).policy
            if policy == "single" or policy != RegistrationRow.decode(kept[1]).policy:
                return None
        return kept

    def _refresh(self, touched: Iterable[bytes], changes: list[TableChange]) -> list[TableChange]:
        """Update the visible callees after changes of these fields. Return all changes in the order to report them."""
        removed: list[TableChange] = []
        added: list[TableChange] = []
        for field in self._with_missing(touched):
            if not field.startswith(CALLEE):
                continue
            found = self._find(field)
            before = self._visible.get(field)
            after = None if found is None else found[0]
            if before == after:
                continue
            key = parse_callee_field(field)
            if before is not None:
                del self._visible[field]
                del self.callees[key.registration][key]
                removed.append(CalleeRemoved(key, CalleeRow.decode(before)))
            if found is not None:
                self._visible[field] = found[0]
                row = CalleeRow.decode(found[0])
                self.callees.setdefault(key.registration, {})[key] = row
                added.append(CalleeAdded(key, row, RegistrationRow.decode(found[1])))
            if not self.callees[key.registration]:
                del self.callees[key.registration]
        left = [change for change in changes if isinstance(change, MemberLeft)]
        joined = [change for change in changes if isinstance(change, MemberJoined)]
        return [*joined, *removed, *added, *left]

    def _with_missing(self, touched: Iterable[bytes]) -> Iterable[bytes]:
        """Return ``touched`` and the callees of missing members, which a registration can make invisible."""
        if not self._missing:
            return touched
        return dict.fromkeys((*touched, *(field for each in self._missing.values() for field in each.callees)))


class _Missing(NamedTuple):
    """A member that was missing in a snapshot: when to remove it, and its callees with their registrations."""

    deadline: float
    callees: dict[bytes, tuple[bytes, bytes]]
