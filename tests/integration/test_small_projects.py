"""Small projects without parts that most projects have: time zones, users, a database, a host of their own."""

import re
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from .servers import (
    Process,
    assert_quiet,
    configuration,
    environment_of,
    free_port,
    realm,
    running,
    until,
    web,
    write_config,
)
from .wire import Wire, joined, opened

pytestmark = [pytest.mark.integration, pytest.mark.long]

SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "x"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
ASGI_APPLICATION = "asgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
INSTALLED_APPS = ["wamp_transport", "daphne"]
"""
WITH_USERS = """
INSTALLED_APPS = ["wamp_transport", "daphne", "django.contrib.auth", "django.contrib.contenttypes"]
"""
ASGI = """
from django.core.asgi import get_asgi_application
django_application = get_asgi_application()
from wamp_transport.asgi import wamp_application
application = wamp_application(django_application)
"""
URLS = """
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("hello/", lambda request: HttpResponse(request.path))]
"""
SERVICE = {"type": "websocket", "cookie": {}, "auth": {"ticket": {"type": "database"}, "anonymous": {"type": "static"}}}


class Project:
    """A project in a directory of its own, with the settings above and more."""

    def __init__(self, directory: Path, settings: str = "") -> None:
        self.directory = directory
        self.port = free_port()
        files = {"settings.py": SETTINGS + settings, "asgi.py": ASGI, "urls.py": URLS}
        for name, text in files.items():
            (directory / name).write_text(text)
        write_config(directory, configuration(web(self.port, {"ws": SERVICE}), realms=[realm("realm1", call=True)]))
        self.variables = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(directory)}

    def django(self, *arguments: str) -> str:
        """Run a command of Django; what it prints."""
        command = [sys.executable, "-m", "django", *arguments]
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=environment_of(**self.variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[Process]:
        """A server of the project, ready when it listens."""
        command = [sys.executable, "-m", *arguments]
        with running(command, self.directory, cwd=self.directory, **self.variables) as process:
            yield process.wait_for(self.port)

    def node(self) -> AbstractContextManager[Process]:
        return self.serving("django", "runnode", "--config", ".")

    def wait_for_report(self, process: Process) -> None:
        """Wait until a node has reported to the database."""

        def has_reported() -> bool:
            with closing(sqlite3.connect(self.directory / "db.sqlite3")) as database:
                rows = database.execute("SELECT pid FROM wamp_transport_runningnode").fetchall()
            return (process.process.pid,) in rows

        until(has_reported, "the report of the node")

    def cookie(self, *headers: str) -> str | None:
        """The cookie that a handshake sets, if any."""
        with Wire(self.port) as client:
            head = client.upgrade("/ws", headers=headers)
        assert head.startswith("HTTP/1.1 101"), head
        found = re.search("(?i)set-cookie: (cbtid=[^;]+)", head)
        return None if found is None else found[1]

    def assert_serves(self) -> None:
        """Cookies are recognized, unknown principals are refused, anonymous clients join, and pages are served."""
        cookie = self.cookie()
        assert cookie is not None
        assert self.cookie(f"Cookie: {cookie}") is None
        with joined(self.port) as client:
            client.send_json([48, 1, {}, "wamp.session.count"])
            assert client.message()[2] == {}
        with opened(self.port) as client:
            client.send_json([1, "realm1", {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "joe"}])
            answer = client.message()
            if answer[0] == 4:
                client.send_json([5, "wrong", {}])
                answer = client.message()
            assert answer[0] == 3
            assert answer[2].startswith("wamp.error.authentication_")


def test_project_without_time_zones(tmp_path: Path) -> None:
    project = Project(tmp_path, "USE_TZ = False\nTIME_ZONE = 'Asia/Tokyo'\n" + WITH_USERS)
    project.django("migrate", "-v0")
    with project.node() as process:
        project.assert_serves()
        assert process.stop() == 0
        assert_quiet(process.output)


def test_project_without_users(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert "no issues" in project.django("check")
    project.django("migrate", "-v0")
    assert "No changes detected" in project.django("makemigrations", "--check", "--dry-run")
    with project.node() as process:
        project.assert_serves()
        assert process.stop() == 0
        assert_quiet(process.output)


@pytest.mark.parametrize("apps", ["", WITH_USERS])
def test_project_without_a_database(tmp_path: Path, apps: str) -> None:
    project = Project(tmp_path, 'DATABASES = {}\nWAMP_TRANSPORT = {"CONFIG": str(BASE_DIR)}\n' + apps)
    assert "no issues" in project.django("check")
    assert "wamp_transport.E" not in project.django("check", "--deploy")
    assert "no faults" in project.django("wamp", "check")
    with project.node() as process:
        project.assert_serves()
        assert process.stop() == 0
        output = process.output
    assert "/ws keeps its cookies in memory, because this project has no database" in output
    assert output.count("no database") <= 2, output
    assert "ImproperlyConfigured" not in output


def websocket(port: int, path: str, *headers: str) -> int:
    """The status of a handshake."""
    with Wire(port) as client:
        return int(client.upgrade(path, headers=headers).split()[1])


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_site_below_a_path_with_a_proxy_that_keeps_or_removes_it(tmp_path: Path) -> None:
    project = Project(tmp_path, 'FORCE_SCRIPT_NAME = "/app"\n')
    project.django("migrate", "-v0")
    with project.node():
        for prefix in ("/app", ""):
            assert page(project.port, f"{prefix}/hello/") == f"{prefix}/hello/"
            assert websocket(project.port, f"{prefix}/ws") == 101
            assert websocket(project.port, f"{prefix}/ws", "Unusual_Header: 1") == 101
        assert websocket(project.port, "/other/ws") == 404


def test_root_path_of_uvicorn(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.django("migrate", "-v0")
    with project.serving("uvicorn", "--port", str(project.port), "--root-path", "/app", "asgi:application"):
        assert page(project.port, "/hello/") == "/app/hello/"
        assert websocket(project.port, "/ws") == 101


def test_workers_of_one_project_are_logged(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.django("migrate", "-v0")
    arguments = ["uvicorn", "--port", str(project.port), "--workers", "2", "asgi:application"]
    with project.serving(*arguments) as process:
        output = process.wait_to_print("is not the only node of this project")
        process.stop()
    assert "sessions, subscriptions and procedures are not shared" in output
    assert "Set WAMP_TRANSPORT['CLUSTER'], so that all processes form one router" in output


def test_node_that_replaces_a_killed_one_is_not_logged(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.django("migrate", "-v0")
    with project.node() as first:
        project.wait_for_report(first)
        first.kill()
    with project.node() as second:
        project.wait_for_report(second)
        assert second.stop() == 0
        assert "not the only node" not in second.output


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_no_address_is_announced_if_one_of_them_is_taken(tmp_path: Path, kind: str) -> None:
    project = Project(tmp_path)
    project.django("migrate", "-v0")
    other = free_port()
    path = str(tmp_path / "wamp.sock")
    endpoint = {"type": "unix", "path": path} if kind == "unix" else web(project.port)["endpoint"]
    transport = {"type": "web", "endpoint": endpoint, "paths": {"ws": {"type": "websocket"}}}
    write_config(tmp_path, configuration(transport))
    command = [sys.executable, "-m", "django", "runnode", "--config", "."]
    options = {"cwd": tmp_path, **project.variables}
    with running(command, tmp_path, **options) as first:
        first.wait_for(path if kind == "unix" else project.port)
        first.wait_to_print("Transport ")
        assert re.search(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Transport ", first.output)
        (tmp_path / "more").mkdir()
        write_config(tmp_path / "more", configuration(web(other), transport))
        command[-1] = "more"
        with running(command, tmp_path, **options) as second:
            assert second.ended() == 1
            output = second.output
    name = f"unix:{path}" if kind == "unix" else f"tcp:127.0.0.1:{project.port}"
    assert output.endswith(f"CommandError: Cannot listen on {name}: Address already in use\n")
    assert "Transport" not in output
    assert "Traceback" not in output


def test_warnings_have_a_time(tmp_path: Path) -> None:
    project = Project(tmp_path, "DATABASES = {}\n")
    with project.node() as process:
        output = process.wait_to_print("keeps its cookies in memory")
    line = r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING wamp_transport\.\S+: /ws keeps its cookies in memory"
    assert re.search(line, output)


def test_requests_of_runserver_have_a_time(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.django("migrate", "-v0")
    with project.serving("django", "runserver", "--noreload", f"127.0.0.1:{project.port}") as process:
        page(project.port, "/hello/")
        output = process.wait_to_print("HTTP GET /hello/ 200")
    assert re.search(r"(?m)^\[\d\d/\w+/\d{4} \d\d:\d\d:\d\d\] .*HTTP GET /hello/ 200", output)
    assert output.count("HTTP GET /hello/") == 1
