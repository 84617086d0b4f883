"""A configuration edited while the node runs: what changed changes at once, what did not goes on undisturbed."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from .servers import (
    ROOT,
    Process,
    assert_quiet,
    configuration,
    environment_of,
    free_port,
    is_open,
    manage,
    migrate,
    node,
    realm,
    running,
    until,
    web,
    websocket,
    write_config,
)
from .wire import CLOSE, PING, PONG, TEXT, Frame, Wire, frame, joined, opened

pytestmark = [pytest.mark.integration, pytest.mark.full]

SOON = 10.0
"""A change is there within a second; the rest is for a busy machine."""

ALL = {"call": True, "register": True, "publish": True, "subscribe": True}


class Node:
    """A running node and its configuration, edited in place."""

    def __init__(self, directory: Path, process: Process, port: int) -> None:
        self.directory, self.process, self.port = directory, process, port

    def change(self, *, paths: Any = None, realms: Any = None, more: Any = ()) -> None:
        """Write another configuration."""
        realms = [realm("realm1", **ALL)] if realms is None else realms
        write_config(self.directory, configuration(web(self.port, paths), *more, realms=realms))

    def until_opens(self, path: str, expected: str = "101") -> None:
        """Wait until a handshake at the path has this status."""

        def answered() -> bool:
            with Wire(self.port) as wire:
                return wire.upgrade(path).split()[1] == expected

        until(answered, f"{expected} at {path}; {self.process.output}", seconds=SOON)


WS = {"type": "websocket"}


@pytest.fixture(scope="module")
def one_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    directory, port = tmp_path_factory.mktemp("node"), free_port()
    with node(directory, configuration(web(port), realms=[realm("realm1", **ALL)]), port) as process:
        yield Node(directory, process, port)
        assert process.stop() == 0
        assert_quiet(process.output)


@pytest.fixture
def running_node(one_node: Node, request: pytest.FixtureRequest) -> Node:
    """The node as it was before other tests."""
    one_node.change(paths={"ws": WS, request.node.name: WS})
    one_node.until_opens(f"/{request.node.name}")
    return one_node


def test_new_path_opens_and_other_sessions_work_on(running_node: Node) -> None:
    with joined(running_node.port) as callee, joined(running_node.port) as caller:
        callee.send_json([64, 1, {}, "com.echo"])
        assert callee.message()[0] == 65
        running_node.change(paths={"ws": WS, "more": websocket(max_message_size=1000)})
        number = 0

        def opens() -> bool:
            nonlocal number
            number += 1
            caller.send_json([48, number, {}, "com.echo", [number]])
            invocation = callee.message()
            callee.send_json([70, invocation[1], {}, invocation[4]])
            assert caller.message() == [50, number, {}, [number]]
            with Wire(running_node.port) as wire:
                return wire.upgrade("/more").split()[1] == "101"

        until(opens, "the new path", seconds=SOON)


def test_removed_path_says_goodbye_and_leaves_the_others_alone(running_node: Node) -> None:
    running_node.change(paths={"ws": WS, "gone": WS})
    running_node.until_opens("/gone")
    with (
        joined(running_node.port, "/gone") as gone,
        opened(running_node.port, "/gone") as early,
        joined(running_node.port) as stays,
    ):
        running_node.change(paths={"ws": WS})
        goodbye = gone.message()
        assert (goodbye[0], goodbye[2]) == (6, "wamp.close.close_realm")
        assert "/gone" in goodbye[1]["message"]
        gone.send_json([6, {}, "wamp.close.goodbye_and_out"])
        closing = gone.closed()
        assert closing.code == 1001
        assert closing.payload[2:].startswith(b"wamp.close.close_realm")
        assert early.message()[0] == 3
        assert early.closed().code == 1001
        running_node.until_opens("/gone", "404")
        stays.send_json([32, 1, {}, "com.topic"])
        assert stays.message()[0] == 33


def test_changed_permissions_count_for_the_next_call(running_node: Node) -> None:
    with joined(running_node.port) as wire:
        number = 0

        def subscribes() -> bool:
            nonlocal number
            number += 1
            wire.send_json([32, number, {}, f"com.topic{number}"])
            return bool(wire.message()[0] == 33)

        assert subscribes()
        running_node.change(realms=[realm("realm1", **ALL | {"subscribe": False})])
        until(lambda: not subscribes(), "the permission taken", seconds=SOON)
        running_node.change(realms=[realm("realm1", **ALL)])
        until(subscribes, "the permission given", seconds=SOON)


def test_removed_realm_ends_its_sessions_and_a_new_one_opens(running_node: Node) -> None:
    with joined(running_node.port) as old:
        running_node.change(realms=[realm("realm2", **ALL)])
        assert old.message()[0] == 6
        with joined(running_node.port, realm="realm2"):
            pass


def test_changed_option_counts_for_new_connections(running_node: Node) -> None:
    with joined(running_node.port) as old:
        running_node.change(paths={"ws": websocket(allowed_origins=["https://example.com"])})

        def refused() -> bool:
            with Wire(running_node.port) as wire:
                return " 403 " in wire.upgrade(headers=["Origin: http://evil.net"])

        until(refused, "the option", seconds=SOON)
        old.send_json([32, 1, {}, "com.topic"])
        assert old.message()[0] == 33


def test_changed_limit_reaches_open_connections(running_node: Node) -> None:
    large = frame(TEXT, b'[32,1,{},"com.topic"]'.ljust(5000))
    with joined(running_node.port) as wire:
        wire.send(large)
        assert wire.message()[0] == 33
        running_node.change(paths={"ws": websocket(max_message_size=1000), "more": WS})
        running_node.until_opens("/more")
        wire.send_json([32, 2, {}, "com.topic"])
        assert wire.message()[0] == 33
        wire.send(large)
        assert wire.closed().code == 1009


def test_faulty_file_changes_nothing_and_names_every_fault(running_node: Node) -> None:
    with joined(running_node.port) as wire:
        running_node.change(paths={"ws": WS | {"optoins": {}}, "more": {"type": "websocket", "url": 1}})
        output = running_node.process.wait_to_print("old one still runs", seconds=SOON)
        output = running_node.process.wait_to_print("paths.more.url", seconds=SOON)
        assert "workers[0].transports[0].paths.ws.optoins" in output
        wire.send_json([32, 1, {}, "com.topic"])
        assert wire.message()[0] == 33
        running_node.until_opens("/more", "404")
        running_node.change(paths={"ws": WS, "more": WS})
        running_node.until_opens("/more")
    assert running_node.process.output.count("old one still runs") == 1


def test_missing_file_is_told_once_and_changes_nothing(running_node: Node) -> None:
    path = running_node.directory / ".crossbar" / "config.json"
    text = path.read_text()
    path.unlink()
    running_node.process.wait_to_print("old one still runs", seconds=SOON)
    with joined(running_node.port):
        pass
    path.write_text(text.replace('"ws"', '"other"'))
    running_node.until_opens("/other")
    assert running_node.process.output.count("old one still runs") == 1


def test_endpoint_opens_and_closes_with_its_sessions(running_node: Node) -> None:
    port = free_port()
    running_node.change(more=[web(port)])
    until(lambda: is_open(port), "the new endpoint", seconds=SOON)
    with joined(port) as gone, joined(running_node.port) as stays:
        running_node.change()
        assert gone.message()[0] == 6
        gone.send_json([6, {}, "wamp.close.goodbye_and_out"])
        assert gone.closed().code == 1001
        until(lambda: not is_open(port), "the endpoint gone", seconds=SOON)
        stays.send_json([32, 1, {}, "com.topic"])
        assert stays.message()[0] == 33


def test_endpoint_that_is_taken_is_told_and_the_rest_of_the_change_holds(running_node: Node) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free = free_port()
        running_node.change(paths={"ws": WS, "more": WS}, more=[web(taken.getsockname()[1]), web(free)])
        running_node.process.wait_to_print("Address already in use", seconds=SOON)
        until(lambda: is_open(free), "the other endpoint", seconds=SOON)
        running_node.until_opens("/more")
        assert running_node.process.output.count("Address already in use") == 1


# --- clients that go on sending --------------------------------------------------------------------------------------


class Busy(Thread):
    """A client that calls itself without a pause until it is told to stop, and notes what it saw."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__()
        self.wire = joined(port)
        self.procedure = f"com.{name}"
        self.wire.send_json([64, 1, {}, self.procedure])
        assert self.wire.message()[0] == 65
        self.answered = 0
        self.pings = 0
        self.odd_frames: list[Frame] = []
        self.is_over = False
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.is_over:
                self.call(self.answered + 1)
        except (AssertionError, EOFError, OSError, ValueError) as failure:  # told to the test
            self.failure = failure

    def call(self, number: int) -> None:
        """One call, answered by ourselves; every message comes once, in order, with what was sent."""
        self.wire.send_json([48, number + 1, {}, self.procedure, [number, "x" * 200]])
        kind, invocation, *rest = self.message()
        assert (kind, rest[2]) == (68, [number, "x" * 200])
        self.wire.send_json([70, invocation, {}, [number]])
        assert self.message() == [50, number + 1, {}, [number]]
        self.answered = number

    def message(self) -> Any:
        while (got := self.wire.frame()).opcode == PING:
            self.pings += 1
            self.wire.send(frame(PONG, got.payload))
        if not got.is_final or got.is_masked:
            self.odd_frames.append(got)
        return got.message


