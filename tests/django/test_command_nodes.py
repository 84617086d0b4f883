"""``wamp nodes``: what the running nodes have reported."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.django.test_client_targets import no_table
from wamp_transport.cluster.node_state import IncompatibleMember, NodeState, PeerState, to_json
from wamp_transport.stores import nodes

__all__ = ["no_table"]

pytestmark = pytest.mark.django_db

PREFIX = "{wamp:shop:1}:1:"


def run(*args):
    output, errors = StringIO(), StringIO()
    call_command("wamp", "nodes", *args, stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


def report_pair():
    one = NodeState("shop", PREFIX, "A", "joined", (PeerState("B", "silent", 2048),), 3, 11, 12, 13, 15, 14, (1, 1))
    nodes.report("one", 1, 0, cluster=to_json(one))
    nodes.report("other", 1, None, cluster=to_json(NodeState("shop", PREFIX, "B", "joined", (PeerState("A", "open"),))))


def test_nodes_are_listed_with_their_state_in_the_cluster():
    report_pair()
    head, *lines = run()[0].splitlines()
    assert head.split()[:4] == ["NODE", "RUNS", "CLUSTER", "STATE"]
    assert lines[0].split()[:8] == ["one", "up", "to", "date", "shop", "open", "1", "1"]
    assert lines[0].split()[8:] == ["2", "0", "3", "11", "12", "13", "15", "14"]
    assert lines[1].split()[-12:] == ["shop", "silent", "unknown", "1", "2", "2048", "0", "0", "0", "0", "0", "0"]


def test_nodes_are_written_as_json():
    report_pair()
    nodes.report("alone", 1, 7, "a fault")
    found = {each["name"]: each for each in json.loads(run("--json")[0])["nodes"]}
    assert found["one"]["cluster"] == {
        "name": "shop", "state": "open", "protocol": "1", "layout": "1", "incompatible": [], "nodes": 2, "waiting": 0,
        "lost_batches": 3, "dropped_events": 11, "unsent": 12, "unconfirmed_subscriptions": 13, "missing_replies": 15,
        "removals": 14,
    }  # fmt: skip
    assert found["other"]["runs"] == "not from the database"
    alone = found["alone"]
    assert (alone["cluster"], alone["runs"], alone["revision"], alone["problem"]) == (
        None, "refused a newer one", 7, "a fault",
    )  # fmt: skip


def test_incompatible_nodes_are_named():
    other = IncompatibleMember("B", "other", (2, 3))
    nodes.report("one", 1, 0, cluster=to_json(NodeState("shop", PREFIX, "A", "joined", incompatible=(other,))))
    nodes.report("other", 1, 0, cluster=to_json(NodeState("shop", PREFIX, "B", "joined", protocols=(2, 3))))
    text, warnings = run()
    assert [line.split()[5:8] for line in text.splitlines()[1:]] == [
        ["incompatible", "unknown", "1"], ["incompatible", "2", "to"]
    ]  # fmt: skip
    assert warnings.splitlines()[0] == (
        "one exchanges no messages with other (protocol 2 to 3), because their releases of wampnode are too different: "
        "events and calls do not reach each other's clients. Use the same release on all nodes."
    )
    assert warnings.splitlines()[1].startswith("other exchanges no messages with one (protocol unknown), because")
    found = [each["cluster"]["incompatible"] for each in json.loads(run("--json")[0])["nodes"]]
    assert found == [["other (protocol 2 to 3)"], ["one (protocol unknown)"]]


def test_nothing_that_runs_is_said():
    assert run() == ("", "No node has reported.\n")


def test_database_without_tables_is_said(no_table):
    with pytest.raises(CommandError, match="cannot be read from the database"):
        run()
