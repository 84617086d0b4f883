"""Nodes with tables of one ledger register and unregister while connections, the ledger and nodes fail.

When everything works again for some time, all tables are equal, and each node has exactly the callees that the ledger
has for it. A registration with the policy ``single`` has one callee.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from wamp_transport.cluster.ledger.layout import MEMBER, CalleeKey, RegistrationKey, RegistrationRow

from ..effort import examples
from .cluster_nodes import LEASE, Cluster, Node

pytestmark = pytest.mark.long

PICKS = st.sampled_from([0, 1, 2])
KEYS = st.sampled_from([RegistrationKey("realm", "exact", uri) for uri in ("a", "b")])
POLICIES = st.sampled_from(["single", "single", "single", "first", "random"])
SESSIONS = st.sampled_from([1, 2])
SMALL = st.sampled_from([0, 1, 2, 3])
ONE_IN_THREE = st.sampled_from([False, False, True])
PERIODS = st.sampled_from([0.25, 0.25, 0.5, 1, 3, 12])
CLOCK_STEPS = st.sampled_from([-40_000, -3000, 3000, 40_000, 90_000])
PARTS = st.sampled_from(["members", "rows", "log", "all"])
AGES = st.sampled_from([1, 2, 4, 8])

STEPS = {
    "register": 5,
    "unregister": 2,
    "send_and_execute": 3,
    "receive": 2,
    "read_log": 2,
    "read_snapshot": 2,
    "work": 4,
    "pass_time": 1,
    "disconnect": 3,
    "execute_late_request": 2,
    "cut": 1,
    "reconnect": 2,
    "kill": 1,
    "start_node": 2,
    "leave": 1,
    "lose": 1,
    "restore_copy": 1,
    "step_wall_clock": 1,
}
"""The methods of the machine that are its steps, and how often each is taken."""

Draw = Callable[[st.SearchStrategy[Any]], Any]
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

    # This is one rule, because Hypothesis leaves out many of the rules in each example.

    @rule(step=st.sampled_from([name for name, weight in STEPS.items() for _ in range(weight)]), data=st.data())
    def take_step(self, step: str, data: st.DataObject) -> None:
        getattr(self, step)(data.draw)

    # --- sessions --------------------------------------------------------------------------------------------------

    def register(self, draw: Draw) -> None:
        node = self.node(draw(PICKS))
        node.register(draw(KEYS), draw(SESSIONS), draw(POLICIES), is_forced=draw(ONE_IN_THREE))

    def unregister(self, draw: Draw) -> None:
        node = self.node(draw(PICKS))
        known = [*node.own, *(own for own, _ in node.undecided.values())]
        if known:
            node.unregister(*known[draw(SMALL) % len(known)])

    # --- progress --------------------------------------------------------------------------------------------------

    def send_and_execute(self, draw: Draw) -> None:
        node = self.node(draw(PICKS))
        node.send()
        node.execute(draw(SMALL))

    def receive(self, draw: Draw) -> None:
        self.node(draw(PICKS)).receive()

    def read_log(self, draw: Draw) -> None:
        self.node(draw(PICKS)).read_log()

    def read_snapshot(self, draw: Draw) -> None:
        self.node(draw(PICKS)).read_snapshot()

    def work(self, draw: Draw) -> None:
        self.cluster.work(draw(PERIODS))

    def pass_time(self, draw: Draw) -> None:
        self.cluster.pass_time(draw(PERIODS))

    # --- faults ----------------------------------------------------------------------------------------------------

    def disconnect(self, draw: Draw) -> None:
        node = self.node(draw(PICKS))
        node.send()
        node.disconnect(draw(SMALL), draw(SMALL))

    def execute_late_request(self, draw: Draw) -> None:
        if self.cluster.late:
            self.cluster.run(self.cluster.late.pop(0))

    def cut(self, draw: Draw) -> None:
        node = self.node(draw(PICKS))
        node.disconnect(draw(SMALL))
        node.is_connected = False

    def reconnect(self, draw: Draw) -> None:
        self.node(draw(PICKS)).is_connected = True

    def kill(self, draw: Draw) -> None:
        node = self.node(draw(PICKS))
        if len(self.cluster.nodes) > 1:
            node.execute(draw(SMALL))
            node.is_alive = False
            self.cluster.nodes.remove(node)

    def start_node(self, draw: Draw) -> None:
        if len(self.cluster.nodes) < 3:
            self.cluster.start()

    def leave(self, draw: Draw) -> None:
        self.node(draw(PICKS)).client.leave()

    def lose(self, draw: Draw) -> None:
        lost = draw(PARTS)
        for name in ("members", "rows", "log") if lost == "all" else (lost,):
            getattr(self.cluster.ledger, name).clear()
        self.perhaps_disconnect_all(draw)

    def restore_copy(self, draw: Draw) -> None:
        copies = self.cluster.copies
        if copies:
            self.cluster.ledger = copies[-min(draw(AGES), len(copies))].copy()
            self.perhaps_disconnect_all(draw)

    def step_wall_clock(self, draw: Draw) -> None:
        self.cluster.wall += draw(CLOCK_STEPS)

    def perhaps_disconnect_all(self, draw: Draw) -> None:
        if draw(ONE_IN_THREE):
            for node in self.cluster.nodes:
                node.disconnect()

    # --- checks ----------------------------------------------------------------------------------------------------

    @invariant()
    def cores_know_what_tables_contain(self) -> None:
        for node in self.cluster.nodes:
            assert node.callees == {key: row for each in node.table.callees.values() for key, row in each.items()}
            assert node.members == node.table.members.keys()
            check_single(node)

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
            assert not node.table.orphans()
            assert node.client.is_idle
            assert not node.undecided
            assert set(node.callees) == {
                CalleeKey(key, each.name, session) for each in cluster.nodes for key, session in each.own
            }
            self.check_own_rows(node)
        self.check_policies()

    def check_own_rows(self, node: Node) -> None:
        """Check that the ledger has the callees that the node has."""
        assert self.cluster.rows_of(node) == {
            (CalleeKey(key, node.name, session).field, node.tokens[key, session]) for key, session in node.own
        }

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
