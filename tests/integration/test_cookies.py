"""Cookie tracking over real sockets: set once, kept, replaced, outliving restarts; never in a log."""

import json
import re
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ..certificates import Authority
from .servers import (
    ROOT,
    Process,
    assert_quiet,
    configuration,
    environment_of,
    free_port,
    manage,
    migrate,
    node,
    running,
    until,
    web,
)
from .wire import Wire, joined

pytestmark = [pytest.mark.integration, pytest.mark.full]

PATHS = {
    "memory": {"type": "websocket", "cookie": {"store": {"type": "memory"}}},
    "file": {"type": "websocket", "cookie": {"store": {"type": "file", "filename": "../cookies.txt"}}},
    "database": {"type": "websocket", "cookie": {}},
    "other": {"type": "websocket", "cookie": {"name": "other", "length": 64, "same_site": "Strict"}},
    "ws": {"type": "websocket"},
}
KINDS = ["memory", "file", "database"]
SESSION = "sessionid=0123456789abcdef; csrftoken=q"


def migrated(directory: Path) -> str:
    database = directory / "db.sqlite3"
    migrate(database)
    return str(database)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("node")
    migrated(directory)
    return directory


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[tuple[int, Process]]:
    port = free_port()
    with node(directory, configuration(web(port, PATHS)), port) as process:
        yield port, process
        assert process.stop() == 0
        assert_quiet(process.output)


def set_by(port: int, path: str, *cookies: str, headers: tuple[str, ...] = ()) -> str | None:
    """The Set-Cookie of a handshake with these cookies, if any."""
    lines = [f"Cookie: {'; '.join(cookies)}"] if cookies else []
    with Wire(port) as wire:
        head = wire.upgrade(f"/{path}", headers=[*lines, *headers])
    assert head.startswith("HTTP/1.1 101 "), head
    found = re.findall(r"(?im)^set-cookie: (.*?)\r?$", head)
    assert len(found) < 2
    return found[0] if found else None


def new_cookie(port: int, path: str, *cookies: str) -> str:
    header = set_by(port, path, *cookies)
    assert header is not None
    return header.partition(";")[0]


def authid(port: int, path: str, cookie: str) -> str:
    with Wire(port) as wire:
        wire.upgrade(f"/{path}", headers=[f"Cookie: {SESSION}; {cookie}"])
        wire.send_json([1, "realm1", {"roles": {"caller": {}}}])
        return str(wire.message()[2]["authid"])


@pytest.mark.parametrize("kind", KINDS)
def test_cookie_is_set_once_and_kept_beside_the_session_cookie(server: tuple[int, Process], kind: str) -> None:
    port = server[0]
    header = set_by(port, kind, SESSION)
    assert header is not None
    assert re.fullmatch(r"cbtid=[A-Za-z0-9_-]{24}; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax", header)
    cookie = header.partition(";")[0]
    assert set_by(port, kind, SESSION, cookie) is None
    assert set_by(port, kind, "odd=[1]", 'a="b', cookie, SESSION) is None
    assert set_by(port, kind, SESSION, headers=(f"Cookie: {cookie}",)) is None  # a second header
    name, _, value = cookie.partition("=")
    assert set_by(port, kind, f'{name}="{value}"') is None


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_cookie_is_replaced(server: tuple[int, Process], kind: str) -> None:
    assert new_cookie(server[0], kind, "cbtid=" + "x" * 24) != "cbtid=" + "x" * 24


@pytest.mark.parametrize("kind", KINDS)
def test_sessions_of_a_client_have_one_authid_that_is_not_its_cookie(server: tuple[int, Process], kind: str) -> None:
    port = server[0]
    first, second = new_cookie(port, kind), new_cookie(port, kind)
    assert authid(port, kind, first) == authid(port, kind, first) != authid(port, kind, second)
    assert authid(port, kind, first) not in first


def test_two_services_with_cookies_of_their_own_do_not_meet(server: tuple[int, Process]) -> None:
    port = server[0]
    one, other = new_cookie(port, "database"), new_cookie(port, "other")
    assert re.fullmatch(r"other=[A-Za-z0-9_-]{64}", other)
    assert set_by(port, "database", one, other) is set_by(port, "other", one, other) is None
    assert new_cookie(port, "other", one, "other=" + one.partition("=")[2]) not in (one, other)


def test_service_without_cookie_sets_none(server: tuple[int, Process]) -> None:
    assert set_by(server[0], "ws") is None


def test_cookie_that_expired_in_the_store_is_replaced(server: tuple[int, Process], directory: Path) -> None:
    port = server[0]
    cookie = new_cookie(port, "database")
    assert set_by(port, "database", cookie) is None
    name = authid(port, "database", cookie)
    with sqlite3.connect(directory / "db.sqlite3") as database:
        changed = database.execute(
            "UPDATE wamp_transport_trackedcookie SET expires_at = '2020-01-01 00:00:00' WHERE id = ?", (name,)
        )
        assert changed.rowcount == 1
    database.close()
    assert set_by(port, "database", cookie) is not None


def test_two_hundred_handshakes_at_once_get_a_cookie_each_while_others_are_served(
    server: tuple[int, Process],
) -> None:
    port = server[0]
    with ThreadPoolExecutor(200) as pool:
        cookies = list(pool.map(lambda _: new_cookie(port, "database"), range(200)))
        with joined(port, "/ws"):
            assert len(set(cookies)) == 200
        assert set(pool.map(lambda cookie: set_by(port, "database", cookie), cookies)) == {None}


