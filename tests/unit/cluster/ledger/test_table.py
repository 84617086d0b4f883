import pytest

from wamp_transport.cluster.ledger.layout import CalleeKey, CalleeRow, RegistrationKey, RegistrationRow
from wamp_transport.cluster.ledger.memory import MemoryLedger
from wamp_transport.cluster.ledger.operations import (
    JoinRequest,
    LeaveRequest,
    RegisterRequest,
    Request,
    RestateRequest,
    StatedRow,
)
from wamp_transport.cluster.ledger.table import (
    RESTATE_TIME,
    CalleeAdded,
    CalleeRemoved,
    LedgerTable,
    MemberJoined,
    MemberLeft,
    TableChange,
)

X = RegistrationKey("realm", "exact", "x")
A, B = CalleeKey(X, "a", 1), CalleeKey(X, "b", 1)
ROW = StatedRow(X.name, 1, 1, "first", "then", b"d")
FIRST = CalleeRow(1, 1, b"d")


class Reader:
    """A table of the node ``t``, and the ledger that it follows. Node ``a`` is a member with a callee."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.table = LedgerTable("t")
        self.now = 1_000_000
        for request in (join("t"), join("a"), RegisterRequest("a", 1, ROW)):
            self.run(request)
        self.first = self.replace()

    def run(self, request: Request) -> None:
        self.now += 1
        self.ledger.run(request, self.now)

    def read(self) -> list[TableChange]:
        return self.table.apply(self.ledger.entries(self.table.read_position))

    def replace(self) -> list[TableChange]:
        return self.table.replace(self.ledger.members, self.ledger.rows)

    def lose(self) -> None:
        """Lose the ledger, and begin a new one with the node ``t``."""
        self.ledger = MemoryLedger()
        self.run(RestateRequest("t", 1, "first", "second", 10_000, b"record"))
        self.read()
        assert self.table.needs_snapshot


def join(node: str) -> JoinRequest:
    return JoinRequest(node, "first", 10_000, b"record")


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_snapshot_fills_the_table(reader: Reader) -> None:
    registration = RegistrationRow("first", 1, 2, "then")
    assert reader.first == [
        MemberJoined("t", b"record"),
        MemberJoined("a", b"record"),
        CalleeAdded(A, FIRST, registration),
    ]
    assert reader.table.callees == {X: {A: FIRST}}
    assert reader.table.registration(X) == registration
    assert reader.table.holders(X.name) == reader.table.fields_of("a") == {A.field}
    assert not reader.table.needs_snapshot


def test_log_changes_the_table(reader: Reader) -> None:
    reader.run(join("b"))
    reader.run(RegisterRequest("b", 1, ROW))
    registration = RegistrationRow("first", 2, 3, "then")
    assert reader.read() == [MemberJoined("b", b"record"), CalleeAdded(B, CalleeRow(2, 1, b"d"), registration)]
    assert reader.read() == []


def test_entries_are_applied_once(reader: Reader) -> None:
    position = reader.table.position
    reader.run(join("b"))
    entries = reader.ledger.entries(position)
    assert len(reader.table.apply(entries)) == 1
    assert reader.table.apply(entries) == []
    assert not reader.table.needs_snapshot


def test_missed_entry_requires_a_snapshot(reader: Reader) -> None:
    reader.run(LeaveRequest("a"))
    reader.run(join("b"))
    (_, last) = reader.ledger.entries(reader.table.position)
    assert reader.table.apply([last]) == []
    assert reader.table.needs_snapshot
    assert reader.table.callees == {X: {A: FIRST}}
    reader.run(join("c"))
    assert reader.read() == []
    changes = reader.replace()
    assert changes == [
        MemberJoined("b", b"record"),
        MemberJoined("c", b"record"),
        CalleeRemoved(A, FIRST),
        MemberLeft("a"),
    ]


def test_entries_after_a_snapshot_are_applied_with_it(reader: Reader) -> None:
    reader.table.needs_snapshot = True
    members, rows = dict(reader.ledger.members), dict(reader.ledger.rows)
    reader.run(join("b"))
    assert reader.read() == []
    assert reader.table.replace(members, rows) == [MemberJoined("b", b"record")]
    assert reader.table.position == reader.ledger.log[-1].position


def test_entries_of_a_lost_ledger_are_dropped(reader: Reader) -> None:
    reader.table.needs_snapshot = True
    reader.run(join("b"))
    reader.read()
    reader.ledger, reader.now = MemoryLedger(), 1_000
    reader.run(RestateRequest("t", 1, "first", "second", 10_000, b"record"))
    reader.replace()
    assert not reader.table.needs_snapshot
    assert "b" not in reader.table.members


@pytest.mark.parametrize("lost", ["members", "rows"])
def test_lost_snapshot_changes_nothing(reader: Reader, lost: str) -> None:
    reader.table.needs_snapshot = True
    getattr(reader.ledger, lost).clear()
    assert reader.replace() == []
    assert reader.table.needs_snapshot
    assert reader.table.callees == {X: {A: FIRST}}


def test_callees_of_a_removed_member_are_not_visible(reader: Reader) -> None:
    reader.run(LeaveRequest("a"))
    assert reader.read() == [CalleeRemoved(A, FIRST), MemberLeft("a")]
    assert reader.table.orphans() == {"a"}
    assert reader.table.holders(X.name) == {A.field}


def test_missing_member_stays_until_it_restates(reader: Reader) -> None:
    reader.lose()
    assert reader.replace() == []
    assert reader.table.callees == {X: {A: FIRST}}
    reader.run(RestateRequest("a", 2, "first", "third", 10_000, b"record", (ROW,)))
    assert reader.read() == []
    assert reader.table.callees == {X: {A: FIRST}}


def test_missing_member_is_removed_after_some_time(reader: Reader) -> None:
    reader.lose()
    reader.replace()
    newest = reader.table.position
    for renewal in range(round(RESTATE_TIME / 2.5) - 1):
        assert reader.table.on_renewed(newest, 100 + renewal * 2.5) == []
        assert reader.table.on_renewed(newest, 100 + renewal * 2.5) == []
    assert reader.table.on_renewed(newest, 200) == [CalleeRemoved(A, FIRST), MemberLeft("a")]
    assert "t" in reader.table.members


@pytest.mark.parametrize(("policy", "is_visible"), [("first", True), ("single", False), ("last", False)])
def test_callee_of_a_missing_member_is_hidden_if_its_name_is_taken(
    reader: Reader, policy: str, is_visible: bool
) -> None:
    reader.lose()
    reader.replace()
    row = StatedRow(X.name, 1, 1, policy, "then", b"d")
    reader.run(RestateRequest("b", 1, "first", "third", 10_000, b"record", (row,)))
    reader.read()
    assert (A in reader.table.callees[X]) is is_visible
    assert B in reader.table.callees[X]


def test_answers_reveal_a_lost_log(reader: Reader) -> None:
    position = reader.table.position
    reader.table.compare("first", position, position)
    assert not reader.table.needs_snapshot
    stream_id = position.partition(" ")[0]
    for newest in ("", "1-0 aa", f"{stream_id} other"):
        reader.table.needs_snapshot = False
        reader.table.compare("first", newest, position)
        assert reader.table.needs_snapshot
    reader.table.needs_snapshot = False
    reader.table.compare("second", position, position)
    assert reader.table.needs_snapshot


def test_log_must_arrive_before_the_next_renewal(reader: Reader) -> None:
    reader.run(join("b"))
    newest = reader.ledger.log[-1].position
    reader.table.on_renewed(newest, 1)
    assert not reader.table.needs_snapshot
    reader.table.on_renewed(newest, 3.5)
    assert reader.table.needs_snapshot
