"""The state of a node in its cluster, in a form for the database."""

import json

from wamp_transport.cluster.node_state import NodeState, PeerState, from_json, to_json

STATE = NodeState("shop", "{wamp:shop:1}", "a", "joined", (PeerState("b", "silent", 7),), lost_batches=2)


def test_state_is_stored_and_read() -> None:
    assert from_json(json.loads(json.dumps(to_json(STATE)))) == STATE


def test_node_without_a_cluster_has_no_state() -> None:
    assert to_json(None) == {}
    assert from_json({}) is None


def test_state_of_another_release_is_read_if_possible() -> None:
    assert from_json({"cluster": "shop", "prefix": "p", "later": 1}) == NodeState("shop", "p")
    assert from_json({"cluster": "shop"}) is None
    assert from_json({**to_json(STATE), "membership": "other"}) is None
