"""Over real sockets: how many may come, how slow and how large a request may be, who is believed about whom."""

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from .servers import ROOT, Process, assert_quiet, configuration, free_port, node, running, until, web, write_config
from .test_websocket_handshake import COUNTING
from .wire import Wire, frame, joined, opened, status

pytestmark = [pytest.mark.integration, pytest.mark.full]

PATHS = {"ws": {"type": "websocket"}, "json": {"type": "json", "value": 1}, "same": {
    "type": "websocket", "options": {"allowed_origins": ["same-origin"]}}}  # fmt: skip
META = {"name": "realm1", "roles": [{"name": "anonymous", "permissions": [{"uri": "*", "allow": {"call": True}}]}]}
ORDINARY = "Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    directory = tmp_path_factory.mktemp("limits")
    ports = {name: free_port() for name in ("strict", "trusting", "few", "proxied", "alone")}
    unix = str(directory / "s")
    strict = {"request_timeout": 1, "client_timeout": 1, "max_request_head": 2048, "max_request_body": 1000}
    trusted = {"trusted_proxies": ["127.0.0.0/8"], "options": {"hsts": True, "access_log": True}}
    behind = {**web(1, PATHS), "endpoint": {"type": "unix", "path": unix}, "trusted_proxies": ["unix"]}
    alone = {
        "type": "websocket",
        "endpoint": {"type": "tcp", "port": ports["alone"], "interface": "127.0.0.1", "shared": True},
        "options": {"max_message_size": 1000, "allowed_origins": ["https://example.com"]},
        "serializers": ["json"],
        "max_connections": 50,
    }
    document = configuration(
        web(ports["strict"], PATHS, options=strict),
        web(ports["trusting"], PATHS, **trusted),
        web(ports["few"], PATHS, max_connections=4, max_connections_per_address=3),
        web(ports["proxied"], PATHS, max_connections=6, max_connections_per_address=2, trusted_proxies=["127.0.0.1"]),
        behind,
        alone,
        realms=[META],
    )
    hosts = {"WAMPNODE_ALLOWED_HOSTS": "127.0.0.1,localhost,example.com"}
    with node(directory, document, *ports.values(), unix, **hosts) as process:
        yield {**ports, "unix": unix, "process": process}
        assert process.stop() == 0
        assert_quiet(process.output)


# --- how many --------------------------------------------------------------------------------------------------------


def is_taken(wire: Wire) -> bool:
    """Whether a connection was let in, or was closed right after it was accepted."""
    try:
        wire.send(b"GET /json HTTP/1.1\r\nHost: a\r\n\r\n")
        return wire.head().startswith("HTTP/1.1 200")
    except (EOFError, ConnectionError):
        return False


def test_surplus_is_closed_at_once_and_room_is_room_again(server: dict[str, Any]) -> None:
    port = server["few"]
    with ExitStack() as stack:
        wires = [stack.enter_context(joined(port)) for _ in range(3)]
        with Wire(port) as surplus:
            assert not is_taken(surplus)
        wires[0].reset()

        def is_room() -> bool:
            with Wire(port) as wire:
                return is_taken(wire)

        until(is_room, "room for one more")
        wires[1].send_json([48, 1, {}, "com.nobody"])
        assert wires[1].message()[0] == 8


def test_300_quick_connections_leave_nothing_behind(tmp_path: Path) -> None:
    number = free_port()
    write_config(tmp_path, configuration(web(number, PATHS, max_connections=1000, max_connections_per_address=900)))
    counting = COUNTING.replace(
        'print("counts",',
        "transports = [each.factory.limiter for each in made[0]._transports.values()]\n"
        '    print("counts", sum(one.count + len(one.by_address) for one in transports),',
    )
    command = [sys.executable, "-c", counting, "runnode", "--config", str(tmp_path)]
    environment = {"DJANGO_SETTINGS_MODULE": "wampnode.settings", "WAMPNODE_DATABASE": str(tmp_path / "db")}
    with running(command, tmp_path, cwd=ROOT, **environment) as process:
        process.wait_for(number)

        def counts() -> str:
            seen = process.output.count("counts")
            process.process.send_signal(signal.SIGUSR1)
            until(lambda: process.output.count("counts") > seen, "counts printed")
            return process.output.split("counts")[-1].strip()

        held = joined(number)
        until(lambda: counts().startswith("2 "), "one connection from one address")
        for index in range(300):
            wire = Wire(number)
            if index % 3 == 1:
                wire.send(b"GET /json HT")
            elif index % 3 == 2:
                wire.send(b"GET /json HTTP/1.1\r\nHost: a\r\n\r\n")
            if index % 2:
                wire.reset()
            else:
                wire.socket.close()
        held.socket.close()
        until(lambda: counts() == "0 0 0 0 0", "all gone", seconds=10)
        assert process.stop() == 0
        assert_quiet(process.output)


