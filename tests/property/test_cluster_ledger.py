"""The Lua scripts on a real Redis server and the ledger in memory carry out the same operations.

After each operation, the answers, the log entries and both hashes are equal.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from redis import Redis
from redis.connection import UnixDomainSocketConnection
from redis.exceptions import NoScriptError

from wamp_transport.cluster.keys import ClusterKeys
from wamp_transport.cluster.ledger.layout import CALLEE, MEMBER, MemberRow, RegistrationKey
from wamp_transport.cluster.ledger.log import LogEntry, parse_entry
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
from wamp_transport.cluster.ledger.scripts import COMMANDS, LedgerScripts, parse_answer, parse_snapshot

from ..effort import examples
from ..redis_server import running_redis

pytestmark = pytest.mark.long

KEYS = ClusterKeys("test", "secret")
SCRIPTS = LedgerScripts(KEYS)
LEASE = 10_000
COMPARED_ENTRIES = 4

NODES = st.sampled_from(["a", "b", "c", "d"])
PICKS = st.integers(0, 4)
"""Which member carries out an operation, or a node that need not be a member."""

NAMES = st.sampled_from([RegistrationKey("r", "exact", "é.x").name, RegistrationKey("r", "prefix", "").name])
POLICIES = st.sampled_from(["single", "single", "roundrobin", "first"])
SESSIONS = st.integers(1, 2)
STEPS = st.sampled_from([100, 1000, 2500, 2500, 4000, 11_000, -4987, 61_000, 3_700_000])
DETAILS = st.sampled_from([b"d", b"\x00\xff \n", b""])
OFFSETS = st.sampled_from([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2])
"""What is added to the number of a node's last change. With 1, the change is carried out."""

FAULTS = st.sampled_from(["copy", "copy", "restore", "restore", "members", "rows", "log", "all"])
TOKENS = st.integers(1, 2)
ROWS = st.builds(StatedRow, NAMES, SESSIONS, TOKENS, POLICIES, st.just("then it was"), DETAILS, st.integers(-1, 3))


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with running_redis() as address, Redis.from_url(address) as client:
        yield client


