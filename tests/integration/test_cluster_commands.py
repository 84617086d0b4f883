"""Commands and reports in a cluster: each node answers for all, and no node has to be named."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from ..redis_server import RedisServer, redis_process
from .servers import Process, assert_quiet, configuration, free_port, manage, migrate, running, until, web, write_config
from .wire import joined

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.full]


class Project:
    """A project with one database, whose nodes form one router."""

    def __init__(self, stack: ExitStack, directory: Path, redis: RedisServer) -> None:
        self._stack = stack
        self._directory = directory
        self._database = {"WAMPNODE_DATABASE": str(directory / "db.sqlite3")}
        self._redis = {"WAMPNODE_REDIS": f"redis://127.0.0.1:{redis.port}/0"}
        self.processes: list[Process] = []
        migrate(directory / "db.sqlite3")

    def start(self, *, is_alone: bool = False) -> int:
        """Start a node, and return its port when it has reported to the database."""
        port = free_port()
        home = self._directory / f"node{port}"
        home.mkdir()
        write_config(home, configuration(web(port)))
        environment = self._database if is_alone else self._database | self._redis
        command = manage("runnode", "--config", str(home))
        process = self._stack.enter_context(running(command, home, **environment))
        self.processes.append(process.wait_for(port))
        self.wait_for_nodes(len(self.processes))
        return port

    def wait_for_nodes(self, count: int) -> None:
        """Wait until this number of nodes has reported an address."""
        until(lambda: sum(len(services) for services in self.reports("services")) == count, f"{count} nodes report")

    def reports(self, column: str) -> list[Any]:
        """Return a column with JSON of the nodes' reports, the oldest node first."""
        query = f"SELECT {column} FROM wamp_transport_runningnode ORDER BY started_at"
        with closing(sqlite3.connect(self._database["WAMPNODE_DATABASE"])) as database:
            return [json.loads(value) for (value,) in database.execute(query)]

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command of ``manage.py`` that ends with this exit code. Return its output."""
        command = manage(*arguments)
        with running(command, self._directory, **self._database, **self._redis) as process:
            assert process.ended(seconds=60) == code, process.output
            return process.output

    def wamp(self, *arguments: str) -> Any:
        """Run a subcommand of ``wamp`` with ``--json``. Return its output."""
        return json.loads(self.run("wamp", *arguments, "--json"))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with redis_process(has_port=True) as redis, ExitStack() as stack:
        yield Project(stack, tmp_path, redis)


def test_commands_act_on_all_nodes_without_naming_one(project: Project) -> None:
    first, second = project.start(), project.start()
    with joined(first) as here, joined(second) as there:
        for number, wire in enumerate((here, there)):
            wire.send_json([32, 1, {}, "com.topic"])
            assert wire.message()[0] == 33
            wire.send_json([64, 2, {}, f"com.procedure{number}"])
            assert wire.message()[0] == 65
        sessions = [one["session"] for one in project.wamp("sessions", "--with-role", "anonymous")["sessions"]]
        assert len(sessions) == 2
        (topic,) = project.wamp("subscriptions", "com.topic")["subscriptions"]
        assert topic["subscribers"] == sorted(sessions)
        found = project.wamp("registrations", "com.procedure")["registrations"]
        assert [(one["uri"], len(one["callees"])) for one in found] == [("com.procedure0", 1), ("com.procedure1", 1)]
        project.run("wamp", "publish", "com.topic", "hello")
        assert [wire.message()[4] for wire in (here, there)] == [["hello"]] * 2
        assert sorted(project.wamp("kill", *map(str, sessions), "--yes")["killed"]) == sorted(sessions)
        assert [wire.message()[2] for wire in (here, there)] == ["wamp.close.killed"] * 2
    assert [process.stop() for process in project.processes] == [0, 0]
    for process in project.processes:
        assert_quiet(process.output)
        assert "not the only node" not in process.output


def test_commands_ask_for_the_node_if_one_of_several_is_in_no_cluster(project: Project) -> None:
    project.start()
    project.start(is_alone=True)
    assert "choose one with --node" in project.run("wamp", "sessions", code=2)
    project.processes[1].wait_to_print("is not the only node of this project")
    assert "WAMP_TRANSPORT['CLUSTER']" in project.processes[1].output


def test_nodes_report_their_state_and_their_sessions(project: Project) -> None:
    first, second = project.start(), project.start()
    with joined(first), joined(first), joined(second):
        until(lambda: len(project.reports("cluster")[0]["peers"]) == 1, "the first node reports the second", seconds=60)
        one, other = project.reports("cluster")
        assert {each["membership"] for each in (one, other)} == {"joined"}
        assert [peer["node"] for peer in one["peers"]] == [other["node"]]
        assert one["prefix"] == other["prefix"]

        def counts() -> list[int]:
            return [sum(group[-1] for group in groups) for groups in project.reports("sessions")]

        until(lambda: counts() == [2, 1], "each node reports the sessions of its own clients", seconds=60)
