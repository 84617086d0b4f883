"""Where a node listens: the documented example, several transports in one process, the command line, ports taken."""

import json
import socket
from pathlib import Path

import pytest

from ..requirements import missing
from .servers import assert_quiet, configuration, free_port, is_open, manage, node, realm, running, web, write_config
from .wire import Wire, joined, opened, status

pytestmark = [pytest.mark.integration, pytest.mark.full]

ALL = {"call": True, "register": True, "publish": True, "subscribe": True}

DOCUMENTED = """{
    "workers": [
        {
            "type": "router",
            "transports": [
                {
                    "type": "web",
                    "paths": {
                        "/": {
                            "type": "static",
                            "directory": ".."
                        },
                        "ws": {
                            "type": "websocket"
                        }
                    }
                }
            ]
        }
    ]
}
"""
"""The example of Crossbar.io's page on the WebSocket service, as it is printed there, closed and without comments."""


def get(address: int | str, path: str) -> tuple[int, str]:
    with Wire(address) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return int(wire.head().split()[1]), wire.read_to_end().decode()


@pytest.mark.parametrize("form", ["node", "directory", "file"])
def test_documented_example_runs_with_the_arguments_of_runserver(tmp_path: Path, form: str) -> None:
    crossbar = tmp_path / ".crossbar"
    crossbar.mkdir()
    (crossbar / "config.json").write_text(DOCUMENTED)
    (tmp_path / "index.html").write_text("<p>home</p>")
    (tmp_path / "ws").write_text("hidden by the service")
    given = {"node": tmp_path, "directory": crossbar, "file": crossbar / "config.json"}[form]
    port = free_port()
    command = manage("runserver", f"127.0.0.1:{port}", "--noreload", "--config", str(given))
    with running(command, tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")) as process:
        process.wait_for(port)
        with joined(port, "/ws"), joined(port, "/ws", realm="realm1"):
            pass
        assert get(port, "/") == (200, "<p>home</p>")
        assert get(port, "/index.html")[0] == 200
        assert "WAMP" in get(port, "/ws")[1]
        assert get(port, "/.crossbar/config.json")[0] == 404
        assert get(port, "/admin/")[0] == 404
        assert process.stop() == 0
        assert "realm1 is created" in process.output
        assert_quiet(process.output)


def test_several_transports_run_in_one_process(tmp_path: Path) -> None:
    one, two, path = free_port(), free_port(), tmp_path / "a=b:c.sock"
    unix = {"type": "web", "endpoint": {"type": "unix", "path": "../a=b:c.sock"}, "paths": {"u": {"type": "websocket"}}}
    document = configuration(
        web(one, {"ws": {"type": "websocket"}, "value": {"type": "json", "value": 1}}),
        web(two, {"other": {"type": "websocket"}, "value": {"type": "json", "value": 2}}),
        unix,
        realms=[realm("realm1", **ALL), realm("realm2", **ALL)],
    )
    with node(tmp_path, document, one, two, str(path)) as process:
        with joined(one, "/ws", realm="realm1") as subscriber, joined(str(path), "/u", realm="realm1") as publisher:
            subscriber.send_json([32, 1, {}, "com.topic"])
            subscriber.message()
            publisher.send_json([16, 1, {}, "com.topic", ["across"]])
            assert subscriber.message()[4] == ["across"]
        with joined(two, "/other", realm="realm2"):
            pass
        assert [json.loads(get(port, "/value")[1]) for port in (one, two)] == [1, 2]
        for address, wrong in ((one, "/other"), (two, "/ws"), (str(path), "/ws")):
            with Wire(address) as wire:
                assert wire.upgrade(wrong).split()[1] == "404"
        assert process.stop() == 0
        assert_quiet(process.output)
    assert not path.exists()


def test_ipv6_interface_is_listened_on(tmp_path: Path) -> None:
    port = free_port()
    transport = web(port)
    transport["endpoint"]["interface"] = "::1"
    with socket.socket(socket.AF_INET6) as probe:
        if probe.connect_ex(("::1", port)) not in (111,):
            missing("this machine has no IPv6")
    write_config(tmp_path, configuration(transport))
    command = manage("runserver", "--noreload", "--config", str(tmp_path))
    with running(command, tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")) as process:
        process.wait_to_print(f"[::1]:{port}")
        while process.process.poll() is None:
            with socket.socket(socket.AF_INET6) as client:
                if client.connect_ex(("::1", port)) == 0:
                    break
        assert process.stop() == 0


def test_configured_address_is_used_where_the_command_line_gives_none(tmp_path: Path) -> None:
    port = free_port()
    write_config(tmp_path, configuration(web(port)))
    command = manage("runserver", "--noreload", "--config", str(tmp_path))
    with running(command, tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")) as process:
        process.wait_for(port)
        opened(port).socket.close()
        assert f"http://127.0.0.1:{port}/" in process.output


def test_address_of_the_command_line_overrides_that_of_the_first_transport(tmp_path: Path) -> None:
    given, first, second = free_port(), free_port(), free_port()
    write_config(tmp_path, configuration(web(first), web(second, {"second": {"type": "websocket"}})))
    command = manage("runserver", str(given), "--noreload", "--config", str(tmp_path))
    with running(command, tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")) as process:
        process.wait_for(given, second)
        opened(given, "/ws").socket.close()
        opened(second, "/second").socket.close()
        assert not is_open(first)


def test_first_transport_on_a_unix_socket_is_served_by_runserver(tmp_path: Path) -> None:
    unix = {"type": "web", "endpoint": {"type": "unix", "path": "../s"}, "paths": {"ws": {"type": "websocket"}}}
    write_config(tmp_path, configuration(unix))
    command = manage("runserver", "--noreload", "--config", str(tmp_path))
    with running(command, tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")) as process:
        process.wait_for(str(tmp_path / "s"))
        joined(str(tmp_path / "s")).socket.close()
        assert get(str(tmp_path / "s"), "/admin/")[0] == 302
        assert process.stop() == 0
        assert_quiet(process.output)


@pytest.mark.parametrize("arguments", [("runnode",), ("runserver", "--noreload"), ("runserver",)])
def test_port_in_use_is_told_and_ends_with_1(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        write_config(tmp_path, configuration(web(port)))
        command = manage(*arguments, "--config", str(tmp_path))
        with running(command, tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")) as process:
            assert process.ended() == 1
            output = process.output
        lines = [line for line in output.splitlines() if str(port) in line]
        assert lines == [line for line in lines if line.endswith(f"on tcp:127.0.0.1:{port}: Address already in use")]
        assert len(lines) == 1, output
        assert "Traceback" not in output


@pytest.mark.parametrize("command", ["runnode", "runserver"])
def test_faulty_configuration_is_told_and_ends_with_1(tmp_path: Path, command: str) -> None:
    write_config(tmp_path, configuration(web(1, {"ws": {"type": "websocket", "optoins": {}}, "a/b": {"type": "x"}})))
    with running(manage(command, "--config", str(tmp_path)), tmp_path) as process:
        assert process.ended() == 1
        assert "paths.ws.optoins" in process.output
        assert 'paths["a/b"]' in process.output
        assert "Traceback" not in process.output


def test_nothing_configured_is_told_by_runnode(tmp_path: Path) -> None:
    environment = {"WAMPNODE_DATABASE": str(tmp_path / "db"), "WAMPNODE_DEBUG": "0", "WAMPNODE_SECRET_KEY": "x" * 60}
    with running(manage("runnode"), tmp_path, **environment) as process:
        assert process.ended() == 1
        assert "no transport is configured" in process.output
        assert "Traceback" not in process.output


def test_standalone_websocket_transport_takes_every_path(tmp_path: Path) -> None:
    port = free_port()
    endpoint = {"type": "tcp", "port": port, "interface": "127.0.0.1"}
    with node(tmp_path, configuration({"type": "websocket", "endpoint": endpoint}), port):
        joined(port, "/").socket.close()
        joined(port, "/any/path").socket.close()
        assert status(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == 200
