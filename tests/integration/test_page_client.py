"""The client for pages that comes with the app: its behavior in time, its logins, its types and its size.

The tests of ``tests/js/client`` run in Node.js with a clock and a network of their own. The other tests use a real
router.
"""

import gzip
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from ..requirements import JAVASCRIPT, javascript_packages
from ..requirements import node as node_program
from .servers import ROOT, configuration, environment_of, free_port, node, realm, web, write_config
from .test_cookies import migrated
from .test_django_identity import PREPARE, Site

pytestmark = pytest.mark.integration

MODULES = ROOT / "wamp_transport" / "static" / "wamp_transport"
MAX_BYTES = 5_000
"""Both modules together, minified and compressed with gzip."""


def run(*command: str, **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["closing", "login", "reconnecting", "silence"])
def test_client_in_scripted_time(name: str) -> None:
    run(node_program(), "--test", f"{name}.test.js", cwd=JAVASCRIPT / "client")


@pytest.mark.long
@pytest.mark.timeout(300)
def test_pages_of_a_server_that_restarts_come_back_spread() -> None:
    run(node_program(), "--test", "herd.test.js", cwd=JAVASCRIPT / "client")


def test_client_is_small() -> None:
    esbuild = javascript_packages("esbuild") / ".bin" / "esbuild"
    options = ["--bundle", "--minify", "--format=esm", "--target=es2022"]
    minified = run(str(esbuild), str(MODULES / "connection.js"), *options)
    assert len(gzip.compress(minified.encode())) < MAX_BYTES


def test_types_of_the_client() -> None:
    compiler = javascript_packages("typescript") / ".bin" / "tsc"
    run(str(compiler), "--project", "client", cwd=JAVASCRIPT)


class Page:
    """A Connection in Node.js, as a page would have it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def tell(self, command: str) -> Self:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        assert text, "the page's program has ended"
        found: dict[str, Any] = json.loads(text)
        return found

    def until(self, **wanted: Any) -> dict[str, Any]:
        """Return the next line with these values."""
        while not (line := self.line()).items() >= wanted.items():
            pass
        return line


@contextmanager
def page(port: int, **options: Any) -> Iterator[Page]:
    javascript_packages("ws")
    command = [node_program(), str(JAVASCRIPT / "client" / "live.js"), f"ws://127.0.0.1:{port}/ws", json.dumps(options)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment_of())
    with process:
        try:
            yield Page(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory: Path = tmp_path_factory.mktemp("node")
    migrated(directory)
    port = free_port()
    Site(directory, port).run(PREPARE)
    auth = {"django-session": {}, "token": {}, "anonymous": {"type": "static", "role": "visitor"}}
    realms = [
        {"name": "realm1", "roles": [{"name": "user", "permissions": []}, {"name": "visitor", "permissions": []}]}
    ]
    paths = {"ws": {"type": "websocket", "auth": auth}}
    with node(directory, configuration(web(port, paths), realms=realms), port) as process:
        yield Site(directory, port, process)
        assert process.stop() == 0
        assert "Traceback" not in process.output


def test_each_connection_logs_in_with_a_new_token(site: Site) -> None:
    """Each token is good for one session."""
    printed = site.run(
        "from django.contrib.auth.models import User\n"
        "from wamp_transport.tokens import make_token\n"
        "for _ in range(2): print(make_token(User.objects.get(username='joe'), 'realm1', lifetime=300, once=True))"
    )
    with page(site.port, tokens=printed.split()) as joe:
        for _ in range(2):
            online = joe.until(name="online")
            assert (online["authid"], online["authrole"], online["authmethod"]) == ("joe", "user", "token")
            joe.tell("drop").until(name="waiting", reason="wamp.close.transport_lost")


def test_heartbeats_need_no_permission_and_keep_the_session(site: Site) -> None:
    with page(site.port, authmethods=["anonymous"], heartbeatInterval=20) as visitor:
        assert visitor.until(name="online")["authrole"] == "visitor"
        for _ in range(5):
            assert visitor.line() == {"heartbeat": "wamp.error.no_such_subscription"}
        visitor.tell("close").until(name="offline")


def test_page_whose_user_logs_out_goes_on_as_a_visitor(site: Site) -> None:
    browser = site.browser("joe")
    headers = {"Cookie": browser.cookie, "Origin": f"http://127.0.0.1:{site.port}"}
    with page(site.port, authmethods=["django-session", "anonymous"], headers=headers) as joe:
        assert joe.until(name="online")["authid"] == "joe"
        browser.logout()
        joe.until(name="waiting", reason="wamp.close.logout")
        assert joe.until(name="online")["authrole"] == "visitor"


@pytest.mark.long
def test_page_comes_back_when_its_service_does(tmp_path: Path) -> None:
    """While the path is missing, it answers 404."""
    port, realms = free_port(), [realm("realm1")]
    served, removed = (configuration(web(port, paths), realms=realms) for paths in (None, {}))
    with node(tmp_path, served, port) as process, page(port) as visitor:
        visitor.until(name="online")
        write_config(tmp_path, removed)
        visitor.until(name="waiting", reason="wamp.close.close_realm")
        visitor.until(name="waiting", reason="wamp.close.transport_lost")
        write_config(tmp_path, served)
        visitor.until(name="online")
        assert process.stop() == 0
