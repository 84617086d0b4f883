"""Real nodes that join a cluster over a real Redis server, with real clients."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from ..redis_server import RedisServer, redis_process
from .cluster_nodes import PASSWORD, Nodes, request, url_of
from .servers import ROOT, assert_quiet, environment_of, free_port, is_open, migrate, running, until
from .wire import joined

pytestmark = [pytest.mark.integration, pytest.mark.long]

LATER_RELEASE = """
import runpy, sys
from wamp_transport.cluster import messages
messages.PROTOCOLS = range(int(sys.argv[1]), int(sys.argv[2]) + 1)
sys.argv = sys.argv[3:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""A program that runs ``manage.py`` with other versions of the protocol between nodes. It must run in the root."""


def later_release(lowest: int, highest: int) -> list[str]:
    """Return the Python options to run a program that supports these versions of the protocol between nodes."""
    return ["-c", LATER_RELEASE, str(lowest), str(highest)]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_process(has_port=True, requirepass=PASSWORD) as server:
        yield server


@pytest.fixture
def nodes(redis: RedisServer, tmp_path: Path) -> Iterator[Nodes]:
    with ExitStack() as stack:
        yield Nodes(stack, tmp_path, redis)


def test_events_reach_the_clients_of_the_other_node(nodes: Nodes, redis: RedisServer) -> None:
    first, one = nodes.start()
    one.wait_to_print(f'cluster "wampnode": joined 0 other nodes at redis://127.0.0.1:{redis.port}/0')
    second, other = nodes.start()
    other.wait_to_print(f'cluster "wampnode": joined 1 other node at redis://127.0.0.1:{redis.port}/0')
    with joined(first) as here, joined(second) as there:
        assert request(here, 32, 1, {}, "com.topic")[0] == 33
        assert request(there, 32, 1, {"match": "prefix"}, "com")[0] == 33
        for number in range(100):
            there.send_json([16, number + 1, {}, "com.topic", [number]])
        assert [here.message()[4] for _ in range(100)] == [[number] for number in range(100)]
        assert request(here, 16, 2, {"acknowledge": True}, "com.other", ["back"])[0] == 17
        assert there.message()[4] == ["back"]
    assert [process.stop() for process in nodes.processes] == [0, 0]
    for process in nodes.processes:
        assert_quiet(process.output)
        assert PASSWORD not in process.output
        assert "not the only node" not in process.output


@pytest.mark.full
def test_node_that_joins_later_has_the_retained_events(nodes: Nodes) -> None:
    first, _ = nodes.start()
    with joined(first) as client:
        for number in range(250):
            request(client, 16, number + 1, {"retain": True, "acknowledge": True}, f"com.topic{number}", [number])
    second, _ = nodes.start()
    with joined(second) as client:
        for number in (0, 249):
            assert request(client, 32, number + 1, {"get_retained": True}, f"com.topic{number}")[0] == 33
            assert client.message()[4] == [number]


@pytest.mark.full
def test_node_does_not_listen_while_redis_is_away(nodes: Nodes, redis: RedisServer) -> None:
    redis.kill()
    port, process = nodes.start(is_waited_for=False)
    process.wait_to_print("The cluster is not connected; retrying:")
    assert not is_open(port)
    _, stopped = nodes.start(is_waited_for=False)
    stopped.wait_to_print("The cluster is not connected; retrying:")
    assert stopped.stop() == 0
    assert "tcp:127.0.0.1" not in stopped.output
    assert_quiet(stopped.output)
    redis.start()
    process.wait_for(port)
    assert "The cluster is connected again" in process.output
    assert PASSWORD not in process.output


@pytest.mark.full
def test_development_server_joins_only_if_told_to(nodes: Nodes) -> None:
    nodes.start()
    _, alone = nodes.start("runserver", "--noreload")
    assert "joined" not in alone.output
    _, member = nodes.start("runserver", "--noreload", "--cluster")
    member.wait_to_print("joined 1 other node at")


@pytest.mark.full
def test_other_servers_join(nodes: Nodes, redis: RedisServer, tmp_path: Path) -> None:
    """Each worker of uvicorn is a node of its own."""
    first, _ = nodes.start()
    port = free_port()
    environment = {
        "WAMPNODE_DATABASE": str(tmp_path / "db.sqlite3"),
        "WAMPNODE_REDIS": url_of(redis),
    }
    migrate(tmp_path / "db.sqlite3")
    server = ("-m", "uvicorn", "wampnode.asgi:application", "--host", "127.0.0.1", "--port", str(port))
    with running([sys.executable, *server], tmp_path, cwd=ROOT, **environment) as process:
        process.wait_for(port)
        with joined(first) as here, joined(port) as there:
            assert request(here, 32, 1, {}, "com.topic")[0] == 33
            there.send_json([16, 1, {}, "com.topic", ["hi"]])
            assert here.message()[4] == ["hi"]
        process.stop()


@pytest.mark.parametrize(("option", "text"), [
    ("volatile-lru", ""),
    ("allkeys-lru", "The Redis server of the cluster has the maxmemory-policy allkeys-lru"),
])  # fmt: skip
def test_server_that_evicts_keys_is_reported(tmp_path: Path, option: str, text: str) -> None:
    with redis_process(has_port=True, requirepass=PASSWORD, maxmemory_policy=option) as redis, ExitStack() as stack:
        _, process = Nodes(stack, tmp_path, redis).start()
        assert ("maxmemory-policy" in process.output) is bool(text)
        assert text in process.output


def test_project_without_a_cluster_does_not_load_the_redis_library() -> None:
    """Processes without a cluster pay nothing for it."""
    code = (
        "import django; django.setup(); import sys; import wamp_transport.bootstrap.runtime, wamp_transport.asgi; "
        "print(json.dumps([name for name in sys.modules if name.split('.')[0] in ('redis', 'hiredis')]))"
    )
    command = [sys.executable, "-c", f"import json; {code}"]
    found = subprocess.run(command, cwd=ROOT, env=environment_of(), check=True, capture_output=True, text=True)
    assert json.loads(found.stdout) == []


def test_calls_reach_callees_on_the_other_node(nodes: Nodes) -> None:
    numbers = count(1)
    first, _ = nodes.start()
    second, process = nodes.start()
    with joined(first) as callee:
        with joined(second) as caller:
            assert request(callee, 64, 1, {}, "com.add")[0] == 65
            # The other node may read the registration a moment later.
            until(
                lambda: request(caller, 48, next(numbers), {}, "wamp.registration.match", ["com.add"])[3][0],
                "it is known",
            )
            for number in range(20):
                call = next(numbers)
                caller.send_json([48, call, {}, "com.add", [number]])
                kind, invocation, _, _, args = callee.message()
                assert (kind, args) == (68, [number])
                callee.send_json([70, invocation, {}, args])
                assert caller.message() == [50, call, {}, [number]]
            refusal = request(caller, 64, next(numbers), {}, "com.add")
            assert (refusal[0], refusal[4]) == (8, "wamp.error.procedure_already_exists")
            assert request(caller, 64, next(numbers), {}, "com.sub")[0] == 65
        assert process.stop() == 0
        # The name is free, because the node has left the cluster.
        assert request(callee, 64, 2, {}, "com.sub")[0] == 65


@pytest.mark.full
def test_nodes_continue_after_redis_has_lost_everything(nodes: Nodes, redis: RedisServer) -> None:
    first, one = nodes.start()
    second, other = nodes.start()
    with joined(first) as here, joined(second) as there:
        assert request(here, 32, 1, {}, "com.topic")[0] == 33
        assert request(there, 64, 1, {}, "com.add")[0] == 65
        redis.kill()
        there.send_json([16, 1, {}, "com.topic", [1]])
        redis.start()
        assert here.message()[4] == [1]
        there.send_json([16, 2, {}, "com.topic", [2]])
        assert here.message()[4] == [2]
        here.send_json([48, 2, {}, "com.add", [3]])
        _, invocation, _, _, args = there.message()
        there.send_json([70, invocation, {}, args])
        assert here.message() == [50, 2, {}, [3]]
        refusal = request(here, 64, 3, {}, "com.add")
        assert (refusal[0], refusal[4]) == (8, "wamp.error.procedure_already_exists")
    assert [process.stop() for process in nodes.processes] == [0, 0]
    for process in (one, other):
        assert_quiet(process.output)


@pytest.mark.full
def test_nodes_of_incompatible_releases_serve_their_own_clients(nodes: Nodes) -> None:
    old = [nodes.start(), nodes.start()]
    new = [nodes.start(python=later_release(2, 3)), nodes.start(python=later_release(2, 3))]
    for (first, _), (second, process) in (old, new):
        process.wait_to_print("joined 1 other node at")
        with joined(first) as here, joined(second) as there:
            assert request(here, 32, 1, {}, "com.topic")[0] == 33
            assert request(there, 64, 1, {}, f"com.add{first}")[0] == 65
            there.send_json([16, 2, {}, "com.topic", [first]])
            assert here.message()[4] == [first]
            here.send_json([48, 2, {}, f"com.add{first}", [1]])
            _, invocation, *_ = there.message()
            there.send_json([70, invocation, {}, [2]])
            assert here.message() == [50, 2, {}, [2]]
    for port, process in (*old, *new):
        others = new if (port, process) in old else old
        process.wait_to_print("cannot exchange messages with this node, because their releases of wampnode are too")
        until(lambda: process.output.count("cannot exchange messages") == len(others), "both are logged")  # noqa: B023
    until(lambda: "incompatible" in nodes.command(old[0][0], "wamp", "nodes"), "the node reports its state", seconds=60)
    (listed,) = json.loads(nodes.command(old[0][0], "wamp", "nodes", "--json"))["nodes"]
    assert [text.rpartition(" (")[2] for text in listed["cluster"]["incompatible"]] == ["protocol 2 to 3)"] * 2
    # The nodes of the old release stop. The names of their procedures become free.
    with joined(old[0][0]) as callee, joined(new[0][0]) as client:
        assert request(callee, 64, 1, {}, "com.name")[0] == 65
        assert request(client, 64, 1, {}, "com.name")[4] == "wamp.error.procedure_already_exists"
        assert [process.stop() for _, process in old] == [0, 0]
        assert request(client, 64, 2, {}, "com.name")[0] == 65
