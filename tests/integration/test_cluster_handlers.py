"""Handlers and model events of a project whose processes form one router over a real Redis server."""

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ..redis_server import redis_process
from .servers import (
    ROOT,
    Process,
    assert_quiet,
    configuration,
    environment_of,
    free_port,
    manage,
    migrate,
    realm,
    running,
    until,
    web,
    write_config,
)
from .wire import Wire, joined

pytestmark = [pytest.mark.integration, pytest.mark.long]


OPEN = realm("realm1", call=True, register=True, publish=True, subscribe=True)


class Site:
    """Two nodes of the site with one database. ``environment`` is that of all its processes."""

    def __init__(self, stack: ExitStack, directory: Path, redis: str) -> None:
        database = directory / "db.sqlite3"
        migrate(database)
        self.environment = {
            "DJANGO_SETTINGS_MODULE": "tests.integration.handler_site.settings",
            "WAMPNODE_DATABASE": str(database),
            "WAMPNODE_REDIS": redis,
        }
        self._stack = stack
        self._directory = directory
        self.ports: list[int] = []
        self.processes: list[Process] = []
        for _ in range(2):
            self.start()

    def start(self) -> None:
        """Start a node."""
        port = free_port()
        directory = self._directory / f"node{port}"
        directory.mkdir()
        write_config(directory, configuration(web(port), realms=[OPEN]))
        command = manage("runnode", "--config", str(directory))
        process = self._stack.enter_context(running(command, directory, **self.environment))
        self.ports.append(port)
        self.processes.append(process.wait_for(port))

    def handled(self, kind: str) -> list[list[Any]]:
        """Return the arguments of the handlers of this kind, on all nodes."""
        lines = [line for process in self.processes for line in process.output.splitlines() if '"handled"' in line]
        found = map(json.loads, lines)
        return sorted(each["values"] for each in found if each["handled"] == kind)

    def until_handled(self, kind: str, *expected: list[Any]) -> None:
        until(lambda: len(self.handled(kind)) >= len(expected), f"{kind} is handled {len(expected)} times")
        assert self.handled(kind) == sorted(expected)

    def run(self, code: str, port: int) -> None:
        """Run code in a process that serves nobody, and publishes on the node with this port."""
        own = environment_of(**self.environment, HANDLER_SITE_ROUTER=f"ws://127.0.0.1:{port}/ws")
        subprocess.run(manage("shell", "-v", "0", "-c", code), cwd=ROOT, env=own, check=True, timeout=60)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with redis_process(has_port=True) as redis, ExitStack() as stack:
        yield Site(stack, tmp_path, f"redis://127.0.0.1:{redis.port}/0")


def call(wire: Wire, number: int, procedure: str, *args: Any) -> Any:
    """Call a procedure. Return its result, or the URI of the error."""
    wire.send_json([48, number, {}, procedure, list(args)])
    answer = wire.message()
    return answer[3][0] if answer[0] == 50 else answer[4]


def test_handlers_of_several_nodes(site: Site) -> None:
    pids = [process.process.pid for process in site.processes]
    with joined(site.ports[0]) as one, joined(site.ports[1]) as other, joined(site.ports[0]) as page:
        page.send_json([32, 1, {"match": "prefix"}, "com.site.user."])
        assert page.message()[0] == 33
        # Each node answers its own clients. The name is taken for clients.
        assert [call(wire, 1, "com.site.process") for wire in (one, other)] == pids
        one.send_json([64, 2, {}, "com.site.process"])
        assert one.message()[4] == "wamp.error.procedure_already_exists"
        # Events of clients, and of Django code in a node.
        for number in range(10):
            (one, other)[number % 2].send_json([16, number + 3, {}, "com.site.topic", [number]])
        assert call(one, 13, "com.site.publish", 10) == pids[0]
        site.until_handled("once", *([number] for number in range(11)))
        site.until_handled("everywhere", *([number] for number in range(11) for _ in range(2)))
        # Model events, of a node and of a process without a node.
        assert call(other, 13, "com.site.create", "ann") == 1
        assert page.message()[4:6] == [[1], {"username": "ann"}]
        code = "from django.contrib.auth.models import User; User.objects.create(username='joe')"
        site.run(code, site.ports[1])
        assert page.message()[4:6] == [[2], {"username": "joe"}]
        topic = "com.site.user.created"
        site.until_handled("user", [topic, "ann"], [topic, "joe"])
        # Each node knows the Django user of a session on the other one.
        assert call(other, 15, "com.site.create", "django") == 3
        assert call(other, 16, "com.site.announce") is None
        site.until_handled("who", *(["django", pid] for pid in pids))
        # A rolling deployment: a third node joins, and the first one leaves.
        site.start()
        with joined(site.ports[2]) as third:
            assert call(third, 1, "com.site.process") == site.processes[2].process.pid
            assert site.processes[0].stop() == 0
            assert call(third, 2, "com.site.process") == site.processes[2].process.pid
            assert call(other, 14, "com.site.process") == pids[1]
            third.send_json([16, 3, {}, "com.site.topic", [11]])
            site.until_handled("once", *([number] for number in range(12)))
            counts = Counter(number for (number,) in site.handled("everywhere"))
            until(lambda: Counter(n for (n,) in site.handled("everywhere"))[11] == 2, "both nodes handle it")
            assert counts[10] == 2
    assert [process.stop() for process in site.processes] == [0, 0, 0]
    for process in site.processes:
        assert_quiet(process.output)


@pytest.mark.full
def test_handlers_return_after_the_node_was_removed(site: Site) -> None:
    """A node that was stopped for longer than its lease joins again with its handlers, without an error."""
    stopped = site.processes[1]
    os.kill(stopped.process.pid, signal.SIGSTOP)
    with joined(site.ports[0]) as one:
        # Only the other node has the handlers in the meantime.
        until(lambda: call(one, 1, "wamp.registration.count_callees", callees(one)) == 1, "the node is removed")
        os.kill(stopped.process.pid, signal.SIGCONT)
        stopped.wait_to_print("is a member of the cluster again")
        until(lambda: call(one, 1, "wamp.registration.count_callees", callees(one)) == 2, "the handlers are back")
    with joined(site.ports[1]) as other:
        assert call(other, 1, "com.site.process") == stopped.process.pid
    for text in ("ERROR", "this is retried", "Traceback"):
        assert text not in stopped.output


def callees(wire: Wire) -> int:
    """Return the id of the registration."""
    registration = call(wire, 1, "wamp.registration.lookup", "com.site.process")
    assert isinstance(registration, int)
    return registration
