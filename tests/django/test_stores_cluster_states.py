"""What the reports of several nodes say about the state of each in the cluster."""

from datetime import timedelta

import pytest
from django.utils import timezone

from wamp_transport.cluster.node_state import IncompatibleMember, NodeState, PeerState, to_json
from wamp_transport.models import RunningNode
from wamp_transport.stores import nodes
from wamp_transport.stores.cluster_states import cluster_of, form_one_router, is_connected

pytestmark = pytest.mark.django_db

PREFIX = "{wamp:shop:1}:1:"


def report(name, *peers, seconds_ago=0, prefix=PREFIX, **state):
    """Store the report of a node that knows these peers. Its id in the cluster is its name in capital letters."""
    found = NodeState("shop", prefix, name.upper(), **{"membership": "joined", **state}, peers=peers)
    nodes.report(name, 1, 0, cluster=to_json(found))
    RunningNode.objects.filter(name=name).update(seen_at=timezone.now() - timedelta(seconds=seconds_ago))


def conditions():
    return {one.node.name: None if one.cluster is None else one.cluster.condition for one in nodes.running()}


def test_node_without_a_cluster_has_no_state():
    nodes.report("one", 1, 0)
    (status,) = nodes.running()
    assert status.cluster is None
    assert cluster_of(status.node) == ""
    assert not is_connected(status.node)


def test_nodes_that_know_each_other_are_open():
    report("a", PeerState("B", "open", 100), PeerState("C", "open", 5))
    report("b", PeerState("A", "open"), PeerState("C", "greeting", 10))
    report("c", PeerState("A", "open"), PeerState("B", "open", 1))
    assert conditions() == {"a": "open", "b": "open", "c": "open"}
    assert [one.cluster.waiting for one in nodes.running()] == [0, 101, 15]
    assert [one.cluster.nodes for one in nodes.running()] == [3, 3, 3]
    assert {cluster_of(one.node) for one in nodes.running()} == {PREFIX}


def test_node_that_another_one_does_not_hear_is_silent():
    report("a", PeerState("B", "silent"))
    report("b", PeerState("A", "open"), seconds_ago=5)
    assert conditions() == {"a": "open", "b": "silent"}


def test_node_that_a_later_report_does_not_know_is_gone():
    report("a", PeerState("C", "open"))
    report("b", PeerState("A", "open"), PeerState("C", "open"), seconds_ago=5)
    report("c", PeerState("A", "open"))
    assert conditions() == {"a": "open", "b": "gone", "c": "open"}


def test_node_that_has_joined_after_the_report_of_another_one_is_open():
    report("a", seconds_ago=5)
    report("b", PeerState("A", "open"))
    assert conditions() == {"a": "open", "b": "open"}


def test_node_that_is_cut_off_or_joins_says_so_itself():
    report("a", membership="cut off")
    report("b", PeerState("A", "silent"), membership="joining")
    assert conditions() == {"a": "cut off", "b": "joining"}
    assert [is_connected(one.node) for one in nodes.running()] == [False, False]


def test_reports_of_stale_nodes_and_of_other_clusters_do_not_count():
    report("a", PeerState("B", "silent"), seconds_ago=50)
    report("b", seconds_ago=5)
    report("c", prefix="{wamp:other:1}:1:")
    assert conditions() == {"a": "gone", "b": "open", "c": "open"}


def test_incompatible_nodes_are_not_gone_and_name_each_other():
    """The nodes A and C have no version of the protocol in common; B speaks with both of them."""
    other = IncompatibleMember("C", "c", (2, 2))
    report("a", PeerState("B", "open"), protocols=(1, 1), incompatible=(other,))
    report("b", PeerState("A", "open"), PeerState("C", "open"), protocols=(1, 2))
    report("c", PeerState("B", "open"), protocols=(2, 2), seconds_ago=5)
    assert conditions() == {"a": "incompatible", "b": "open", "c": "incompatible"}
    views = [one.cluster for one in nodes.running()]
    assert [view.incompatible for view in views] == [("c (protocol 2)",), (), ("a (protocol 1)",)]
    assert [view.protocol for view in views] == ["1", "1 to 2", "2"]
    found = {one.node.name: one.node for one in nodes.running()}
    assert form_one_router([found["a"], found["b"]])
    assert form_one_router([found["b"], found["c"]])
    assert not form_one_router([found["a"], found["b"], found["c"]])


def test_silent_node_that_is_incompatible_with_another_one_is_silent():
    report("a", PeerState("B", "silent"))
    report("b", incompatible=(IncompatibleMember("C", "c", None),))
    assert conditions() == {"a": "gone", "b": "silent"}
    assert [one.cluster.incompatible for one in nodes.running()] == [(), ("c (protocol unknown)",)]


def test_nodes_of_the_same_cluster_with_another_layout_are_incompatible():
    report("a")
    report("b", prefix="{wamp:shop:1}:12:")
    report("c", prefix="{wamp:shop:2}:1:")
    assert conditions() == {"a": "incompatible", "b": "incompatible", "c": "open"}
    views = [one.cluster for one in nodes.running()]
    assert [view.incompatible for view in views] == [("b (layout 12)",), ("a (layout 1)",), ()]
    assert [view.layout for view in views] == ["1", "12", "1"]