class LedgerMachine(RuleBasedStateMachine):
    """The same operations on both ledgers, with faults: a lost ledger, an evicted key, an older copy."""

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self.redis = redis
        self.memory = MemoryLedger()
        self.now = 1_700_000_000_000
        self.new_ids = 0
        self.registered: RegisterRequest | None = None
        self.copies: tuple[MemoryLedger, dict[str, Any]] | None = None

    @initialize()
    def start(self) -> None:
        self.redis.flushall()
        for source in SCRIPTS.sources.values():
            self.redis.script_load(source)
        for node in "abc":
            self.run(JoinRequest(node, self.new_ledger_id(), LEASE, b"r"))

    # --- operations ------------------------------------------------------------------------------------------------

    def run(self, request: Request) -> Answer:
        """Carry out an operation on both ledgers, and compare the answers and the log."""
        self.now += 1
        expected = self.memory.run(request, self.now)
        answer = parse_answer(self.redis.execute_command(*SCRIPTS.command(request, self.now)))
        log = self.read_log()
        assert comparable_log(log) == comparable_log(self.memory.log[-COMPARED_ENTRIES:])
        assert comparable_answer(answer, log) == comparable_answer(expected, self.memory.log)
        return expected

    def node(self, pick: int) -> str:
        """Return a member, or one of the nodes if there are fewer members."""
        members = sorted(field[2:].decode() for field in self.memory.members if field.startswith(MEMBER))
        return members[pick] if pick < len(members) else "abcde"[pick]

    def last_change(self, node: str) -> int:
        """Return the number of a node's last change."""
        value = self.memory.members.get(MEMBER + node.encode())
        return 0 if value is None else MemberRow.decode(value).change

    def read_log(self) -> list[LogEntry]:
        """Return the newest entries of the log."""
        raw = reversed(self.redis.xrevrange(KEYS.log, count=COMPARED_ENTRIES))
        return [parse_entry(entry_id, [part for pair in values.items() for part in pair]) for entry_id, values in raw]

    def new_ledger_id(self) -> str:
        self.new_ids += 1
        return f"ledger{self.new_ids}"

    # There are only two rules, because Hypothesis leaves out many of the rules in each example.

    @rule(
        kind=st.sampled_from(["register"] * 5 + ["force", "again", "again", "unregister", "restate"]),
        pick=PICKS,
        offset=OFFSETS,
        row=ROWS,
        rows=st.lists(ROWS, max_size=4, unique_by=lambda row: (row.name, row.session)),
        choice=st.booleans(),
    )
    def change(self, kind: str, pick: int, offset: int, row: StatedRow, rows: list[StatedRow], choice: bool) -> None:
        """Carry out a change. ``choice`` is whether the node knows the rows or the id of the ledger."""
        node = self.node(pick)
        number = self.last_change(node) + offset
        known = tuple(field for field in self.memory.rows if field.startswith(CALLEE)) if choice else ()
        if kind == "again" and self.registered is not None:
            node = self.registered.node
            self.run(replace(self.registered, change=self.last_change(node) + 1))
        elif kind == "unregister":
            self.run(UnregisterRequest(node, number, tuple((each.name, each.session, each.token) for each in rows)))
        elif kind == "restate":
            ledger = self.memory.members.get(b"id", b"").decode() if choice else "other"
            self.run(RestateRequest(node, number, ledger, self.new_ledger_id(), LEASE, b"record", tuple(rows)))
        else:
            self.registered = RegisterRequest(node, number, row, kind == "force", known)
            self.run(self.registered)

    @rule(
        kind=st.sampled_from(["join"] * 3 + ["renew"] * 4 + ["purge", "leave"] + ["clock"] * 4 + ["fail"]),
        pick=PICKS,
        node=NODES,
        step=STEPS,
        record=DETAILS,
        fault=FAULTS,
    )
    def manage(self, kind: str, pick: int, node: str, step: int, record: bytes, fault: str) -> None:
        """Carry out another operation, let time pass, or let something fail."""
        member = self.node(pick)
        if kind == "join":
            self.run(JoinRequest(node, self.new_ledger_id(), LEASE, record or b"r"))
        elif kind == "renew":
            self.run(RenewRequest(member, self.last_change(member) + (step == 100), LEASE))
        elif kind == "purge":
            fields = tuple(field for field in self.memory.rows if field.startswith(CALLEE))
            self.run(PurgeRequest(member, node, fields))
        elif kind == "leave":
            self.run(LeaveRequest(node))
        elif kind == "clock":
            self.now += step
        else:
            self.fail(fault)

    def fail(self, fault: str) -> None:
        """Lose some keys, or keep or restore a copy of the ledger."""
        names = ("members", "rows", "log")
        if fault == "copy":
            self.copies = self.memory.copy(), {name: self.redis.dump(getattr(KEYS, name)) for name in names}
        elif fault != "restore":
            for name in names if fault == "all" else (fault,):
                getattr(self.memory, name).clear()
                self.redis.delete(getattr(KEYS, name))
        elif self.copies is not None:
            memory, dumps = self.copies
            self.memory = memory.copy()
            for name, dump in dumps.items():
                self.redis.delete(getattr(KEYS, name))
                if dump is not None:
                    self.redis.restore(getattr(KEYS, name), 0, dump)

    # --- comparison ------------------------------------------------------------------------------------------------

    @invariant()
    def hashes_are_equal(self) -> None:
        members, rows = self.redis.hgetall(KEYS.members), self.redis.hgetall(KEYS.rows)
        assert rows == self.memory.rows
        assert comparable_members(members, self.read_log()) == comparable_members(self.memory.members, self.memory.log)

    @invariant()
    def every_row_belongs_to_a_registration(self) -> None:
        counts: dict[bytes, int] = {}
        for field in self.memory.rows:
            if field.startswith(CALLEE):
                name = field[2:].rsplit(b" ", 2)[0]
                counts[name] = counts.get(name, 0) + 1
        registrations = {field[2:]: value for field, value in self.memory.rows.items() if field.startswith(b"r:")}
        assert counts == {name: int(value.split()[1]) for name, value in registrations.items()}
        assert all(counts[name] == 1 for name, value in registrations.items() if value.startswith(b"single "))