def test_clients_that_leave_in_mid_handshake_leave_no_connection_behind(server: tuple[int, Process]) -> None:
    port, process = server

    def sockets() -> int:
        return len([one for one in Path(f"/proc/{process.process.pid}/fd").iterdir() if "socket:" in str(_target(one))])

    set_by(port, "database")
    before = sockets()
    request = (
        b"GET /database HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n"
    )
    for _ in range(100):
        wire = Wire(port)
        wire.send(request)
        wire.reset()
    set_by(port, "database")
    until(lambda: sockets() <= before, "all sockets closed")


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


def test_no_cookie_is_logged_or_stored(server: tuple[int, Process], directory: Path) -> None:
    port, process = server
    values = [new_cookie(port, kind).partition("=")[2] for kind in KINDS]
    stored = b"".join(path.read_bytes() for path in directory.glob("*.sqlite3*"))
    for value in values:
        assert value not in process.output
        assert value not in (directory / "cookies.txt").read_text()
        assert value.encode() not in stored


def test_cookies_survive_a_restart_but_in_memory_and_deleted_ones_do_not(tmp_path: Path) -> None:
    database = migrated(tmp_path)
    port = free_port()
    settings = configuration(web(port, PATHS))
    with node(tmp_path, settings, port) as process:
        cookies = {kind: new_cookie(port, kind) for kind in KINDS}
        gone = new_cookie(port, "database")
        name = authid(port, "database", gone)
        assert process.stop() == 0
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM wamp_transport_trackedcookie WHERE id = ?", (name,))
    connection.close()
    with node(tmp_path, settings, port) as process:
        assert {kind: set_by(port, kind, cookie) is None for kind, cookie in cookies.items()} == {
            "memory": False,
            "file": True,
            "database": True,
        }
        assert set_by(port, "database", gone) is not None
        assert process.stop() == 0
        assert_quiet(process.output)


def test_file_of_a_running_node_is_refused_to_another(
    server: tuple[int, Process], directory: Path, tmp_path: Path
) -> None:
    set_by(server[0], "file")
    port = free_port()
    paths = {
        "file": {
            "type": "websocket",
            "cookie": {"store": {"type": "file", "filename": str(directory / "cookies.txt")}},
        },
        "ws": {"type": "websocket"},
    }
    with node(tmp_path, configuration(web(port, paths)), port) as process:
        assert "is in use by another process" in process.wait_to_print("Purging a cookie store failed")
        with Wire(port) as wire:
            assert wire.upgrade("/file").startswith("HTTP/1.1 503 ")
        assert set_by(port, "ws") is None
        assert process.stop() == 0


def test_database_without_the_table_refuses_with_503(tmp_path: Path) -> None:
    port = free_port()
    with node(tmp_path, configuration(web(port, PATHS)), port) as process:
        with Wire(port) as wire:
            assert wire.upgrade("/database").startswith("HTTP/1.1 503 ")
        process.wait_to_print("Clients cannot connect to /database")
        assert set_by(port, "memory") is not None
        assert process.stop() == 0


@pytest.mark.parametrize(("module", "option", "has_cookies"), [("uvicorn", "--port", True), ("daphne", "-p", False)])
def test_other_servers(tmp_path: Path, module: str, option: str, has_cookies: bool) -> None:
    database, port = migrated(tmp_path), free_port()
    document = tmp_path / "config.json"
    document.write_text(json.dumps(configuration(web(port, PATHS))))
    environment: dict[str, Any] = {"WAMPNODE_DATABASE": database}
    subprocess.run(
        manage("wamp", "import", str(document)),
        cwd=ROOT,
        env=environment_of(**environment),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    command = [sys.executable, "-m", module, "wampnode.asgi:application", option, str(port)]
    with running(command, tmp_path, **environment) as process:
        process.wait_for(port)
        header = set_by(port, "database", SESSION)
        if has_cookies:
            assert header is not None
            assert set_by(port, "database", header.partition(";")[0]) is None
            forwarded = ("X-Forwarded-Proto: https",)
            with Wire(port) as wire:
                head = wire.upgrade("/database", headers=forwarded)
            assert "; Secure; HttpOnly" in head
        else:
            assert header is None
            process.wait_to_print("No cookies are set at /database")
        process.stop()
        assert_quiet(process.output)


def test_cookie_is_for_tls_where_the_client_has_it_also_before_a_trusted_proxy(tmp_path: Path) -> None:
    tls_port, proxied, plain = free_port(), free_port(), free_port()
    authority = Authority()
    authority.write(tmp_path / "ca.pem")
    authority.issue().write(tmp_path, "server")
    paths = {"ws": {"type": "websocket", "cookie": {"store": {"type": "memory"}}}}
    secured = web(tls_port, paths)
    secured["endpoint"]["tls"] = {"key": "../server.key", "certificate": "../server.pem"}
    behind = web(proxied, paths, trusted_proxies=["127.0.0.1"])
    forwarded = ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https")
    with node(tmp_path, configuration(secured, behind, web(plain, paths)), tls_port, proxied, plain) as process:
        with Wire(tls_port, tls=ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))) as wire:
            assert "Max-Age=604800; Secure; HttpOnly" in wire.upgrade()
        told = {port: set_by(port, "ws", headers=forwarded) for port in (proxied, plain)}
        assert {port: "; Secure" in str(header) for port, header in told.items()} == {proxied: True, plain: False}
        assert "; Secure" not in str(set_by(proxied, "ws"))
        assert process.stop() == 0
        assert_quiet(process.output)