def answer(wire: Wire, head: str) -> Frame:
    """The frame that answers a HELLO to a realm with a long name."""
    wire.send_json([1, "no.such.realm." + "x" * 200, {"roles": {"caller": {}}}])
    return wire.frame()


def is_limited(wire: Wire, head: str) -> bool:
    wire.send(frame(TEXT, b"x" * 10_001))
    closing = wire.frame()
    return (closing.opcode, closing.code) == (CLOSE, 1009)


def first(wire: Wire, opcode: int) -> Frame:
    while (got := wire.frame()).opcode != opcode:
        pass
    return got


CHANGES: list[tuple[dict[str, Any], Callable[[Wire, str], bool]]] = [
    ({"show_server_version": True}, lambda wire, head: "\r\nServer: wampnode/" in head),
    ({"auto_fragment_size": 50}, lambda wire, head: not answer(wire, head).is_final),
    ({"mask_server_frames": True}, lambda wire, head: answer(wire, head).is_masked),
    ({"compression": {"deflate": {}}}, lambda wire, head: "permessage-deflate" in head),
    ({"tcp_nodelay": False, "allowed_origins": ["https://a.example.com"]}, lambda wire, head: " 403 " in head),
    ({"require_websocket_subprotocol": False, "max_frame_size": 10_000}, is_limited),
    ({"auto_ping_interval": 1000, "auto_ping_size": 30}, lambda wire, head: len(first(wire, PING).payload) == 30),
]
"""Options, and how a new connection shows that they hold."""


