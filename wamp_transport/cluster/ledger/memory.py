"""The ledger in memory, with the same operations as the Lua scripts. It serves nodes of the same process, as in tests.

The content is the same as in Redis: two dictionaries with the fields of the two hashes, and a list of log entries. Read
each function ``_<operation>`` beside the script of the same name, which explains its steps.
"""

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from msgspec.structs import replace

from .layout import (
    CALLEE,
    MEMBER,
    REGISTRATION,
    REMOVED,
    CalleeRow,
    MemberRow,
    RegistrationRow,
    node_of,
    registration_of,
)
from .log import LogEntry, make_mark, order
from .operations import (
    Answer,
    JoinRequest,
    LeaveRequest,
    PurgeRequest,
    RegisterRequest,
    RenewRequest,
    Request,
    RestateRequest,
    StatedRow,
    Status,
    UnregisterRequest,
)

MAX_CLOCK_STEP = 2500
SETTLING_TIME = 3000
ABANDONED_AFTER = 60_000
REMEMBERED = 3_600_000
LOG_LENGTH = 10_000
ENTRY_FIELDS = 500
"""These constants have the same meaning as in the scripts. Times are in milliseconds."""


class MemoryLedger:
    """A ledger in memory. ``members``, ``rows`` and ``log`` have the content of the keys with these names."""

    def __init__(self) -> None:
        self.members: dict[bytes, bytes] = {}
        self.rows: dict[bytes, bytes] = {}
        self.log: list[LogEntry] = []

    def run(self, request: Request, now: int) -> Answer:
        """Carry out an operation. ``now`` is the wall-clock time in milliseconds."""
        return _OPERATIONS[request.script](_Run(self, request.node, now), request)

    def copy(self) -> "MemoryLedger":
        """Return a copy of the ledger."""
        other = copy(self)
        other.members, other.rows, other.log = dict(self.members), dict(self.rows), list(self.log)
        return other

    def entries(self, after: str) -> list[LogEntry]:
        """Return the log entries after this position; all entries if it is empty."""
        return [entry for entry in self.log if order(entry.position) > order(after)]

    def append(self, now: int, previous: str, fields: list[tuple[bytes, bytes]]) -> str:
        """Append a log entry and return its position. As in Redis, ids follow the wall clock but never decrease."""
        newest, number = order(self.log[-1].position) if self.log else (0, 0)
        new_id = f"{now}-0" if now > newest else f"{newest}-{number + 1}"
        entry = LogEntry(f"{new_id} {make_mark(previous, now, fields)}", previous, fields)
        self.log.append(entry)
        del self.log[:-LOG_LENGTH]
        return entry.position


