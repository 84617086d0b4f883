"""The project's own application may raise anything: its client gets an answer, and the server lives."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from .servers import configuration, free_port, node, realm, web

pytestmark = pytest.mark.integration

KINDS = ("exit", "interrupt", "stop", "generator")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    directory, port = tmp_path_factory.mktemp("rough"), free_port()
    settings = "tests.integration.rough_site.settings"
    with node(
        directory, configuration(web(port), realms=[realm("realm1")]), port, DJANGO_SETTINGS_MODULE=settings
    ) as process:
        yield port
        assert process.process.poll() is None, process.output
        assert process.stop() == 0, process.output


def get(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as fault:
        with fault:
            return fault.code, b""


@pytest.mark.parametrize(
    "path",
    [*(f"{way}/{kind}/" for way in ("sync", "async", "thread") for kind in KINDS), "application/", "around/"],
)
def test_request_gets_an_error_and_the_server_lives(port: int, path: str) -> None:
    assert get(port, path)[0] == 500
    assert get(port, "hello/") == (200, b"hello")


@pytest.mark.parametrize("path", ["task/", "callback/"])
def test_tasks_and_callbacks_that_a_view_starts(port: int, path: str) -> None:
    assert get(port, path) == (200, b"still there")
    assert get(port, "hello/") == (200, b"hello")


def test_websocket_of_the_project(port: int) -> None:
    with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{port}/own", open_timeout=10):
        pass
    assert get(port, "hello/") == (200, b"hello")