def comparable_log(log: list[LogEntry]) -> list[Any]:
    """Return the entries without their positions. An entry refers to the one before it, or to a lost one."""
    before = ["" if len(log) < COMPARED_ENTRIES else log[0].previous, *(entry.position for entry in log)]
    return [(entry.previous == before[place], dict(entry.fields)) for place, entry in enumerate(log)]


def comparable_answer(answer: Answer, log: list[LogEntry]) -> tuple[Any, ...]:
    return answer.status, answer.ledger, sorted(answer.names), position(answer.newest, log)


def comparable_members(members: dict[bytes, bytes], log: list[LogEntry]) -> dict[bytes, Any]:
    return {**members, b"last": position(members.get(b"last", b"").decode(), log)}


def position(place: str, log: list[LogEntry]) -> str:
    """Return what a position refers to: nothing, the newest entry, or a lost one."""
    if not place:
        return "none"
    return "newest" if log and log[-1].position == place else "lost"


def test_scripts_and_memory_agree(redis: Redis) -> None:
    effort = settings(max_examples=examples(20), stateful_step_count=40, deadline=None)
    run_state_machine_as_test(lambda: LedgerMachine(redis), settings=effort)


@contextmanager
def connection(redis: Redis, user: str) -> Iterator[Callable[..., Any]]:
    """Yield a function that runs a command as a user with the documented permissions, without the client's parsing."""
    commands = ("EVAL", "EVALSHA", "MULTI", "EXEC", *COMMANDS)
    rules = [f"+{name.lower()}" for name in commands]
    redis.execute_command("ACL", "SETUSER", user, "on", ">secret", f"~{KEYS.prefix}*", *rules)
    address = redis.connection_pool.connection_kwargs["path"]
    link = UnixDomainSocketConnection(path=address, username=user, password="secret", protocol=2)

    def run(*command: Any) -> Any:
        link.send_command(*command)
        return link.read_response()

    try:
        yield run
    finally:
        link.disconnect()


def test_documented_commands_suffice(redis: Redis) -> None:
    redis.flushall()
    rows = (StatedRow(b"exact r x", 1, 1, "first", "then", b"d"),)
    stated = StatedRow(b"exact r x", 2, 1, "last", "then", b"d")
    requests = [
        JoinRequest("a", "first", LEASE, b"r"),
        JoinRequest("b", "first", LEASE, b"r"),
        RestateRequest("a", 1, "first", "second", LEASE, b"r", rows),
        RegisterRequest("a", 2, stated, is_forced=True),
        UnregisterRequest("a", 3, ((b"exact r x", 2, 1),)),
        RenewRequest("a", 3, LEASE),
        LeaveRequest("b"),
        PurgeRequest("a", "b", ()),
    ]
    with connection(redis, "limited") as run:
        for request in requests:
            assert parse_answer(run(*SCRIPTS.full_command(request))).status == "ok"
        redis.script_flush()
        with pytest.raises(NoScriptError):
            run(*SCRIPTS.command(requests[-1]))
        assert parse_answer(run(*SCRIPTS.full_command(requests[-1]))).status == "ok"
        assert parse_answer(run(*SCRIPTS.command(requests[-1]))).status == "ok"
        replies = [run(*command) for command in SCRIPTS.snapshot_commands()]
        members, stored = parse_snapshot(replies[-1])
    assert abs(int(members[b"heard"]) / 1000 - time.time()) < 60
    assert set(stored) == {b"id"}


def test_large_changes_are_split_into_entries(redis: Redis) -> None:
    redis.flushall()
    count = 5000
    rows = tuple(StatedRow(b"exact r x", session, session, "first", "then", b"d") for session in range(count))
    memory = MemoryLedger()
    requests = [
        JoinRequest("a", "first", LEASE, b"r"),
        RestateRequest("a", 1, "first", "second", LEASE, b"r", rows),
        RegisterRequest("a", 2, StatedRow(b"exact r x", count, count, "last", "then", b"d"), is_forced=True),
    ]
    for now, request in enumerate(requests, 1_700_000_000_000):
        assert parse_answer(redis.execute_command(*SCRIPTS.full_command(request, now))).status == "ok"
        memory.run(request, now)
    assert redis.hgetall(KEYS.rows) == memory.rows
    assert redis.xlen(KEYS.log) == len(memory.log) > 2 * count // 500
