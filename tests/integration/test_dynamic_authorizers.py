"""Roles whose rights an authorizer decides on: a procedure by Autobahn|Python, and functions of the project."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from .servers import ROOT, Process, configuration, free_port, node, running, until, web
from .wire import Wire, joined

pytestmark = pytest.mark.integration

EVERYTHING = {"call": True, "register": True, "publish": True, "subscribe": True}
FUNCTIONS = """
import asyncio
import threading

from django.db import connection


def by_database(session, uri, action, options):
    print("thread", threading.current_thread().name, flush=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 42")
        return cursor.fetchone() == (42,) and uri == "com.open"


async def later(session, uri, action, options):
    await asyncio.sleep(0)
    if uri == "com.broken":
        raise RuntimeError("secret")
    return {"allow": options.get("match") != "prefix", "cache": False}
"""


def service(role: str) -> dict[str, Any]:
    """A WebSocket service whose clients have this role."""
    return {"type": "websocket", "auth": {"anonymous": {"type": "static", "role": role}}}


class Live:
    """A running node, and the authorizer of role ``asked``."""

    def __init__(self, port: int, server: Process, authorizer: Process) -> None:
        self.port, self.server, self.authorizer = port, server, authorizer

    def asked(self) -> list[dict[str, Any]]:
        """What the procedure was asked."""
        return [json.loads(line) for line in self.authorizer.output.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    directory = tmp_path_factory.mktemp("authorizers")
    (directory / "project_authorizers.py").write_text(FUNCTIONS)
    roles = [
        {"name": "server", "permissions": [{"uri": "", "match": "prefix", "allow": EVERYTHING}]},
        {"name": "asked", "authorizer": "com.example.authorize", "authorizer_timeout": 1000},
        {"name": "function", "authorizer_function": "project_authorizers.later"},
        {"name": "database", "authorizer_function": "project_authorizers.by_database"},
        {"name": "missing", "authorizer_function": "project_authorizers.nothing"},
    ]
    realm = {"name": "realm1", "roles": roles}
    port = free_port()
    paths = {role["name"]: service(role["name"]) for role in roles}
    url = f"ws://127.0.0.1:{port}/server"
    program = [sys.executable, "-m", "tests.integration.drivers.authorizer", url, "realm1"]
    environment = {"PYTHONPATH": f"{ROOT}:{directory}"}
    with (
        node(directory, configuration(web(port, paths), realms=[realm]), port, **environment) as server,
        running(program, directory, **environment) as authorizer,
    ):
        authorizer.wait_to_print("ready")
        yield Live(port, server, authorizer)
        assert server.stop() == 0
        assert "was destroyed" not in server.output


def answer(wire: Wire, message: list[Any]) -> str:
    """The answer to a request: its code, or the error."""
    wire.send_json(message)
    reply = wire.message()
    return str(reply[4] if reply[0] == 8 else reply[0])


def test_procedure_decides(live: Live) -> None:
    with joined(live.port, "/asked") as wire:
        assert answer(wire, [32, 1, {"match": "prefix"}, "com.open."]) == "33"
        assert answer(wire, [32, 2, {}, "com.closed"]) == "wamp.error.not_authorized"
        assert answer(wire, [64, 3, {}, "com.open.add"]) == "65"
        assert answer(wire, [48, 4, {}, "com.broken"]) == "wamp.error.authorization_failed"
        assert answer(wire, [16, 5, {"acknowledge": True}, "com.odd"]) == "wamp.error.authorization_failed"
    first = live.asked()[0]
    assert first == {
        "role": "asked",
        "uri": "com.open.",
        "action": "subscribe",
        "options": {"match": "prefix"},
        "caller": "trusted",
        "keys": ["authextra", "authid", "authmethod", "authprovider", "authrole", "session", "transport"],
    }
    assert "Authorizer com.example.authorize of role asked in realm realm1 failed" in live.server.output


def test_order_is_kept_while_a_slow_decision_times_out(live: Live) -> None:
    with joined(live.port, "/asked") as wire:
        wire.send_json([16, 1, {"acknowledge": True}, "com.slow"], [16, 2, {"acknowledge": True}, "com.open.x"])
        assert wire.message()[2:5:2] == [1, "wamp.error.authorization_failed"]
        assert wire.message()[:2] == [17, 2]
    live.server.wait_to_print("authorizer com.example.authorize did not answer in time")


def test_kept_decision_is_not_asked_for_again(live: Live) -> None:
    def questions() -> int:
        return sum(asked["uri"] == "com.open.kept" for asked in live.asked())

    with joined(live.port, "/asked") as wire, joined(live.port, "/asked") as other:
        for request_id in (1, 2):
            assert answer(wire, [16, request_id, {"acknowledge": True}, "com.open.kept"]) == "17"
        assert answer(other, [16, 1, {"acknowledge": True}, "com.open.kept"]) == "17"
        until(questions, "the question to be printed")
        assert questions() == 1


def test_disclosure_is_decided_too(live: Live) -> None:
    with joined(live.port, "/server") as listener, joined(live.port, "/asked") as wire:
        for request_id, topic in enumerate(("com.open.told", "com.open.untold"), 1):
            listener.send_json([32, request_id, {}, topic])
            assert listener.message()[0] == 33
            assert answer(wire, [16, request_id, {"acknowledge": True}, topic]) == "17"
            assert ("publisher" in listener.message()[3]) == (topic == "com.open.told")


def test_coroutine_function_decides(live: Live) -> None:
    with joined(live.port, "/function") as wire:
        assert answer(wire, [32, 1, {}, "com.x"]) == "33"
        assert answer(wire, [32, 2, {"match": "prefix"}, "com.x"]) == "wamp.error.not_authorized"
        assert answer(wire, [32, 3, {}, "com.broken"]) == "wamp.error.authorization_failed"
    assert "it raised RuntimeError" in live.server.output


def test_function_decides_in_a_thread_where_it_may_use_the_database(live: Live) -> None:
    with joined(live.port, "/database") as wire:
        assert answer(wire, [32, 1, {}, "com.open"]) == "33"
        assert answer(wire, [32, 2, {}, "com.closed"]) == "wamp.error.not_authorized"
    assert "thread wamp-function" in live.server.output


def test_function_that_is_not_there_allows_nothing_and_is_told(live: Live) -> None:
    assert "authorizer project_authorizers.nothing of role missing in realm realm1 cannot be used" in live.server.output
    with joined(live.port, "/missing") as wire:
        assert answer(wire, [48, 1, {}, "com.x"]) == "wamp.error.authorization_failed"
