"""A second process on the same database is logged; rows that dead nodes left behind are not."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from wamp_transport.bootstrap.other_nodes import OtherNodes
from wamp_transport.checks import check_single_process
from wamp_transport.cluster.node_state import NodeState, to_json
from wamp_transport.models import RunningNode
from wamp_transport.stores import nodes
from wamp_transport.stores.processes import process_exists

pytestmark = pytest.mark.django_db


def report(name, pid=None, host=None, seconds_ago=0, cluster=None):
    """Store the report of another process."""
    nodes.report(name, 1, 0, cluster=to_json(None if cluster is None else NodeState("shop", cluster)))
    columns = {"pid": pid, "host": host, "seen_at": timezone.now() - timedelta(seconds=seconds_ago)}
    RunningNode.objects.filter(name=name).update(**{key: each for key, each in columns.items() if each is not None})


def dead_pid():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def look(caplog):
    """A look at the other nodes; the names that were logged."""
    others = OtherNodes("own")
    nodes.report("own", 1, 0)

    def look(cluster=""):
        caplog.clear()
        found = others.look(nodes.running(), cluster)
        assert bool(found) == bool(caplog.records)
        return [each.name for each in found]

    return look


def test_second_process_on_this_host_is_logged_once(look, caplog):
    report("other", pid=os.getppid())
    assert look() == ["other"]
    (record,) = caplog.records
    for words in ("This process (own)", f"process {os.getppid()} on host ", "not shared", "runnode"):
        assert words in record.getMessage()
    assert look() == []


def test_process_that_starts_later_is_logged_at_the_next_look(look):
    assert look() == []
    report("other", pid=os.getppid())
    assert look() == ["other"]


def test_killed_node_of_this_host_is_not_logged(look):
    report("killed", pid=dead_pid())
    assert look() == look() == []


def test_ended_process_whose_parent_has_not_noticed_is_not_logged(look):
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    process.stdout.read()  # the end of the output is the end of the process
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    report("killed", pid=process.pid)
    assert look() == []
    process.wait()
    process.stdout.close()


def test_killed_node_of_another_host_is_not_logged(look):
    report("there", host="elsewhere", seconds_ago=3)
    assert look() == look() == []


def test_node_of_another_host_is_logged_when_it_reports_again(look):
    report("there", host="elsewhere", seconds_ago=3)
    assert look() == []
    nodes.report("there", 1, 0)
    RunningNode.objects.filter(name="there").update(host="elsewhere")
    assert look() == ["there"]


def test_node_of_another_host_that_starts_later_is_logged(look):
    assert look() == []
    report("there", host="elsewhere")
    assert look() == ["there"]


def test_node_that_comes_back_is_logged_again(look):
    report("other", pid=os.getppid())
    assert look() == ["other"]
    RunningNode.objects.filter(name="other").delete()
    assert look() == []
    report("other", pid=os.getppid())
    assert look() == ["other"]


def test_nodes_of_the_same_cluster_are_not_logged(look):
    report("member", pid=os.getppid(), cluster="p")
    report("alone", pid=os.getppid())
    assert look("p") == []


def test_node_of_another_cluster_is_logged(look, caplog):
    report("member", pid=os.getppid(), cluster="q")
    assert look("p") == ["member"]
    assert "the same NAME and KEY in WAMP_TRANSPORT['CLUSTER']" in caplog.text
    assert "Each process is a router of its own" not in caplog.text


def test_node_of_a_release_with_another_layout_is_logged(look, caplog):
    report("later", pid=os.getppid(), cluster="{wamp:shop:1}:2:")
    report("member", pid=os.getppid(), cluster="{wamp:other:1}:1:")
    assert look("{wamp:shop:1}:1:") == ["later", "member"]
    other, later = [record.getMessage() for record in caplog.records]
    assert "the same NAME and KEY" in other
    assert "stores registrations in another form in Redis" in later
    assert "Use the same release for all processes" in later
    assert "NAME and KEY" not in later


def test_process_that_does_not_join_the_cluster_in_the_settings_is_told_how(look, caplog, settings):
    report("member", pid=os.getppid(), cluster="p")
    assert look() == ["member"]
    assert "Set WAMP_TRANSPORT['CLUSTER']" in caplog.text
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "shop", "URL": "redis://127.0.0.1"}}
    report("another", pid=os.getppid(), cluster="p")
    assert look() == ["another"]
    assert "runserver --cluster" in caplog.text
    assert "Set WAMP" not in caplog.text


def test_process_exists():
    assert process_exists(os.getpid())
    assert process_exists(1)
    assert not process_exists(dead_pid())
    assert not process_exists(2**62)


def test_check_warns_of_several_processes(monkeypatch):
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    nodes.report("own", 1, 0)
    report("killed", pid=dead_pid())
    assert check_single_process(None) == []
    report("other", pid=os.getppid())
    (warning,) = check_single_process(None)
    assert warning.id == "wamp_transport.W022"
    assert f"process {os.getppid()} on host" in warning.msg
    assert f"process {os.getpid()} on host" in warning.msg


@pytest.mark.parametrize(("workers", "count"), [("", 0), ("1", 0), ("01", 0), ("x", 0), ("4", 1)])
def test_check_warns_of_several_workers(monkeypatch, workers, count):
    monkeypatch.setenv("WEB_CONCURRENCY", workers)
    assert len(check_single_process(None)) == count
