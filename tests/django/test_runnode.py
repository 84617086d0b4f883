"""``manage.py runnode``: arguments, and what keeps it from running."""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from wamp_transport.bootstrap.sources import FileSource
from wamp_transport.management.commands import runnode as module
from wamp_transport.management.serving import listeners


def write(directory: Path, document: dict[str, Any]) -> str:
    (directory / "config.json").write_text(json.dumps(document))
    return str(directory)


def document() -> dict[str, Any]:
    transports = [
        {"type": "web", "endpoint": {"type": "tcp", "port": port}, "paths": {"ws": {"type": "websocket"}}}
        for port in (9000, 9001)
    ]
    return {"version": 2, "workers": [{"type": "router", "transports": transports}]}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    noted = SimpleNamespace(failure=None, source=None, main="", options={})

    def run(source: Any, main: str | None, application: Any, on_listening: Any, **options: Any) -> Any:
        noted.source, noted.main, noted.options = source, main, options
        if noted.failure is None:
            on_listening(listeners(source.load(), main))
        return noted

    monkeypatch.setattr(module, "run", run)
    return noted


def test_all_transports_are_run_and_shown(tmp_path: Path, started: SimpleNamespace) -> None:
    printed = io.StringIO()
    with override_settings(FORCE_SCRIPT_NAME="/below"):
        call_command("runnode", "--config", write(tmp_path, document()), stdout=printed, stderr=printed)
    assert isinstance(started.source, FileSource)
    assert started.main is None
    assert started.options == {"joins_cluster": True, "root_path": "/below"}
    for port in (9000, 9001):
        line = rf"(?m)^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d Transport tcp:{port}: tcp:\*:{port}$"
        assert re.search(line, printed.getvalue())
    assert "no realms are given" in printed.getvalue()


def test_faulty_configuration_is_an_error_of_the_command(tmp_path: Path, started: SimpleNamespace) -> None:
    with pytest.raises(CommandError, match="wokers"):
        call_command("runnode", "--config", write(tmp_path, {"version": 2, "wokers": []}))
    assert started.source is None


def test_no_transport_is_an_error_that_says_what_to_do(tmp_path: Path, started: SimpleNamespace) -> None:
    with pytest.raises(CommandError, match="add one in the admin"):
        call_command("runnode", "--config", write(tmp_path, {"version": 2, "workers": []}))
    assert started.source is None


def test_server_that_cannot_start_is_an_error_of_the_command(tmp_path: Path, started: SimpleNamespace) -> None:
    started.failure = OSError("port in use")
    printed = io.StringIO()
    with pytest.raises(CommandError, match="port in use"):
        call_command("runnode", "--config", write(tmp_path, document()), stdout=printed, stderr=io.StringIO())
    assert printed.getvalue() == ""  # no address is announced


@pytest.mark.django_db
def test_project_without_a_transport_is_no_problem_for_another_configuration(
    tmp_path: Path, started: SimpleNamespace
) -> None:
    def errors(*arguments: str) -> str:
        printed = io.StringIO()
        call_command(*arguments, stdout=io.StringIO(), stderr=printed, skip_checks=False)
        return printed.getvalue()

    with override_settings(DEBUG=False):
        assert "wamp_transport.W008" not in errors("runnode", "--config", write(tmp_path, document()))
        assert "wamp_transport.W008" in errors("migrate", "--plan")
