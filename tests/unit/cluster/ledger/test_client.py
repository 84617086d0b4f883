import pytest

from wamp_transport.cluster.ledger.attempts import DECISION_TIME
from wamp_transport.cluster.ledger.client import (
    RENEW_INTERVAL,
    SILENT_RETRY,
    AnswersWanted,
    CalleeRevoked,
    Joined,
    LedgerClient,
    MembersRemoved,
    NodeRemoved,
    Outcome,
    RegisterCompleted,
    RegisterRefused,
)
from wamp_transport.cluster.ledger.layout import CalleeKey, RegistrationKey
from wamp_transport.cluster.ledger.memory import MemoryLedger
from wamp_transport.cluster.ledger.operations import (
    JoinRequest,
    LeaveRequest,
    PurgeRequest,
    RegisterRequest,
    RenewRequest,
    Request,
    RestateRequest,
    UnregisterRequest,
)
from wamp_transport.cluster.ledger.table import LedgerTable

X = RegistrationKey("realm", "exact", "x")


class World:
    """A ledger and the time."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.now = 0.0
        self.answers = {"a": 0, "b": 0}
        """How many questions each node has answered. Tests add to these numbers."""
        self.new_ids = 0

    def new_id(self) -> str:
        self.new_ids += 1
        return f"ledger{self.new_ids}"


class Node:
    """A client with its table, connected to the ledger."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.table = LedgerTable(name)
        self.client = LedgerClient(name, b"record", 10, self.table, world.answers.get, world.new_id)

    def send(self) -> list[Request]:
        return self.client.next_requests(self.world.now)

    def answer(self, requests: list[Request]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for request in requests:
            answer = self.world.ledger.run(request, 1_000_000 + round(self.world.now * 1000))
            outcomes += self.client.on_answer(answer, self.world.now)
        return outcomes

    def read(self) -> list[Outcome]:
        ledger, now = self.world.ledger, self.world.now
        if self.table.needs_snapshot:
            return self.client.on_snapshot(self.table.replace(ledger.members, ledger.rows), now)
        return self.client.on_changes(self.table.apply(ledger.entries(self.table.read_position)), now)

    def work(self) -> list[Outcome]:
        return [*self.client.advance(self.world.now), *self.answer(self.send()), *self.read()]

    def register(self, session: int = 1, policy: str = "single", *, force: bool = False) -> int:
        token = self.client.register(X, session, policy, "then", b"d", self.world.now, is_forced=force)
        assert token is not None
        return token

    def sessions(self) -> list[int]:
        """Return the sessions of this node that are callees of X in the ledger."""
        keys = (CalleeKey(X, self.name, session) for session in (1, 2))
        return [key.session for key in keys if key.field in self.world.ledger.rows]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def a(world: World) -> Node:
    return joined(world, "a")


@pytest.fixture
def b(world: World) -> Node:
    return joined(world, "b")


def joined(world: World, name: str) -> Node:
    node = Node(world, name)
    assert node.work() == [Joined(())]
    return node


def pass_time(world: World, *nodes: Node, seconds: float) -> list[Outcome]:
    """Let these nodes work for some time, and return the outcomes."""
    outcomes: list[Outcome] = []
    for _ in range(round(seconds * 4)):
        world.now += 0.25
        for node in nodes:
            outcomes += node.work()
    return outcomes


# --- membership ------------------------------------------------------------------------------------------------------


def test_node_joins_before_anything_else(world: World) -> None:
    node = Node(world, "a")
    node.register()
    (request,) = node.send()
    assert request == JoinRequest("a", "ledger1", 10_000, b"record")
    assert node.send() == []
    node.client.on_disconnected(world.now)
    assert node.send() == [JoinRequest("a", "ledger2", 10_000, b"record")]


def test_lease_is_renewed(world: World, a: Node) -> None:
    assert a.client.next_deadline() == RENEW_INTERVAL
    world.now = RENEW_INTERVAL
    assert a.send() == [RenewRequest("a", 0, 10_000)]
    assert a.send() == []
    a.client.on_disconnected(world.now)
    assert a.send() == [RenewRequest("a", 0, 10_000)]


def test_rows_of_a_removed_member_are_purged(world: World, a: Node, b: Node) -> None:
    b.register()
    b.work()
    outcomes = pass_time(world, a, seconds=14)
    assert outcomes == [MembersRemoved(("b",))]
    assert b.sessions() == []


def test_rows_are_purged_by_a_third_node_if_needed(world: World, a: Node, b: Node) -> None:
    b.register()
    b.work()
    world.ledger.run(LeaveRequest("b"), 1_000_000)
    assert pass_time(world, a, seconds=2 * RENEW_INTERVAL + 0.5) == []
    assert b.sessions() == []


def test_removed_node_learns_it_at_the_next_renewal(world: World, a: Node, b: Node) -> None:
    a.work()
    world.ledger.run(LeaveRequest("a"), 1_000_000)
    a.read()
    (request,) = a.send()
    assert isinstance(request, RenewRequest)
    assert a.answer([request]) == [NodeRemoved()]
    world.now += 10
    assert a.send() == []


def test_node_leaves(world: World, a: Node) -> None:
    a.client.leave()
    assert a.send() == [LeaveRequest("a")]
    a.client.on_disconnected(world.now)
    assert a.answer(a.send()) == []
    assert a.client.is_removed
    assert a.send() == []


def test_member_that_returns_in_an_older_copy_is_removed_again(world: World, a: Node, b: Node) -> None:
    copy = world.ledger.copy()
    pass_time(world, a, seconds=14)
    world.ledger = copy
    pass_time(world, a, seconds=2 * RENEW_INTERVAL + 0.5)
    assert b"d:b" in world.ledger.members
    assert a.table.members.keys() == {"a"}


# --- registrations ---------------------------------------------------------------------------------------------------


def test_register_completes_when_the_log_is_read(world: World, a: Node) -> None:
    a.register()
    assert a.answer(a.send()) == []
    assert a.read() == [RegisterCompleted(1)]
    assert a.client.is_idle


def test_register_completes_if_the_log_is_read_before_the_answer(world: World, a: Node) -> None:
    a.register()
    (request,) = a.send()
    answer = world.ledger.run(request, 1_000_000)
    assert a.read() == [RegisterCompleted(1)]
    assert a.client.on_answer(answer, world.now) == []


def test_register_of_a_taken_name_is_refused(world: World, a: Node, b: Node) -> None:
    for node, policy in ((a, "first"), (b, "last")):
        node.register(policy=policy)
        node.work()
    b.register(policy="single")
    assert b.work() == [AnswersWanted(["a"])]
    world.answers["a"] += 1
    assert b.work() == [RegisterRefused(2, "policy")]


def test_register_of_a_name_of_another_session_of_the_node_is_refused(a: Node) -> None:
    a.register()
    a.work()
    del a.world.answers["a"]  # a node is no peer of its own
    a.register(session=2)
    assert a.work() == [RegisterRefused(2, "exists")]


def test_register_waits_for_a_holder_that_was_killed(world: World, a: Node, b: Node) -> None:
    a.register()
    a.work()
    b.read()
    world.answers["a"] = 17
    b.register()
    assert pass_time(world, b, seconds=9) == [AnswersWanted(["a"])]
    outcomes = pass_time(world, b, seconds=5)
    assert outcomes == [MembersRemoved(("a",)), RegisterCompleted(1)]


def test_register_is_refused_as_soon_as_the_holder_has_answered(world: World, a: Node, b: Node) -> None:
    a.register()
    a.work()
    b.read()
    b.register()
    assert b.work() == [AnswersWanted(["a"])]
    assert b.send() == []
    world.answers["a"] += 1
    (request,) = b.send()
    assert isinstance(request, RegisterRequest)
    assert b.answer([request]) == [RegisterRefused(1, "exists")]
    assert b.client.is_idle


def test_register_completes_if_the_holder_answers_that_it_has_lost_its_callee(world: World, a: Node, b: Node) -> None:
    a.register()
    a.work()
    b.read()
    b.register()
    b.work()
    a.client.unregister(X, 1)
    a.work()
    world.answers["a"] += 1
    assert b.work() == [RegisterCompleted(1)]


def test_next_holder_is_asked_too(world: World, a: Node, b: Node) -> None:
    """The name passes from a killed node to a living one while a third node waits for it."""
    c = joined(world, "c")
    world.answers["c"] = 0
    a.register()
    a.work()
    b.read()
    b.register()
    assert b.work() == [AnswersWanted(["a"])]
    a.client.unregister(X, 1)
    a.work()
    c.read()
    c.register()
    c.work()
    b.read()
    outcomes = pass_time(world, b, seconds=SILENT_RETRY + 0.25)
    assert outcomes == [AnswersWanted(["c"])]
    world.answers["c"] += 1
    assert b.work() == [RegisterRefused(1, "exists")]


def test_forced_register_revokes_the_others(world: World, a: Node, b: Node) -> None:
    a.register(policy="first")
    a.work()
    b.read()
    b.register(policy="last", force=True)
    assert b.work() == [RegisterCompleted(1)]
    assert a.read() == [CalleeRevoked(X, 1)]
    assert (a.sessions(), b.sessions()) == ([], [1])


def test_session_can_register_again_after_unregister(world: World, a: Node) -> None:
    a.register()
    a.work()
    a.client.unregister(X, 1)
    a.register()
    requests = a.send()
    assert [type(request) for request in requests] == [UnregisterRequest, RegisterRequest]
    a.answer(requests)
    assert a.read() == [RegisterCompleted(2)]
    assert a.client.is_idle


def test_register_without_answer_fails_and_is_taken_back(world: World, a: Node) -> None:
    a.register()
    late = a.send()
    world.now += DECISION_TIME
    assert a.client.advance(world.now) == [RegisterRefused(1, "unavailable")]
    assert a.client.register(X, 2, "single", "then", b"d", world.now) is None
    a.answer(late)
    assert a.read() == []
    assert not a.client.is_idle
    a.work()
    assert a.client.is_idle
    assert a.sessions() == []
    a.register(session=2)


def test_unknown_own_callee_is_unregistered(world: World, a: Node) -> None:
    a.register()
    a.work()
    copy = world.ledger.copy()
    a.client.unregister(X, 1)
    a.work()
    world.ledger = copy
    pass_time(world, a, seconds=2 * RENEW_INTERVAL)
    assert a.sessions() == []
    assert a.client.is_idle


def test_lost_ledger_is_restated(world: World, a: Node) -> None:
    a.register()
    a.work()
    world.ledger = MemoryLedger()
    assert pass_time(world, a, seconds=RENEW_INTERVAL + 0.25) == []
    assert a.sessions() == [1]
    assert a.client.is_idle


def test_callee_that_was_lost_to_another_node_is_revoked(world: World, a: Node, b: Node) -> None:
    copy = world.ledger.copy()
    a.register()
    a.work()
    world.ledger = copy
    b.register()
    b.work()
    outcomes = pass_time(world, a, b, seconds=RENEW_INTERVAL + 0.25)
    assert CalleeRevoked(X, 1) in outcomes
    assert (a.sessions(), b.sessions()) == ([], [1])


@pytest.mark.parametrize("is_executed", [True, False])
def test_changes_without_answer_are_restated(world: World, a: Node, is_executed: bool) -> None:
    a.register()
    a.work()
    a.client.unregister(X, 1)
    a.register(session=2)
    requests = a.send()
    for request in requests if is_executed else []:
        world.ledger.run(request, 1_000_000)
    a.client.on_disconnected(world.now)
    requests = a.send()
    assert [type(request) for request in requests] == [RenewRequest, RestateRequest]
    a.answer(requests)
    assert a.answer(a.send()) == []
    assert a.read() == [RegisterCompleted(2)]
    assert a.sessions() == [2]
    assert a.client.is_idle


def test_register_while_the_ledger_settles_is_tried_again(world: World, a: Node) -> None:
    world.ledger = MemoryLedger()
    pass_time(world, a, seconds=RENEW_INTERVAL + 0.25)
    a.register()
    assert pass_time(world, a, seconds=2) == []
    assert pass_time(world, a, seconds=2) == [RegisterCompleted(1)]


def test_holders_that_are_no_members_are_purged(world: World, a: Node, b: Node) -> None:
    b.register()
    b.work()
    a.read()
    world.ledger.run(LeaveRequest("b"), 1_000_000)
    a.read()
    a.register()
    a.work()
    world.now += 0.5
    requests = a.send()
    assert [type(request) for request in requests] == [PurgeRequest, RegisterRequest]
    a.answer(requests)
    assert a.read() == [RegisterCompleted(1)]
