"""Under uvicorn and plain Daphne the consumer serves WAMP by itself; Django and static files are beside it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from .servers import ROOT, Process, assert_quiet, configuration, environment_of, free_port, running, websocket
from .wire import BINARY, CLOSE, TEXT, Wire, frame, joined, opened

pytestmark = [pytest.mark.integration, pytest.mark.full]

COMMANDS = {
    "hypercorn": ("-m", "hypercorn", "wampnode.asgi:application", "-w", "0", "--bind"),
    "uvicorn": ("-m", "uvicorn", "wampnode.asgi:application", "--host", "127.0.0.1", "--port"),
    "daphne": ("-m", "daphne", "wampnode.asgi:application", "-b", "127.0.0.1", "-p"),
}


class Server:
    """A server of some kind and its port."""

    def __init__(self, kind: str, process: Process, port: int) -> None:
        self.kind, self.process, self.port = kind, process, port


@pytest.fixture(scope="module", params=list(COMMANDS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory, port = tmp_path_factory.mktemp(request.param), free_port()
    environment = {"WAMPNODE_DATABASE": str(directory / "db.sqlite3")}
    migrate = [sys.executable, "manage.py", "migrate", "-v", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment_of(**environment), check=True)
    command = [sys.executable, *COMMANDS[request.param], address(request.param, port)]
    with running(command, directory, cwd=ROOT, **environment) as process:
        yield Server(request.param, process.wait_for(port), port)
        process.stop()
        assert_quiet(process.output)


def address(kind: str, port: int) -> str:
    """A port as the server's command line wants it."""
    return f"127.0.0.1:{port}" if kind == "hypercorn" else str(port)


def code(head: str) -> int:
    return int(head.split()[1])


def get(port: int, path: str) -> tuple[int, str]:
    with Wire(port) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        return code(wire.head()), wire.read_to_end().decode("latin-1")


def test_json_and_msgpack_clients_meet(server: Server) -> None:
    with joined(server.port) as subscriber, opened(server.port, subprotocol="wamp.2.msgpack") as publisher:
        subscriber.send_json([32, 1, {}, "com.topic"])
        subscriber.message()

        def say(*messages: Any) -> Any:
            publisher.send(*(frame(BINARY, msgpack.packb(message)) for message in messages))
            return msgpack.unpackb(publisher.frame().payload)

        assert say([1, "realm1", {"roles": {"publisher": {}}}])[0] == 2
        assert say([16, 1, {"acknowledge": True}, "com.topic", ["hello", 2**40]])[0] == 17
        assert subscriber.message()[4] == ["hello", 2**40]


def test_fragments_and_large_messages_pass(server: Server) -> None:
    with joined(server.port) as wire:
        wire.send(frame(TEXT, b'[32,1,{},"com', fin=False), frame(0, b'.large"]'))
        assert wire.message()[0] == 33
        wire.send_json([16, 2, {"exclude_me": False}, "com.large", ["x" * 500_000]])
        event = b""
        while not (part := wire.frame()).is_final:
            event += part.payload
        assert json.loads(event + part.payload)[4] == ["x" * 500_000]


def test_unknown_subprotocol_is_refused(server: Server) -> None:
    with Wire(server.port) as wire:
        assert code(wire.upgrade(subprotocol="soap")) == (403 if server.kind == "daphne" else 400)


def test_path_without_a_service_has_no_websocket(server: Server) -> None:
    with Wire(server.port) as wire:
        assert code(wire.upgrade("/wsx")) == (403 if server.kind == "daphne" else 404)


@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_violation_is_aborted_and_closed(server: Server, name: str) -> None:
    with opened(server.port, subprotocol=f"wamp.2.{name}") as wire:
        wire.send(frame(TEXT if name == "msgpack" else BINARY, b"x"))
        assert b"wamp.error.protocol_violation" in wire.frame().payload
        closing = wire.frame()
        assert closing.opcode == CLOSE
        assert closing.code == (1000 if server.kind == "daphne" else 1002)


def test_goodbye_and_another_hello_use_the_same_socket(server: Server) -> None:
    with joined(server.port) as wire:
        wire.send_json([6, {}, "wamp.close.normal"])
        assert wire.message()[2] == "wamp.close.goodbye_and_out"
        wire.send_json([1, "realm1", {"roles": {"caller": {}}}])
        assert wire.message()[0] == 2


def test_lost_sockets_end_their_sessions(server: Server) -> None:
    for end in ("reset", "close", "polite"):
        wire = joined(server.port)
        wire.send_json([64, 1, {}, f"com.{end}"])
        assert wire.message()[0] == 65
        if end == "reset":
            wire.reset()
        else:
            if end == "polite":
                wire.send(frame(CLOSE, b"\x03\xe8"))
                assert wire.frame().code == 1000
            wire.socket.close()
        with joined(server.port) as other:
            number = 0
            answer: Any = None
            while answer is None or answer[0] != 65:
                number += 1
                other.send_json([64, number, {}, f"com.{end}"])
                answer = other.message()


def test_django_and_its_static_files_are_beside_it(server: Server) -> None:
    assert get(server.port, "/admin/login/")[0] == 200
    status, text = get(server.port, "/static/admin/css/base.css")
    assert (status, "body" in text) == (200, True)
    assert "WAMP" in get(server.port, "/ws")[1]


