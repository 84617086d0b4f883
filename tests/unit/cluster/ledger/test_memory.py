"""The rules of the ledger. A property test compares the scripts with the ledger in memory, which is tested here."""

import pytest

from wamp_transport.cluster.ledger.layout import CalleeKey, CalleeRow, RegistrationKey, RegistrationRow
from wamp_transport.cluster.ledger.memory import MemoryLedger
from wamp_transport.cluster.ledger.operations import (
    Answer,
    JoinRequest,
    LeaveRequest,
    PurgeRequest,
    RegisterRequest,
    RenewRequest,
    Request,
    RestateRequest,
    StatedRow,
    UnregisterRequest,
)

X = RegistrationKey("realm", "exact", "x")
LEASE = 10_000


class Ledger:
    """A ledger with a wall clock, and the numbers of the nodes' changes."""

    def __init__(self) -> None:
        self.memory = MemoryLedger()
        self.now = 1_000_000
        self.changes: dict[str, int] = {}

    def run(self, request: Request) -> Answer:
        return self.memory.run(request, self.now)

    def change(self, node: str) -> int:
        self.changes[node] = self.changes.get(node, 0) + 1
        return self.changes[node]

    def join(self, node: str, new_ledger: str = "first") -> Answer:
        return self.run(JoinRequest(node, new_ledger, LEASE, b"record"))

    def renew(self, node: str, change: int | None = None) -> Answer:
        return self.run(RenewRequest(node, self.changes.get(node, 0) if change is None else change, LEASE))

    def register(self, node: str, session: int = 1, policy: str = "single", token: int = 1, force: bool = False) -> str:
        return self.run(RegisterRequest(node, self.change(node), row(session, policy, token), force)).status

    def unregister(self, node: str, session: int = 1, token: int = 1) -> str:
        return self.run(UnregisterRequest(node, self.change(node), ((X.name, session, token),))).status

    def restate(self, node: str, *rows: StatedRow, known: str = "first", new: str = "second") -> Answer:
        return self.run(RestateRequest(node, self.change(node), known, new, LEASE, b"record", rows))

    def numbers(self) -> list[tuple[str, int, int]]:
        """Return node, session and number of the callees of X."""
        rows = self.memory.rows
        keys = [CalleeKey(X, node, session) for node in "abc" for session in (1, 2)]
        return [(key.node, key.session, CalleeRow.decode(rows[key.field]).number) for key in keys if key.field in rows]

    def pass_time(self, seconds: float, *living: str) -> list[bytes]:
        """Let time pass while these nodes renew their leases. Return the members that are removed."""
        removed: list[bytes] = []
        for _ in range(round(seconds / 2.5)):
            self.now += 2500
            for node in living:
                removed += self.renew(node).names
        return removed


def row(session: int = 1, policy: str = "single", token: int = 1, number: int = 0) -> StatedRow:
    return StatedRow(X.name, session, token, policy, "then", b"details", number)


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    for node in "ab":
        assert ledger.join(node).status == "ok"
    return ledger


# --- registrations ---------------------------------------------------------------------------------------------------


def test_single_has_one_callee(ledger: Ledger) -> None:
    assert [ledger.register("a"), ledger.register("b"), ledger.register("a", session=2)] == ["ok", "exists", "exists"]
    assert ledger.numbers() == [("a", 1, 1)]


def test_shared_registration_has_one_policy(ledger: Ledger) -> None:
    assert ledger.register("a", policy="first") == "ok"
    assert ledger.register("b", policy="first") == "ok"
    assert ledger.register("b", policy="last", session=2) == "policy"
    assert ledger.register("b", policy="single", session=2) == "policy"
    assert ledger.numbers() == [("a", 1, 1), ("b", 1, 2)]
    assert RegistrationRow.decode(ledger.memory.rows[X.field]) == RegistrationRow("first", 2, 3, "then")


def test_repeated_register_changes_nothing(ledger: Ledger) -> None:
    ledger.register("a")
    log = list(ledger.memory.log)
    assert ledger.register("a") == "ok"
    assert ledger.memory.log == log


def test_forced_register_removes_all_others_in_one_entry(ledger: Ledger) -> None:
    ledger.register("a", policy="first")
    ledger.register("b", policy="first")
    assert ledger.register("b", session=2, policy="random", force=True) == "ok"
    assert ledger.numbers() == [("b", 2, 1)]
    fields = dict(ledger.memory.log[-1].fields)
    assert {field: bool(value) for field, value in fields.items()} == {
        CalleeKey(X, "a", 1).field: False,
        CalleeKey(X, "b", 1).field: False,
        CalleeKey(X, "b", 2).field: True,
        X.field: True,
    }


def test_unregister_frees_the_name(ledger: Ledger) -> None:
    ledger.register("a")
    assert ledger.unregister("a") == "ok"
    assert ledger.register("b") == "ok"


def test_unregister_spares_a_later_register_of_the_session(ledger: Ledger) -> None:
    ledger.register("a", token=2)
    assert ledger.unregister("a", token=1) == "ok"
    assert ledger.numbers() == [("a", 1, 1)]


# --- changes and their numbers ---------------------------------------------------------------------------------------


def test_missing_change_requires_restate(ledger: Ledger) -> None:
    ledger.change("a")
    assert ledger.register("a") == "restate"
    assert ledger.renew("a").status == "restate"
    assert ledger.restate("a").status == "ok"
    assert ledger.renew("a").status == "ok"


def test_overtaken_change_is_not_carried_out(ledger: Ledger) -> None:
    late = UnregisterRequest("a", 1, ((X.name, 1, 1),))
    ledger.change("a")
    ledger.restate("a", row())
    assert ledger.run(late).status == "late"
    assert ledger.run(RestateRequest("a", 1, "first", "second", LEASE, b"")).status == "late"
    assert ledger.numbers() == [("a", 1, 1)]


