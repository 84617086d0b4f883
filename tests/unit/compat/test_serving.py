"""A process serves only with libraries that fit."""

import subprocess
import sys
from pathlib import Path

import pytest

from wamp_transport.compat.requirements import IncompatibleLibraryError
from wamp_transport.compat.serving import find_problems, require_compatible

ROOT = Path(__file__).parents[3]

SERVER = """
import sys
from {module} import {owner}
del {owner}.{name}
import wamp_transport.transports.daphne
"""

COMMAND = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
from {module} import {owner}
del {owner}.{name}
from django.core.management import execute_from_command_line
for arguments in {arguments!r}:
    execute_from_command_line(["manage.py", *arguments])
"""


def test_installed_libraries_fit() -> None:
    assert list(find_problems(with_server=True)) == []
    require_compatible(with_server=True)


def run(program: str) -> tuple[int, str]:
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    return result.returncode, result.stderr


@pytest.mark.long
@pytest.mark.full
def test_server_is_not_imported_without_what_it_needs() -> None:
    code, errors = run(SERVER.format(module="daphne.server", owner="Server", name="create_application"))
    assert code == 1
    last = errors.splitlines()[-1]
    assert "IncompatibleLibraryError: wampnode cannot serve with daphne" in last
    assert "daphne.server.Server.create_application is missing; install a tested version" in last


@pytest.mark.long
@pytest.mark.full
@pytest.mark.parametrize(
    ("module", "owner", "name", "arguments"),
    [
        ("autobahn.websocket.protocol", "WebSocketProtocol", "_sendAutoPing", ["runserver", "--noreload"]),
        ("asgiref.sync", "AsyncToSync", "loop_thread_executors", ["runnode"]),
    ],
)
def test_commands_that_serve_say_one_sentence(module: str, owner: str, name: str, arguments: list[str]) -> None:
    code, errors = run(COMMAND.format(module=module, owner=owner, name=name, arguments=[arguments]))
    assert code == 1
    assert "CommandError: wampnode cannot serve with" in errors.splitlines()[-1]
    assert f"{owner}.{name} is missing" in errors.splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.long
@pytest.mark.full
def test_commands_that_serve_nothing_run_all_the_same() -> None:
    program = COMMAND.format(
        module="twisted.protocols.tls",
        owner="TLSMemoryBIOProtocol",
        name="_shutdownTLS",
        arguments=[["check"], ["sqlmigrate", "wamp_transport", "0001"], ["wamp", "schema"]],
    )
    code, errors = run(program)
    assert code == 0, errors
    assert "wamp_transport.W015" in errors


@pytest.mark.long
@pytest.mark.full
def test_application_does_not_start_without_what_it_needs() -> None:
    program = """
from asgiref.sync import AsyncToSync
del AsyncToSync.executors
import asyncio, os
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from wamp_transport.routing import wamp_application
sent = []
async def receive():
    return {"type": "lifespan.startup"}
async def send(message):
    sent.append(message)
asyncio.run(wamp_application(None)({"type": "lifespan"}, receive, send))
(message,) = sent
assert message["type"] == "lifespan.startup.failed", message
assert "asgiref.sync.AsyncToSync.executors is missing" in message["message"], message
"""
    assert run(program) == (0, "")


def test_problem_without_the_server_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wamp_transport.compat.asgiref.PROBLEM", "wampnode cannot serve with it.")
    with pytest.raises(IncompatibleLibraryError, match="cannot serve with it"):
        require_compatible(with_server=False)