def test_sessions_end_when_uvicorn_stops(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, *COMMANDS["uvicorn"], str(port)]
    with running(command, tmp_path, cwd=ROOT, WAMPNODE_DATABASE=str(tmp_path / "db")) as process:
        process.wait_for(port)
        with joined(port) as wire:
            process.process.send_signal(signal.SIGTERM)
            closing = wire.frame()
            while closing.opcode != CLOSE:
                closing = wire.frame()
            assert closing.code in (1001, 1012)
            wire.send(frame(CLOSE, closing.payload[:2]))
            process.ended()
        assert_quiet(process.output)


@pytest.mark.parametrize("kind", list(COMMANDS))
def test_options_that_are_not_carried_out_are_named_once(kind: str, tmp_path: Path) -> None:
    options = {"fail_by_drop": True, "auto_ping_interval": 5000, "max_message_size": 1000}
    transport = {"type": "web", "endpoint": {"type": "tcp", "port": 1}, "paths": {"ws": websocket(**options)}}
    (tmp_path / "strict_settings.py").write_text(
        f"from wampnode.settings import *\nWAMP_TRANSPORT = {{'CONFIG': {configuration(transport)!r}}}\n"
    )
    port = free_port()
    environment = {"DJANGO_SETTINGS_MODULE": "strict_settings", "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, *COMMANDS[kind], address(kind, port)]
    with running(command, tmp_path, cwd=ROOT, WAMPNODE_DATABASE=str(tmp_path / "db"), **environment) as process:
        process.wait_for(port)
        for _ in range(2):
            with joined(port) as wire:
                wire.send_json([32, 1, {}, "com." + "x" * 950])
                assert wire.message()[0] == 33
                wire.send_json([32, 2, {}, "com." + "x" * 1000])
                assert wire.frame().code == (1000 if kind == "daphne" else 1009)
        assert process.output.count("/ws: fail_by_drop, auto_ping_interval") == 1
        assert_quiet(process.output)


def test_faulty_configuration_keeps_uvicorn_from_starting(tmp_path: Path) -> None:
    (tmp_path / "faulty_settings.py").write_text(
        "from wampnode.settings import *\nWAMP_TRANSPORT = {'CONFIG': {'version': 2, 'wokers': []}}\n"
    )
    command = [sys.executable, *COMMANDS["uvicorn"], str(free_port())]
    environment = {"DJANGO_SETTINGS_MODULE": "faulty_settings", "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with running(command, tmp_path, cwd=ROOT, **environment) as process:
        assert process.ended() != 0
        assert "wokers" in process.output
        assert "Traceback" not in process.output


# --- someone's own project -------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as ``startproject`` makes it, with the two apps added and nothing else changed."""
    command = [sys.executable, "-m", "django", "startproject", "shop", "."]
    environment = environment_of()
    del environment["DJANGO_SETTINGS_MODULE"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    add_apps(tmp_path, "'wamp_transport', 'daphne',")
    return tmp_path


def add_apps(project: Path, apps: str) -> None:
    settings = project / "shop" / "settings.py"
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", f"INSTALLED_APPS = [{apps}"))


def django(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    environment = environment_of(DJANGO_SETTINGS_MODULE="shop.settings", PYTHONPATH=str(ROOT))
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("is_migrated", [True, False])
def test_fresh_project_speaks_wamp_with_two_apps_added(project: Path, is_migrated: bool) -> None:
    if is_migrated:
        assert django(project, "migrate", "-v", "0").returncode == 0
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", str(port), "--noreload"]
    environment = {"DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": str(ROOT)}
    with running(command, project, cwd=project, **environment) as process:
        process.wait_for(port)
        with joined(port) as wire:
            wire.send_json([32, 1, {}, "com.topic"])
            assert wire.message()[0] == 33
        assert "The install worked" in get(port, "/")[1]
        assert get(port, "/static/admin/css/base.css")[0] == 200
        assert process.stop() == 0
        assert ("unapplied migration" in process.output) is not is_migrated
        assert_quiet(process.output)


def test_asgi_application_without_our_wrapper_is_wrapped(project: Path) -> None:
    settings = project / "shop" / "settings.py"
    settings.write_text(settings.read_text() + "\nASGI_APPLICATION = 'shop.asgi.application'\n")
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", str(port), "--noreload"]
    environment = {"DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": str(ROOT)}
    with running(command, project, cwd=project, **environment) as process:
        process.wait_for(port)
        joined(port).socket.close()
        assert "The install worked" in get(port, "/")[1]


def test_asgi_application_that_cannot_be_imported_is_told(project: Path) -> None:
    settings = project / "shop" / "settings.py"
    settings.write_text(settings.read_text() + "\nASGI_APPLICATION = 'shop.nothing.application'\n")
    result = django(project, "runserver", str(free_port()), "--noreload")
    assert result.returncode == 1
    assert "shop.nothing.application" in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_order_of_apps_is_told_by_check(project: Path) -> None:
    settings = project / "shop" / "settings.py"
    settings.write_text(settings.read_text().replace("'wamp_transport', 'daphne',", "'daphne', 'wamp_transport',"))
    result = django(project, "check")
    assert result.returncode == 1
    assert "wamp_transport.E001" in result.stderr
    assert "INSTALLED_APPS = ['wamp_transport', 'daphne'" in result.stderr
