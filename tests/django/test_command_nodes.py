"""``wamp nodes``: what the running nodes have reported."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.django.test_client_targets import no_table
from wamp_transport.cluster.node_state import NodeState, PeerState, to_json
from wamp_transport.stores import nodes

__all__ = ["no_table"]

pytestmark = pytest.mark.django_db


def run(*args):
    output, errors = StringIO(), StringIO()
    call_command("wamp", "nodes", *args, stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


def report_pair():
    one = NodeState("shop", "p", "A", "joined", (PeerState("B", "silent", 2048),), 3, 11, 12, 13, 14)
    nodes.report("one", 1, 0, cluster=to_json(one))
    nodes.report("other", 1, None, cluster=to_json(NodeState("shop", "p", "B", "joined", (PeerState("A", "open"),))))


def test_nodes_are_listed_with_their_state_in_the_cluster():
    report_pair()
    head, *lines = run()[0].splitlines()
    assert head.split()[:4] == ["NODE", "RUNS", "CLUSTER", "STATE"]
    assert lines[0].split() == ["one", "up", "to", "date", "shop", "open", "2", "0", "3", "11", "12", "13", "14"]
    assert lines[1].split()[-9:] == ["shop", "silent", "2", "2048", "0", "0", "0", "0", "0"]


def test_nodes_are_written_as_json():
    report_pair()
    nodes.report("alone", 1, 7, "a fault")
    found = {each["name"]: each for each in json.loads(run("--json")[0])["nodes"]}
    assert found["one"]["cluster"] == {
        "name": "shop", "state": "open", "nodes": 2, "waiting": 0, "lost_batches": 3, "dropped_events": 11,
        "unsent": 12, "unconfirmed_subscriptions": 13, "removals": 14,
    }  # fmt: skip
    assert found["other"]["runs"] == "not from the database"
    alone = found["alone"]
    assert (alone["cluster"], alone["runs"], alone["revision"], alone["problem"]) == (
        None, "refused a newer one", 7, "a fault",
    )  # fmt: skip


def test_nothing_that_runs_is_said():
    assert run() == ("", "No node has reported.\n")


def test_database_without_tables_is_said(no_table):
    with pytest.raises(CommandError, match="cannot be read from the database"):
        run()
