"""``manage.py runserver``: arguments, the address, what is handed to the server."""

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.core.management.commands.runserver import Command as DjangoRunserver
from django.test import override_settings

from wamp_transport.bootstrap.sources import DatabaseSource, FileSource
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.endpoint import TcpEndpoint, UnixEndpoint
from wamp_transport.config.reader import read_mapping
from wamp_transport.management import serving
from wamp_transport.management.commands import runserver as module
from wamp_transport.management.serving import listeners, project_application
from wamp_transport.routing import WampApplication
from wamp_transport.transports.listener import Listener


class Started:
    """What a command would have run, and how it ends."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.source: Any = None
        self.main: TcpEndpoint | UnixEndpoint | None = None
        self.options: dict[str, Any] = {}

    def run(self, source: Any, main: Any, application: Any, on_listening: Any, **options: Any) -> Any:
        self.source, self.main, self.options = source, main, options
        if self.failure is None:
            on_listening({})
        return SimpleNamespace(failure=self.failure)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    started = Started()
    monkeypatch.setattr(module, "run", started.run)
    monkeypatch.setattr(module.Command, "check", lambda *_, **__: None)
    monkeypatch.setattr(module.Command, "check_migrations", lambda *_, **__: None)
    return started


def runserver(*arguments: str, **options: Any) -> str:
    """Run the command; what it prints."""
    printed = io.StringIO()
    with override_settings(DEBUG=True):
        call_command("runserver", *arguments, "--noreload", stdout=printed, stderr=printed, **options)
    return printed.getvalue()


def node(directory: Path, **endpoint: Any) -> str:
    transport: dict[str, Any] = {"type": "web", "paths": {"ws": {"type": "websocket"}}}
    if endpoint:
        transport["endpoint"] = {"type": "tcp", **endpoint}
    document = {"version": 2, "workers": [{"type": "router", "transports": [transport]}]}
    (directory / "config.json").write_text(json.dumps(document))
    return str(directory)


@pytest.mark.parametrize(
    ("endpoint", "arguments", "address"),
    [
        ({"port": 9000, "interface": "127.0.0.1"}, (), "tcp:127.0.0.1:9000"),
        ({"port": 9000}, (), "tcp:*:9000"),
        ({"port": 9000, "interface": "::1"}, (), "tcp:[::1]:9000"),
        ({"port": 9000, "version": 6}, (), "tcp:[::]:9000"),
        ({"port": 9000}, ("9001",), "tcp:127.0.0.1:9001"),
        ({"port": 9000}, ("0.0.0.0:9001",), "tcp:0.0.0.0:9001"),
        ({"port": 9000}, ("[::1]:9001",), "tcp:[::1]:9001"),
        ({"type": "unix", "path": "s"}, ("9001",), "tcp:127.0.0.1:9001"),
        ({}, (), "tcp:127.0.0.1:8080"),
    ],
)
def test_address_is_the_command_lines_or_the_configurations(
    tmp_path: Path, started: Started, endpoint: dict[str, Any], arguments: tuple[str, ...], address: str
) -> None:
    runserver(*arguments, "--config", node(tmp_path, **endpoint))
    assert started.main is not None
    assert str(Listener(started.main)) == address
    assert isinstance(started.source, FileSource)


def test_unix_socket_of_the_configuration_is_listened_on(tmp_path: Path, started: Started) -> None:
    printed = runserver("--config", node(tmp_path, type="unix", path="s"))
    assert isinstance(started.main, UnixEndpoint)
    assert started.main.path == f"{tmp_path}/s"
    assert f"unix:{tmp_path}/s" in printed


@pytest.mark.django_db
def test_nothing_configured_listens_where_django_would(started: Started) -> None:
    runserver()
    assert isinstance(started.source, DatabaseSource)
    assert started.main is not None
    assert str(Listener(started.main)) == "tcp:127.0.0.1:8000"


def test_greeting_and_notices_are_printed(tmp_path: Path, started: Started) -> None:
    printed = runserver("--config", node(tmp_path, port=9000, interface="127.0.0.1"))
    assert "http://127.0.0.1:9000/" in printed
    assert "no realms are given" in printed


@pytest.mark.parametrize(("is_child", "count"), [(False, 0), (True, 1)])
def test_notices_are_printed_once_under_the_reloader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_child: bool, count: int
) -> None:
    monkeypatch.setattr(DjangoRunserver, "handle", lambda *_, **__: None)
    monkeypatch.setenv("RUN_MAIN", "true" if is_child else "")
    printed = io.StringIO()
    call_command("runserver", "--config", node(tmp_path, port=9000), stderr=printed)
    assert printed.getvalue().count("no realms are given") == count


def test_arguments_reach_the_server(tmp_path: Path, started: Started) -> None:
    with override_settings(FORCE_SCRIPT_NAME="/below"):
        runserver(
            "--config", node(tmp_path, port=9000), "--http_timeout", "3", "--websocket_handshake_timeout", "4",
            "--websocket-max-message-size", "5", "--websocket-max-frame-size", "6",
        )  # fmt: skip
    assert {name: started.options[name] for name in started.options if name != "action_logger"} == {
        "signal_handlers": True,
        "http_timeout": 3,
        "websocket_handshake_timeout": 4,
        "websocket_max_message_size": 5,
        "websocket_max_frame_size": 6,
        "joins_cluster": False,
        "root_path": "/below",
    }


def test_cluster_is_joined_only_with_the_option(tmp_path: Path, started: Started, settings: Any) -> None:
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "shop", "URL": "redis://127.0.0.1"}}
    runserver("--config", node(tmp_path, port=9000))
    assert started.options["joins_cluster"] is False
    runserver("--config", node(tmp_path, port=9000), "--cluster")
    assert started.options["joins_cluster"] is True


def test_option_for_a_cluster_that_is_not_set_is_refused(tmp_path: Path, started: Started) -> None:
    with pytest.raises(CommandError, match=r"--cluster needs the setting WAMP_TRANSPORT\['CLUSTER'\]"):
        runserver("--config", node(tmp_path, port=9000), "--cluster")


def test_limits_not_given_are_left_to_the_settings(tmp_path: Path, started: Started) -> None:
    runserver("--config", node(tmp_path, port=9000))
    assert not [name for name in started.options if name.startswith("websocket_max")]


@pytest.mark.parametrize(("reloads", "ends"), [(True, "os"), (False, "sys")])
def test_server_that_cannot_start_ends_with_1(
    tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch, reloads: bool, ends: str
) -> None:
    started.failure = OSError("port in use")
    ended: list[str] = []

    def exit_os(code: int) -> None:
        ended.append("os")
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", exit_os)
    monkeypatch.setattr(DjangoRunserver, "run", lambda self, **options: self.inner_run(None, **options))
    printed = io.StringIO()
    arguments = [] if reloads else ["--noreload"]
    with override_settings(DEBUG=True), pytest.raises(SystemExit) as caught:
        call_command("runserver", "--config", node(tmp_path, port=9000), *arguments, stdout=printed, stderr=printed)
    assert caught.value.code == 1
    assert (ended == ["os"]) is (ends == "os")
    assert "Error: port in use" in printed.getvalue()


def test_faulty_configuration_is_an_error_of_the_command(tmp_path: Path, started: Started) -> None:
    (tmp_path / "config.json").write_text('{"version": 2, "wokers": []}')
    with pytest.raises(CommandError, match="wokers"):
        runserver("--config", str(tmp_path))


def test_without_asgi_djangos_own_server_runs(monkeypatch: pytest.MonkeyPatch, started: Started) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(DjangoRunserver, "inner_run", lambda *_, **options: asked.append(options["use_asgi"]))
    runserver("--noasgi", "--config", "/nowhere")
    assert asked == [False]
    assert started.source is None


# --- what runserver and runnode share --------------------------------------------------------------------------------


def test_address_of_the_command_line_replaces_that_of_the_first_transport(tmp_path: Path) -> None:
    transports = [
        {"type": "web", "endpoint": {"type": "tcp", "port": port}, "paths": {"ws": {"type": "websocket"}}}
        for port in (1, 2)
    ]
    worker = {"type": "router", "transports": transports}
    configuration = read_mapping({"version": 2, "workers": [worker]}, tmp_path)
    here = TcpEndpoint(type="tcp", port=3)

    def shown(main: TcpEndpoint | None, known: Configuration = configuration) -> dict[str, str]:
        return {key: str(listener) for key, listener in listeners(known, main).items()}

    assert shown(None) == {"tcp:1": "tcp:*:1", "tcp:2": "tcp:*:2"}
    assert shown(here) == {"main": "tcp:*:3", "tcp:2": "tcp:*:2"}
    assert shown(here, read_mapping({"version": 2, "workers": []}, tmp_path)) == {"main": "tcp:*:3"}


def test_application_of_the_project_is_wrapped_once() -> None:
    from wampnode.asgi import application

    with override_settings(ASGI_APPLICATION="wampnode.asgi.application"):
        assert project_application() is application
        assert project_application(serve_static=False) is not application
    with override_settings(ASGI_APPLICATION="wampnode.asgi.django_application"):
        assert isinstance(project_application(), WampApplication)
    with override_settings(ASGI_APPLICATION=None):
        assert isinstance(project_application(serve_static=False), WampApplication)


@pytest.mark.parametrize("name", ["nothing", "wampnode.asgi.nothing", "no_such_module.application"])
def test_application_that_cannot_be_imported_is_an_error(name: str) -> None:
    with override_settings(ASGI_APPLICATION=name), pytest.raises(CommandError, match=name):
        project_application()


@pytest.mark.parametrize(
    ("settings", "options", "expected"),
    [
        ({}, {}, {"busy_poll": 0.0001}),
        (
            {"DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE": 7, "WAMP_TRANSPORT": {"BUSY_POLL_MICROSECONDS": 0}},
            {},
            {"websocket_max_message_size": 7, "busy_poll": 0.0},
        ),
        (
            {"DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE": 7, "DAPHNE_WEBSOCKET_MAX_FRAME_SIZE": 8},
            {"websocket_max_message_size": 1},
            {"websocket_max_message_size": 1, "websocket_max_frame_size": 8, "busy_poll": 0.0001},
        ),
    ],
)
def test_limits_and_times_come_from_settings_and_arguments(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], options: dict[str, int], expected: dict[str, float]
) -> None:
    given: list[dict[str, Any]] = []

    class Server:
        def __init__(self, *_: Any, **options: Any) -> None:
            given.append({name: one for name, one in options.items() if name != "ready_callable"})

        def run(self) -> None: ...

    monkeypatch.setattr("wamp_transport.transports.daphne.WampServer", Server)
    monkeypatch.setattr(serving, "install", lambda runtime: runtime)
    with override_settings(**settings):
        serving.run(DatabaseSource(), None, None, lambda listeners: None, **options)
    assert given == [expected]