class _Run:
    """One operation: the state of the ledger when the operation begins, and the log entry that it produces."""

    def __init__(self, ledger: MemoryLedger, node: str, now: int) -> None:
        self.ledger = ledger
        self.node = node.encode()
        self.now = now
        self.entry: dict[bytes, bytes] = {}
        members = ledger.members
        if b"id" not in members or ledger.rows.get(b"id") != members[b"id"]:
            members.clear()
            ledger.rows.clear()
        self.id = members.get(b"id", b"")
        self.heard = int(members.get(b"heard", now))
        self.clock = int(members.get(b"clock", 0)) + min(max(now - self.heard, 0), MAX_CLOCK_STEP)
        self.settling = int(members.get(b"settling", 0))
        self.last = members.get(b"last", b"").decode()
        value = members.get(MEMBER + self.node)
        self.member = None if value is None else MemberRow.decode(value)
        self.is_removed = REMOVED + self.node in members

    def finish(self, status: Status, names: Iterable[bytes] = ()) -> Answer:
        """Write the log entries and the values that every operation changes. Return the answer."""
        if self.id:
            fields = list(self.entry.items())
            for first in range(0, len(fields), ENTRY_FIELDS):
                self.last = self.ledger.append(self.now, self.last, fields[first : first + ENTRY_FIELDS])
            values = {b"heard": b"%d" % self.now, b"clock": b"%d" % self.clock, b"last": self.last.encode()}
            self.ledger.members.update(values)
            if self.member is not None:
                self.ledger.members[MEMBER + self.node] = self.member.encode()
        return Answer(status, self.id.decode(), self.last, tuple(names))

    def create(self, new_id: str) -> None:
        """Begin a new ledger. The old content has been deleted."""
        self.id = self.ledger.members[b"id"] = self.ledger.rows[b"id"] = self.entry[b"id"] = new_id.encode()

    def start_settling(self) -> None:
        """Make new registrations wait for a few seconds."""
        self.settling = self.clock + SETTLING_TIME
        self.ledger.members[b"settling"] = b"%d" % self.settling

    def check_member(self) -> Status | None:
        """Return why an operation of this node cannot be carried out, or None."""
        if self.is_removed:
            return "dead"
        return "restate" if self.member is None else None

    def check_change(self, number: int) -> Status | None:
        """Return why a change cannot be carried out. If it can, store its number and return None."""
        if self.member is None or self.is_removed:
            return self.check_member()
        if number <= self.member.change:
            return "late"
        if number != self.member.change + 1:
            return "restate"
        self.member = self.member._replace(change=number)
        return None

    def callee_field(self, name: bytes, session: int) -> bytes:
        """Return the field of a callee of this node."""
        return b"%b%b %b %d" % (CALLEE, name, self.node, session)

    def token_of(self, field: bytes) -> int | None:
        """Return the token of a callee in the ledger, or None."""
        value = self.ledger.rows.get(field)
        return None if value is None else CalleeRow.decode(value).token

    def set_row(self, field: bytes, value: bytes) -> None:
        """Change a row, and add the change to the log entry."""
        self.ledger.rows[field] = self.entry[field] = value

    def remove_row(self, field: bytes) -> None:
        """Remove a row, and add the removal to the log entry."""
        del self.ledger.rows[field]
        self.entry[field] = b""

    def remove_member(self, node: bytes) -> None:
        """Remove a member and remember its id."""
        if self.ledger.members.pop(MEMBER + node, None) is not None:
            self.entry[MEMBER + node] = b""
        self.ledger.members[REMOVED + node] = b"%d" % self.clock

    def remove_callees(self, fields: Iterable[bytes]) -> None:
        """Remove callees. Also remove each registration that has no callees left."""
        for field in fields:
            if field not in self.ledger.rows:
                continue
            self.remove_row(field)
            registration = registration_of(field)
            row = RegistrationRow.decode(self.ledger.rows[registration])
            if row.callee_count == 1:
                self.remove_row(registration)
            else:
                self.set_row(registration, row._replace(callee_count=row.callee_count - 1).encode())

    def add_callee(self, field: bytes, stated: StatedRow) -> Status:
        """Add a callee that is not in the ledger. Return ``ok``, or why it cannot be added."""
        registration = REGISTRATION + stated.name
        value = self.ledger.rows.get(registration)
        if value is None:
            row = RegistrationRow(stated.policy, 0, 1, stated.created)
        else:
            row = RegistrationRow.decode(value)
            if row.policy == "single":
                return "exists"
            if row.policy != stated.policy:
                return "policy"
        number = stated.number or row.next_number
        row = row._replace(callee_count=row.callee_count + 1, next_number=max(row.next_number, number + 1))
        self.set_row(registration, row.encode())
        self.set_row(field, CalleeRow(number, stated.token, stated.details).encode())
        return "ok"