# --- how slow, how large ---------------------------------------------------------------------------------------------

HEAD = b"GET /json HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /json HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", None),
        (b"G", 408),
        (HEAD, 408),
        (b"GET /ws HTTP/1.1\r\n" + ORDINARY.encode(), 408),
        (POST + b"Content-Length: 5\r\n\r\nab", 408),
        (b"GET /" + b"a" * 3000, 414),
        (HEAD + b"X: " + b"a" * 3000, 431),
        (HEAD + b"X: a\r\n" * 201 + b"\r\n", 431),
        (POST + b"Content-Length: 1001\r\n\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n5dc\r\n" + b"a" * 1500 + b"\r\n0\r\n\r\n", 413),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /ws HTTP/1.0\r\n" + ORDINARY.encode() + b"\r\n", 505),
        (b"POST /ws HTTP/1.1\r\n" + ORDINARY.encode() + b"\r\n", 405),
        (b"GET /ws HTTP/1.1\r\n" + ORDINARY.replace("13", "12").encode() + b"\r\n", 426),
        (b"GET /ws HTTP/1.1\r\n" + ORDINARY.encode() + b"Sec-WebSocket-Key: short\r\n\r\n", 400),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_request_that_is_too_slow_too_large_or_wrong_is_answered_and_closed(
    server: dict[str, Any], data: bytes, expected: int | None
) -> None:
    with Wire(server["strict"]) as wire:
        wire.send(data)
        answer = wire.read_to_end()
    if expected is None:
        assert answer == b""
        return
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == expected
    assert f"Content-Length: {len(body)}".encode().lower() in head.lower() or b"chunked" in head.lower()
    if expected == 426:
        assert b"Sec-WebSocket-Version: 13" in head
        assert b"Upgrade: websocket" in head
    elif expected == 405:
        assert b"Allow: GET" in head


def test_slow_head_is_ended_however_many_bytes_dribble(server: dict[str, Any]) -> None:
    with Wire(server["strict"]) as wire:
        wire.socket.settimeout(0.2)
        for letter in HEAD + b"X: y\r\n" * 20:
            try:
                wire.send(bytes([letter]))
                if data := wire.socket.recv(100):
                    assert data.startswith(b"HTTP/1.1 408 ")
                    return
            except TimeoutError:
                pass
    pytest.fail("the server waits for ever")


# --- proxies ---------------------------------------------------------------------------------------------------------

FORWARDED = [
    "X-Forwarded-For: 6.6.6.6, 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: example.com",
]


def told(wire: Wire) -> dict[str, Any]:
    wire.send_json([48, 1, {}, "wamp.session.list"])
    wire.send_json([48, 2, {}, "wamp.session.get", wire.message()[3][0][-1:]])
    transport: dict[str, Any] = wire.message()[3][0]["transport"]
    return transport


@pytest.mark.parametrize("name", ["trusting", "unix"])
def test_trusted_proxy_tells_who_the_client_is(server: dict[str, Any], name: str) -> None:
    with joined(server[name], headers=FORWARDED) as wire:
        transport = told(wire)
        assert transport["peer"] == "tcp:203.0.113.9:0"
        assert (transport["is_secure"], transport["channel_type"]) == (True, "tls")


def test_anyone_else_is_not_believed(server: dict[str, Any]) -> None:
    with joined(server["strict"], headers=FORWARDED) as wire:
        transport = told(wire)
        assert transport["peer"].startswith("tcp:127.0.0.1:")
        assert (transport["is_secure"], transport["channel_type"]) == (False, "tcp")


@pytest.mark.parametrize(("name", "expected"), [("trusting", 101), ("strict", 403)])
def test_same_origin_is_that_of_the_proxy(server: dict[str, Any], name: str, expected: int) -> None:
    with Wire(server[name]) as wire:
        head = wire.upgrade("/same", headers=["Origin: https://example.com", *FORWARDED])
        assert int(head.split()[1]) == expected


def get(address: int | str, path: str, *headers: str) -> str:
    with Wire(address) as wire:
        wire.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *headers, "", ""]).encode())
        return wire.head()


def forwarded_for(address: str) -> list[str]:
    return [f"X-Forwarded-For: {address}"]


def refusal(port: int, *headers: str) -> str | None:
    """Why a WebSocket is refused with 503; None where it is not."""
    with Wire(port) as wire:
        if wire.upgrade(headers=headers).startswith("HTTP/1.1 503 "):
            return wire.read_to_end().decode()
    return None