def test_changes_while_clients_send_lose_nothing(running_node: Node) -> None:
    busy = [Busy(running_node.port, f"client{number}") for number in range(3)]
    try:
        for one in busy:
            one.start()
        for options, holds in CHANGES:
            running_node.change(paths={"ws": websocket(**options)})

            def shown(holds: Callable[[Wire, str], bool] = holds) -> bool:
                with Wire(running_node.port) as wire:
                    headers = ["Origin: http://b.example.com", "Sec-WebSocket-Extensions: permessage-deflate"]
                    return shows(holds, wire, wire.upgrade(headers=headers))

            until(shown, str(options), seconds=SOON)
            before = [one.answered for one in busy]
            until(lambda before=before: went_on(busy, before), f"calls after {options}", seconds=SOON)
        until(lambda: all(one.pings or one.failure for one in busy), "pings on connections from before", seconds=SOON)
        running_node.change(paths={"ws": websocket(), "end": WS})
        running_node.until_opens("/end")
    finally:
        for one in busy:
            one.is_over = True
            one.join()
            one.wire.socket.close()
    assert [one.failure for one in busy] == [None] * 3
    assert [one.odd_frames for one in busy] == [[]] * 3  # how frames are cut and masked is settled with the handshake


def shows(holds: Callable[[Wire, str], bool], wire: Wire, head: str) -> bool:
    """Whether a new connection shows a change; one without it says nothing for a while, or something else."""
    wire.socket.settimeout(1.5)
    try:
        return holds(wire, head)
    except (TimeoutError, EOFError):
        return False


def went_on(busy: list[Busy], before: list[int]) -> bool:
    return all(one.answered > number or one.failure for one, number in zip(busy, before, strict=True))


def test_change_of_who_may_come_ends_the_sessions_that_came_otherwise(running_node: Node) -> None:
    ticket = {"ticket": {"type": "static", "principals": {"joe": {"ticket": "secret", "role": "anonymous"}}}}
    both = {"type": "websocket", "auth": {"anonymous": {"type": "static", "role": "anonymous"}, **ticket}}
    with joined(running_node.port) as old:
        running_node.change(paths={"ws": both, "more": WS})
        running_node.until_opens("/more")
        old.send_json([32, 1, {}, "com.topic"])
        assert old.message()[0] == 33  # one way more takes nothing from anybody
        running_node.change(paths={"ws": {"type": "websocket", "auth": ticket}, "more": WS})
        goodbye = old.message()
        assert goodbye[0] == 6
        assert "the options for logins at" in goodbye[1]["message"]


# --- the database ----------------------------------------------------------------------------------------------------


def wamp_import(directory: Path, document: dict[str, Any], environment: dict[str, str]) -> None:
    path = directory / "import.json"
    path.write_text(json.dumps(document))
    command = manage("wamp", "import", "--replace", str(path))
    result = subprocess.run(
        command, cwd=ROOT, env=environment_of(**environment), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_rows_changed_by_another_process_take_effect(tmp_path: Path) -> None:
    port = free_port()
    environment = {"WAMPNODE_DATABASE": str(tmp_path / "db.sqlite3")}
    migrate(tmp_path / "db.sqlite3")
    wamp_import(tmp_path, configuration(web(port), realms=[realm("realm1", **ALL)]), environment)
    with running(manage("runnode"), tmp_path, **environment) as process:
        process.wait_for(port)
        node = Node(tmp_path, process, port)
        with joined(port) as wire:
            paths = {"ws": WS, "more": WS}
            wamp_import(tmp_path, configuration(web(port, paths), realms=[realm("realm1", **ALL)]), environment)
            node.until_opens("/more")
            wire.send_json([32, 1, {}, "com.topic"])
            assert wire.message()[0] == 33
            with joined(port, "/more") as gone:
                wamp_import(tmp_path, configuration(web(port), realms=[realm("realm1", **ALL)]), environment)
                assert gone.message()[0] == 6
        assert process.stop() == 0
        assert_quiet(process.output)