def test_refused_change_counts(ledger: Ledger) -> None:
    ledger.register("a")
    assert ledger.register("b") == "exists"
    assert ledger.renew("b").status == "ok"


# --- leases ----------------------------------------------------------------------------------------------------------


def test_member_whose_lease_ends_is_removed_by_another(ledger: Ledger) -> None:
    assert ledger.pass_time(10, "a") == []
    assert ledger.pass_time(2.5, "a") == [b"b"]
    assert ledger.memory.log[-1].fields == [(b"n:b", b"")]
    assert ledger.renew("b").status == ledger.join("b").status == ledger.restate("b").status == "dead"


def test_leases_stand_still_while_nobody_reaches_the_ledger(ledger: Ledger) -> None:
    ledger.now += 50_000
    assert ledger.renew("a").names == ()
    assert ledger.renew("b").status == "ok"


@pytest.mark.parametrize("step", [40_000, -40_000])
def test_step_of_the_wall_clock_ends_no_lease(ledger: Ledger, step: int) -> None:
    ledger.now += step
    assert ledger.pass_time(20, "a", "b") == []


def test_removed_id_is_forgotten_after_an_hour(ledger: Ledger) -> None:
    ledger.run(LeaveRequest("b"))
    ledger.pass_time(3600, "a")
    assert ledger.renew("b").status == "dead"
    ledger.pass_time(5, "a")
    assert ledger.renew("b").status == "restate"


def test_only_rows_of_removed_members_are_purged(ledger: Ledger) -> None:
    ledger.register("a", policy="first")
    ledger.register("b", policy="first")
    fields = (CalleeKey(X, "a", 1).field, CalleeKey(X, "b", 1).field)
    ledger.run(PurgeRequest("a", "b", fields))
    assert len(ledger.numbers()) == 2
    ledger.run(LeaveRequest("b"))
    ledger.run(PurgeRequest("a", "b", fields))
    assert ledger.numbers() == [("a", 1, 1)]


# --- lost and abandoned ledgers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["members", "rows"])
def test_half_a_ledger_is_a_lost_ledger(ledger: Ledger, lost: str) -> None:
    ledger.register("a")
    getattr(ledger.memory, lost).clear()
    assert ledger.renew("a") == Answer("restate", "", "")
    assert ledger.register("a") == "restate"
    assert ledger.memory.members == ledger.memory.rows == {}
    assert ledger.restate("a", row()).ledger == "second"
    assert ledger.numbers() == [("a", 1, 1)]


def test_registrations_wait_while_a_new_ledger_settles(ledger: Ledger) -> None:
    ledger.memory.rows.clear()
    ledger.restate("b")
    assert ledger.register("b") == "wait"
    assert ledger.restate("a", row()).names == ()
    ledger.now += 2500
    assert ledger.register("b") == "wait"
    ledger.now += 1000
    assert ledger.register("b") == "exists"


def test_ledger_settles_once(ledger: Ledger) -> None:
    ledger.memory.rows.clear()
    ledger.restate("a")
    ledger.pass_time(5, "a")
    ledger.restate("b")
    assert ledger.register("a") == "ok"


def test_restate_makes_the_rows_equal(ledger: Ledger) -> None:
    ledger.register("a", session=1, policy="first")
    ledger.register("b", session=1, policy="first")
    assert ledger.restate("a", row(2, "first", 5)).names == ()
    assert ledger.numbers() == [("a", 2, 3), ("b", 1, 2)]


def test_restate_keeps_numbers(ledger: Ledger) -> None:
    ledger.memory.rows.clear()
    ledger.restate("a", row(policy="first", number=7))
    ledger.restate("b", row(policy="first", number=2), row(2, "first"))
    assert ledger.numbers() == [("a", 1, 7), ("b", 1, 2), ("b", 2, 8)]


def test_restate_leaves_names_to_their_holders(ledger: Ledger) -> None:
    ledger.register("b")
    assert ledger.restate("a", row()).names == (CalleeKey(X, "a", 1).field,)
    assert ledger.numbers() == [("b", 1, 1)]


def test_restate_keeps_an_undecided_callee_but_does_not_add_it(ledger: Ledger) -> None:
    ledger.restate("a", row(number=-1))
    assert ledger.numbers() == []
    ledger.register("a")
    ledger.restate("a", row(number=-1))
    assert ledger.numbers() == [("a", 1, 1)]


def test_ledger_that_nobody_used_for_a_minute_begins_anew(ledger: Ledger) -> None:
    ledger.register("a")
    ledger.now += 60_001
    assert ledger.join("c", "second").names == (b"a", b"b")
    assert ledger.numbers() == []
    assert len(ledger.memory.log) == 1
    assert ledger.renew("a").status == "restate"
    assert ledger.register("c") == "wait"


def test_ledger_that_everybody_left_does_not_settle(ledger: Ledger) -> None:
    for node in "ab":
        ledger.run(LeaveRequest(node))
    ledger.now += 60_001
    assert ledger.join("c", "second").names == ()
    assert ledger.register("c") == "ok"


def test_repeated_join_keeps_the_change_number(ledger: Ledger) -> None:
    ledger.register("a")
    ledger.join("a")
    assert ledger.renew("a").status == "ok"


def test_log_entries_follow_each_other(ledger: Ledger) -> None:
    ledger.register("a")
    ledger.now -= 5000
    ledger.unregister("a")
    log = ledger.memory.log
    assert [entry.previous for entry in log] == ["", *(entry.position for entry in log[:-1])]
    assert ledger.memory.entries(log[0].position) == log[1:]
