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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis import Redis
from redis.connection import UnixDomainSocketConnection
from redis.exceptions import NoScriptError

from wamp_transport.cluster.keys import ClusterKeys
from wamp_transport.cluster.ledger.layout import CALLEE, MEMBER, RegistrationKey
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

NODES = st.sampled_from(["a", "b", "c"])
NAMES = st.sampled_from(
    [RegistrationKey("r", "exact", "x").name, RegistrationKey("r", "prefix", "").name,
     RegistrationKey("r", "exact", "é.x").name]
)  # fmt: skip
POLICIES = st.sampled_from(["single", "single", "roundrobin", "first"])
SESSIONS = st.integers(1, 2)
STEPS = st.sampled_from([0, 0, 100, 1000, 2500, 4000, 11_000, 61_000, -4987, 3_700_000])
DETAILS = st.sampled_from([b"d", b"\x00\xff \n", b""])
OFFSETS = st.sampled_from([1, 1, 1, 1, 1, 1, 1, 0, 2])
"""What is added to the number of a node's last change. With 1, the change is carried out."""

TOKENS = st.integers(1, 3)
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
        self.changes: dict[str, int] = {}
        self.new_ids = 0
        self.copies: tuple[MemoryLedger, dict[str, Any]] | None = None

    @initialize()
    def start(self) -> None:
        self.redis.flushall()
        for command in SCRIPTS.load_commands():
            self.redis.execute_command(*command)

    # --- operations ------------------------------------------------------------------------------------------------

    def run(self, request: Request) -> Answer:
        """Carry out an operation on both ledgers, and compare the answers and the log."""
        self.now += 1
        expected = self.memory.run(request, self.now)
        answer = parse_answer(self.redis.execute_command(*SCRIPTS.command(request, self.now)))
        log = self.read_log()
        assert comparable_log(log) == comparable_log(self.memory.log[-COMPARED_ENTRIES:])
        assert comparable_answer(answer, log) == comparable_answer(expected, self.memory.log)
        if expected.status == "ok" and isinstance(request, JoinRequest | RestateRequest):
            value = self.memory.members[MEMBER + request.node.encode()]
            self.changes[request.node] = int(value.split()[1])
        return expected

    def change(self, node: str, offset: int) -> int:
        """Return the number for a change of a node, and remember it if the ledger will carry out the change."""
        last = self.changes.get(node, 0)
        if offset == 1:
            self.changes[node] = last + 1
        return last + offset

    def read_log(self) -> list[LogEntry]:
        """Return the newest entries of the log."""
        raw = reversed(self.redis.xrevrange(KEYS.log, count=COMPARED_ENTRIES))
        return [parse_entry(entry_id, [part for pair in values.items() for part in pair]) for entry_id, values in raw]

    def new_ledger_id(self) -> str:
        self.new_ids += 1
        return f"ledger{self.new_ids}"

    @rule(node=NODES, record=DETAILS)
    def join(self, node: str, record: bytes) -> None:
        self.run(JoinRequest(node, self.new_ledger_id(), LEASE, record or b"r"))

    @rule(node=NODES, offset=st.sampled_from([0, 0, 0, 1]))
    def renew(self, node: str, offset: int) -> None:
        self.run(RenewRequest(node, self.changes.get(node, 0) + offset, LEASE))

    @rule(node=NODES, offset=OFFSETS, row=ROWS, is_forced=st.booleans(), knows=st.booleans())
    def register(self, node: str, offset: int, row: StatedRow, is_forced: bool, knows: bool) -> None:
        known = tuple(field for field in self.memory.rows if field.startswith(CALLEE)) if knows else ()
        self.run(RegisterRequest(node, self.change(node, offset), row, is_forced, known))

    @rule(node=NODES, offset=OFFSETS, callees=st.lists(st.tuples(NAMES, SESSIONS, TOKENS), max_size=4))
    def unregister(self, node: str, offset: int, callees: list[tuple[bytes, int, int]]) -> None:
        self.run(UnregisterRequest(node, self.change(node, offset), tuple(callees)))

    @rule(
        node=NODES,
        offset=OFFSETS,
        rows=st.lists(ROWS, max_size=4, unique_by=lambda row: (row.name, row.session)),
        is_known=st.booleans(),
    )
    def restate(self, node: str, offset: int, rows: list[StatedRow], is_known: bool) -> None:
        ledger = self.memory.members.get(b"id", b"").decode() if is_known else "other"
        change = self.changes.get(node, 0) + offset
        self.run(RestateRequest(node, change, ledger, self.new_ledger_id(), LEASE, b"record", tuple(rows)))

    @rule(node=NODES, removed=NODES)
    def purge(self, node: str, removed: str) -> None:
        fields = tuple(field for field in self.memory.rows if field.startswith(CALLEE))
        self.run(PurgeRequest(node, removed, fields))

    @rule(node=NODES)
    def leave(self, node: str) -> None:
        self.run(LeaveRequest(node))

    # --- time and faults -------------------------------------------------------------------------------------------

    @rule(step=STEPS)
    def step_clock(self, step: int) -> None:
        self.now += step

    @rule(lost=st.sampled_from(["members", "rows", "log", "all"]))
    def lose(self, lost: str) -> None:
        for name in ("members", "rows", "log") if lost == "all" else (lost,):
            getattr(self.memory, name).clear()
            self.redis.delete(getattr(KEYS, name))

    @rule()
    def keep_copy(self) -> None:
        keys = (KEYS.members, KEYS.rows, KEYS.log)
        self.copies = self.memory.copy(), {key: self.redis.dump(key) for key in keys}

    @rule()
    def restore_copy(self) -> None:
        if self.copies is None:
            return
        memory, dumps = self.copies
        self.memory = memory.copy()
        for key, dump in dumps.items():
            self.redis.delete(key)
            if dump is not None:
                self.redis.restore(key, 0, dump)

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
    effort = settings(max_examples=examples(15), stateful_step_count=40, deadline=None)
    run_state_machine_as_test(lambda: LedgerMachine(redis), settings=effort)


@contextmanager
def connection(redis: Redis, user: str) -> Iterator[Callable[..., Any]]:
    """Yield a function that runs a command as a user with the documented permissions, without the client's parsing."""
    commands = ("EVAL", "EVALSHA", "MULTI", "EXEC", *COMMANDS)
    rules = [f"+{name.lower()}" for name in commands]
    redis.execute_command("ACL", "SETUSER", user, "on", ">secret", f"~{KEYS.prefix}*", *rules, "+script|load")
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
        for command in SCRIPTS.load_commands():
            run(*command)
        for request in requests:
            assert parse_answer(run(*SCRIPTS.command(request))).status == "ok"
        redis.script_flush()
        with pytest.raises(NoScriptError):
            run(*SCRIPTS.command(requests[-1]))
        assert parse_answer(run(*SCRIPTS.full_command(requests[-1]))).status == "ok"
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
