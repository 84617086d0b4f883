"""Nodes with tables of one ledger register and unregister while connections, the ledger and nodes fail.

When everything works again for some time, all tables are equal, and each node has exactly the callees that the ledger
has for it. A registration with the policy ``single`` has one callee.
"""

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wamp_transport.cluster.ledger.layout import MEMBER, CalleeKey, RegistrationKey, RegistrationRow

from ..effort import examples
from .cluster_nodes import LEASE, Cluster, Node

pytestmark = pytest.mark.long

PICKS = st.integers(0, 2)
KEYS = st.sampled_from([RegistrationKey("realm", "exact", uri) for uri in ("a", "b")])
POLICIES = st.sampled_from(["single", "single", "single", "first", "random"])
SESSIONS = st.integers(1, 2)
SMALL = st.integers(0, 3)
FULL_SECONDS = 2 * LEASE + 8
"""Time in which all leases of dead nodes end and their rows are purged."""


class ClusterMachine(RuleBasedStateMachine):
    """Three nodes, whose steps are interleaved in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()

    @initialize()
    def start(self) -> None:
        for _ in range(3):
            self.cluster.start()
        self.cluster.work(1)

    def node(self, pick: int) -> Node:
        return self.cluster.nodes[pick % len(self.cluster.nodes)]

    # --- sessions --------------------------------------------------------------------------------------------------

    @rule(pick=PICKS, key=KEYS, session=SESSIONS, policy=POLICIES, is_forced=st.sampled_from([False, False, True]))
    def register(self, pick: int, key: RegistrationKey, session: int, policy: str, is_forced: bool) -> None:
        self.node(pick).register(key, session, policy, is_forced=is_forced)

    @rule(pick=PICKS, place=SMALL)
    def unregister(self, pick: int, place: int) -> None:
        node = self.node(pick)
        known = [*node.own, *(own for own, _ in node.undecided.values())]
        if known:
            node.unregister(*known[place % len(known)])

    # --- progress --------------------------------------------------------------------------------------------------

    @rule(pick=PICKS, limit=SMALL)
    def send_and_execute(self, pick: int, limit: int) -> None:
        node = self.node(pick)
        node.send()
        node.execute(limit)

    @rule(pick=PICKS)
    def receive(self, pick: int) -> None:
        self.node(pick).receive()

    @rule(pick=PICKS)
    def read_log(self, pick: int) -> None:
        self.node(pick).read_log()

    @rule(pick=PICKS)
    def read_snapshot(self, pick: int) -> None:
        self.node(pick).read_snapshot()

    @rule(seconds=st.sampled_from([0.25, 0.25, 0.5, 1, 3, 12]))
    def work(self, seconds: float) -> None:
        self.cluster.work(seconds)

    @rule(seconds=st.sampled_from([0.1, 1, 2.5]))
    def pass_time(self, seconds: float) -> None:
        self.cluster.pass_time(seconds)

    # --- faults ----------------------------------------------------------------------------------------------------

    @rule(pick=PICKS, executed=SMALL, late=SMALL)
    def disconnect(self, pick: int, executed: int, late: int) -> None:
        node = self.node(pick)
        node.send()
        node.disconnect(executed, late)

    @precondition(lambda self: self.cluster.late)
    @rule()
    def execute_late_request(self) -> None:
        self.cluster.run(self.cluster.late.pop(0))

    @rule(pick=PICKS, executed=SMALL)
    def cut(self, pick: int, executed: int) -> None:
        node = self.node(pick)
        node.disconnect(executed)
        node.is_connected = False

    @rule(pick=PICKS)
    def reconnect(self, pick: int) -> None:
        self.node(pick).is_connected = True

    @precondition(lambda self: len(self.cluster.nodes) > 1)
    @rule(pick=PICKS, executed=SMALL)
    def kill(self, pick: int, executed: int) -> None:
        node = self.node(pick)
        node.execute(executed)
        node.is_alive = False
        self.cluster.nodes.remove(node)

    @precondition(lambda self: len(self.cluster.nodes) < 3)
    @rule()
    def start_node(self) -> None:
        self.cluster.start()

    @rule(pick=PICKS)
    def leave(self, pick: int) -> None:
        self.node(pick).client.leave()

    @rule(lost=st.sampled_from(["members", "rows", "log", "all"]), is_noticed=st.booleans())
    def lose(self, lost: str, is_noticed: bool) -> None:
        for name in ("members", "rows", "log") if lost == "all" else (lost,):
            getattr(self.cluster.ledger, name).clear()
        if is_noticed:
            self.disconnect_all()

    @precondition(lambda self: self.cluster.copies)
    @rule(age=st.integers(1, 8), is_noticed=st.booleans())
    def restore_copy(self, age: int, is_noticed: bool) -> None:
        copies = self.cluster.copies
        self.cluster.ledger = copies[-min(age, len(copies))].copy()
        if is_noticed:
            self.disconnect_all()

    @rule(step=st.sampled_from([-40_000, -3000, 3000, 40_000, 90_000]))
    def step_wall_clock(self, step: int) -> None:
        self.cluster.wall += step

    def disconnect_all(self) -> None:
        for node in self.cluster.nodes:
            node.disconnect()

    # --- checks ----------------------------------------------------------------------------------------------------

    @invariant()
    def cores_know_what_tables_contain(self) -> None:
        for node in self.cluster.nodes:
            assert node.callees == {key: row for each in node.table.callees.values() for key, row in each.items()}
            assert node.members == node.table.members.keys()
            check_single(node)

    @rule()
    def calm_down(self) -> None:
        """Let everything work for some time, and check that all nodes and the ledger agree."""
        cluster = self.cluster
        for node in cluster.nodes:
            node.is_connected = True
        cluster.late.clear()
        cluster.work(5.5)
        for node in cluster.nodes:
            self.check_own_rows(node)
        cluster.work(FULL_SECONDS)
        rows = {field: value for field, value in cluster.ledger.rows.items() if field != b"id"}
        assert {field[2:].decode() for field in cluster.ledger.members if field.startswith(MEMBER)} == {
            node.name for node in cluster.nodes
        }
        for node in cluster.nodes:
            assert node.table.rows == rows
            assert node.members == {each.name for each in cluster.nodes}
            assert node.client.is_idle
            assert not node.undecided
            assert set(node.callees) == {
                CalleeKey(key, each.name, session) for each in cluster.nodes for key, session in each.own
            }
            self.check_own_rows(node)
        self.check_policies()

    def check_own_rows(self, node: Node) -> None:
        """Check that the ledger has the callees that the node has."""
        held = {(CalleeKey(key, node.name, session).field) for key, session in node.own}
        assert {field for field, _ in self.cluster.rows_of(node)} == held

    def check_policies(self) -> None:
        """Check that the callees of a registration have one policy, and that there is only one if it is ``single``."""
        policies: dict[RegistrationKey, list[str]] = {}
        for node in self.cluster.nodes:
            for (key, _), policy in node.own.items():
                policies.setdefault(key, []).append(policy)
        for key, each in policies.items():
            assert len(set(each)) == 1
            assert each[0] != "single" or len(each) == 1
            row = RegistrationRow.decode(self.cluster.ledger.rows[key.field])
            assert (row.policy, row.callee_count) == (each[0], len(each))

    def teardown(self) -> None:
        if self.cluster.nodes:
            self.calm_down()
            self.names_can_be_registered()

    def names_can_be_registered(self) -> None:
        """Check that a free name can be registered, and a name of a killed node when its lease has ended."""
        first, key = self.cluster.nodes[0], RegistrationKey("realm", "exact", "new")
        first.register(key, 1, "single", is_forced=False)
        self.cluster.work(1)
        assert (key, 1) in first.own
        self.cluster.start()
        first.is_alive = False
        self.cluster.nodes.remove(first)
        self.cluster.work(1)
        last = self.cluster.nodes[-1]
        last.register(key, 1, "single", is_forced=False)
        self.cluster.work(LEASE + 4)
        assert (key, 1) in last.own
        assert not last.refused


def check_single(node: Node) -> None:
    """Check that a node never sees two callees of a registration with the policy ``single``."""
    for key, callees in node.table.callees.items():
        row = node.table.registration(key)
        members = {each.node for each in callees if each.field in node.table.rows}
        assert row is None or row.policy != "single" or len(callees) == 1 or not members


TestCluster = ClusterMachine.TestCase
TestCluster.settings = settings(
    max_examples=examples(20),
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining failures takes minutes
)