def test_clients_behind_a_proxy_have_a_limit_each(server: dict[str, Any]) -> None:
    port = server["proxied"]
    with ExitStack() as stack:
        first = stack.enter_context(joined(port, headers=forwarded_for("203.0.113.1")))
        second = stack.enter_context(joined(port, headers=["Forwarded: for=203.0.113.1"]))
        told = refusal(port, *forwarded_for("203.0.113.1"))
        assert told is not None
        assert told.startswith("2 connections from 203.0.113.1 are open, the most that max_connections_per_address")
        # What a client puts before what its proxy adds changes nothing, be it one header or two.
        assert refusal(port, *forwarded_for("9.9.9.9, 203.0.113.1"))
        assert refusal(port, *forwarded_for("9.9.9.9"), *forwarded_for("203.0.113.1"))
        assert "503" in get(port, "/json", *forwarded_for("203.0.113.1"))
        stack.enter_context(joined(port, headers=forwarded_for("203.0.113.2")))
        stack.enter_context(joined(port))  # the proxy itself
        # Six are open in all, so the seventh is closed as it comes, whoever it is for.
        last = [stack.enter_context(joined(port, headers=forwarded_for("2001:db8::1"))) for _ in range(2)]
        with Wire(port) as surplus:
            assert not is_taken(surplus)
        last[0].reset()
        until(lambda: is_answered(port), "room for one more")
        stack.enter_context(joined(port, headers=forwarded_for("2001:db8::2")))
        last[1].reset()
        until(lambda: is_answered(port), "room for one more")
        first.reset()
        until(lambda: refusal(port, *forwarded_for("203.0.113.1")) is None, "room for one more of this client")
        second.send_json([48, 1, {}, "com.nobody"])
        assert second.message()[0] == 8


def is_answered(port: int) -> bool:
    with Wire(port) as wire:
        return is_taken(wire)


def test_client_counts_until_its_request_is_answered(server: dict[str, Any]) -> None:
    port = server["proxied"]
    request = b"GET /json HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n"
    with Wire(port) as wire, Wire(port) as other, joined(port, headers=forwarded_for("203.0.113.7")):
        for one in (wire, other, wire, other):  # connections that the proxy keeps open are not its clients'
            one.send(request)
            assert one.head().startswith("HTTP/1.1 200 ")
            one.read(1)
            one.pending = b""
        with joined(port, headers=forwarded_for("203.0.113.7")):
            wire.send(request)
            assert wire.head().startswith("HTTP/1.1 503 ")


def test_clients_cannot_name_another_address_where_they_are_not_trusted(server: dict[str, Any]) -> None:
    port = server["few"]
    with ExitStack() as stack:
        for number in range(3):
            stack.enter_context(joined(port, headers=forwarded_for(f"203.0.113.{number}")))
        with Wire(port) as surplus, pytest.raises((EOFError, ConnectionError)):
            surplus.upgrade(headers=forwarded_for("203.0.113.99"))


def test_browsers_are_told_of_tls_and_the_access_is_logged(server: dict[str, Any]) -> None:
    assert "Strict-Transport-Security: max-age=31536000" in get(server["trusting"], "/json?a=1", *FORWARDED)
    assert "Strict-Transport-Security" not in get(server["trusting"], "/json")


# --- a transport that is WAMP alone ----------------------------------------------------------------------------------


def test_websocket_transport_is_the_same_service_on_every_path(server: dict[str, Any]) -> None:
    port = server["alone"]
    for path in ("/", "/any/thing"):
        with joined(port, path) as wire:
            wire.send_json([48, 1, {}, "com.nobody"])
            assert wire.message()[0] == 8
            wire.send(frame(1, b"x" * 1001))
            assert wire.closed().code == 1009
    with Wire(port) as wire:
        assert " 403 " in wire.upgrade("/", headers=["Origin: http://evil.net"])
    with Wire(port) as wire:
        assert " 400 " in wire.upgrade("/", subprotocol="wamp.2.msgpack")
    assert status(port, b"GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n") == 200


def sockets_listening(port: int) -> int:
    """How many sockets of this machine listen on a port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines[1:])


def test_shared_port_is_listened_on_by_two_processes(tmp_path: Path) -> None:
    port = free_port()
    transport = web(port, PATHS)
    transport["endpoint"]["shared"] = True
    processes: list[Process] = []
    with ExitStack() as stack:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            processes.append(stack.enter_context(node(tmp_path / name, configuration(transport), port)))
        until(lambda: sockets_listening(port) == 2, "both listen")
        assert processes[0].stop() == 0
        with opened(port):
            pass
        assert processes[1].stop() == 0


def test_port_that_is_not_shared_is_taken_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        write_config(tmp_path, configuration(web(taken.getsockname()[1], PATHS)))
        command = [sys.executable, str(ROOT / "manage.py"), "runnode", "--config", str(tmp_path)]
        with running(command, tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")) as process:
            assert process.ended() == 1
            assert "Address already in use" in process.output