def _join(run: _Run, request: JoinRequest) -> Answer:
    ledger = run.ledger
    if run.is_removed:
        return run.finish("dead")
    found: list[bytes] = []
    change = 0 if run.member is None else run.member.change
    if run.id and run.now - run.heard > ABANDONED_AFTER:
        others = (field for field in ledger.members if field != MEMBER + run.node)
        found = sorted(field[2:] for field in others if field.startswith(MEMBER))
        for part in (ledger.members, ledger.rows, ledger.log):
            part.clear()
        run.id, run.last, run.settling, change = b"", "", 0, 0
    if not run.id:
        run.create(request.new_ledger)
        if found:
            run.start_settling()
    run.member = MemberRow(run.clock + request.lease, change, request.record)
    run.entry[MEMBER + run.node] = request.record
    return run.finish("ok", found)


def _renew(run: _Run, request: RenewRequest) -> Answer:
    if run.member is None or run.is_removed:
        return run.finish(run.check_member() or "ok")
    run.member = run.member._replace(lease_end=run.clock + request.lease)
    removed: list[bytes] = []
    for field, value in list(run.ledger.members.items()):
        if field.startswith(MEMBER) and field != MEMBER + run.node and MemberRow.decode(value).lease_end < run.clock:
            removed.append(field[2:])
        elif field.startswith(REMOVED) and int(value) < run.clock - REMEMBERED:
            del run.ledger.members[field]
    removed.sort()
    for node in removed:
        run.remove_member(node)
    return run.finish("ok" if run.member.change == request.change else "restate", removed)


def _register(run: _Run, request: RegisterRequest) -> Answer:
    status = run.check_change(request.change)
    if status is not None:
        return run.finish(status)
    if run.clock < run.settling:
        return run.finish("wait")
    row = request.row
    field = run.callee_field(row.name, row.session)
    present = run.token_of(field)
    if present == row.token:
        return run.finish("ok")
    if present is not None:
        run.remove_callees([field])
    if request.is_forced:
        beginning = CALLEE + row.name + b" "
        run.remove_callees(each for each in request.known if each.startswith(beginning))
        run.remove_callees([each for each in run.ledger.rows if each.startswith(beginning)])
    return run.finish(run.add_callee(field, replace(row, number=0)))


def _unregister(run: _Run, request: UnregisterRequest) -> Answer:
    status = run.check_change(request.change)
    if status is not None:
        return run.finish(status)
    for name, session, token in request.callees:
        field = run.callee_field(name, session)
        if run.token_of(field) == token:
            run.remove_callees([field])
    return run.finish("ok")


def _restate(run: _Run, request: RestateRequest) -> Answer:
    if run.is_removed:
        return run.finish("dead")
    if run.member is not None and request.change <= run.member.change:
        return run.finish("late")
    if not run.id:
        run.create(request.new_ledger)
    if request.ledger.encode() != run.id and not run.settling:
        run.start_settling()
    run.member = MemberRow(run.clock + request.lease, request.change, request.record)
    run.entry[MEMBER + run.node] = request.record
    given = {run.callee_field(row.name, row.session): row for row in request.rows}
    own = [field for field in run.ledger.rows if field.startswith(CALLEE) and node_of(field) == run.node]
    run.remove_callees(field for field in own if field not in given or run.token_of(field) != given[field].token)
    absent = [field for field, row in given.items() if row.number >= 0 and field not in run.ledger.rows]
    lost = [field for field in absent if run.add_callee(field, given[field]) != "ok"]
    return run.finish("ok", lost)


def _purge(run: _Run, request: PurgeRequest) -> Answer:
    status = run.check_member()
    if status is not None:
        return run.finish(status)
    removed = request.removed.encode()
    if MEMBER + removed not in run.ledger.members:
        run.remove_callees(field for field in request.fields if node_of(field) == removed)
    return run.finish("ok")


def _leave(run: _Run, request: LeaveRequest) -> Answer:
    if run.id and not run.is_removed:
        run.remove_member(run.node)
        run.member = None
    return run.finish("ok")


_OPERATIONS: dict[str, Callable[[_Run, Any], Answer]] = {
    "join": _join,
    "renew": _renew,
    "register": _register,
    "unregister": _unregister,
    "restate": _restate,
    "purge": _purge,
    "leave": _leave,
}
