"""Static files over a real Daphne: what raw request lines, slow readers and ordinary clients get."""

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).resolve().parents[2]
BIG = 20 * 1024 * 1024

PROGRAM = """
import sys

from daphne.server import Server

from wamp_transport.webservices.static import StaticFiles


def tell():
    print(server.listening_addresses[0][1], flush=True)


app = StaticFiles(sys.argv[1], excluded=["private"])
server = Server(app, endpoints=["tcp:0:interface=127.0.0.1"], ready_callable=tell)
server.run()
"""


@dataclass
class Node:
    """A running server: where it listens, its process, the directory it serves and what it wrote to stderr."""

    port: int
    process: subprocess.Popen[str]
    root: Path
    errors: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def has_open(self, name: str) -> bool:
        targets = []
        for entry in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                targets.append(os.readlink(entry))
        return any(target.endswith(name) for target in targets)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    outer = tmp_path_factory.mktemp("outer")
    root = outer / "site"
    for name in ("index.html", "app.js", "docs/index.html", ".env", ".crossbar/node.key", "private/x"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"this is {name}")
    (outer / "secret.txt").write_text("secret")
    (root / "big.bin").write_bytes(os.urandom(BIG))
    errors = outer / "stderr"
    command = [sys.executable, "-W", "always", "-c", PROGRAM, str(root)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment, cwd=outer
        )
    try:
        line = process.stdout.readline()
        assert line, errors.read_text()
        yield Node(int(line), process, root, errors)
    finally:
        process.terminate()
        process.wait(15)
        process.stdout.close()
    # Looked at last, so that it covers every request made here.
    assert "Warning" not in errors.read_text()
    assert "Traceback" not in errors.read_text()


def read_answer(stream: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one answer with a content length from a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = stream.recv(65536)
        assert chunk, f"the server hung up after {data!r}"
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    parts, missing = [body], int(headers["content-length"]) - len(body)
    while missing > 0:
        chunk = stream.recv(65536)
        assert chunk, f"the server hung up with {missing} bytes to come"
        parts.append(chunk)
        missing -= len(chunk)
    return int(status_line.split()[1]), headers, b"".join(parts)


def ask(stream: socket.socket, target: str, *lines: str) -> tuple[int, dict[str, str], bytes]:
    request = "\r\n".join([f"GET {target} HTTP/1.1", "Host: localhost", *lines, "", ""])
    stream.sendall(request.encode("latin-1"))
    return read_answer(stream)


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/docs/../../secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%252e%252e%252fsecret.txt",
        "/docs/..%00/secret.txt",
        "/%00",
        "/app.js%00",
        "/app.js%00.html",
        "//secret.txt",
        "//127.0.0.1/../secret.txt",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "/.env",
        "/%2eenv",
        "/.crossbar/node.key",
        "/%2ecrossbar%2fnode.key",
        "/private/x",
        "/pr%69vate/x",
        "/../site/app.js",
        "/" + "../" * 50 + "etc/passwd",
        "http://127.0.0.1/../secret.txt",
        "*",
        "secret.txt",
        "../secret.txt",
    ],
)
def test_raw_request_line_for_hidden_file_is_not_found(node, target):
    with node.connect() as stream:
        status, _, body = ask(stream, target)
        assert status == 404
        assert b"secret" not in body
        assert b"outer" not in body
        assert ask(stream, "/app.js")[2] == b"this is app.js"


def test_raw_request_with_whole_url_is_served(node):
    with node.connect() as stream:
        assert ask(stream, "http://localhost/app.js")[2] == b"this is app.js"


def test_raw_keep_alive_connection_serves_file_after_file(node):
    with node.connect() as stream:
        for _ in range(20):
            assert ask(stream, "/app.js")[0] == 200
            assert ask(stream, "/missing")[0] == 404
            assert ask(stream, "/docs")[1]["location"] == "./docs/"
            assert ask(stream, "/app.js", "Range: bytes=5-6")[2] == b"is"
            assert ask(stream, "/app.js", "Range: bytes=500-")[0] == 416
            assert ask(stream, "/docs/")[2] == b"this is docs/index.html"


def test_raw_requests_in_one_packet_are_answered_in_order(node):
    with node.connect() as stream:
        request = "GET /app.js HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
        stream.sendall((request.format("") * 2 + request.format("Connection: close\r\n")).encode())
        data = b""
        while chunk := stream.recv(65536):
            data += chunk
    assert data.count(b"200 OK") == 3
    assert data.count(b"this is app.js") == 3


def test_big_file_arrives_intact(node):  # that it takes little memory: test_slow_clients
    expected = hashlib.sha256((node.root / "big.bin").read_bytes()).hexdigest()
    digest, size = hashlib.sha256(), 0
    with node.connect() as stream:
        stream.sendall(b"GET /big.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        file = stream.makefile("rb")
        while file.readline() != b"\r\n":
            pass
        while chunk := file.read(65536):
            digest.update(chunk)
            size += len(chunk)
        file.close()
    assert size == BIG
    assert digest.hexdigest() == expected


def test_httpx_resumes_big_file(node):
    content = (node.root / "big.bin").read_bytes()
    with httpx.Client(base_url=node.url) as client:
        head = client.head("/big.bin")
        assert int(head.headers["content-length"]) == BIG
        half = client.get("/big.bin", headers={"Range": f"bytes={BIG // 2}-", "If-Range": head.headers["etag"]})
        assert half.status_code == 206
        assert half.content == content[BIG // 2 :]
        assert client.get("/big.bin", headers={"Range": "bytes=-7"}).content == content[-7:]
        outside = client.get("/big.bin", headers={"Range": f"bytes={BIG}-"})
        assert (outside.status_code, outside.headers["content-range"]) == (416, f"bytes */{BIG}")


def test_httpx_asks_again_and_gets_not_modified(node):
    with httpx.Client(base_url=node.url) as client:
        fresh = client.get("/app.js")
        assert fresh.headers["cache-control"] == "max-age=43200, public"
        for headers in (
            {"If-None-Match": fresh.headers["etag"]},
            {"If-Modified-Since": fresh.headers["last-modified"]},
        ):
            again = client.get("/app.js", headers=headers)
            assert (again.status_code, again.content) == (304, b"")
        assert client.get("/app.js", headers={"If-Modified-Since": "rubbish"}).status_code == 200


def test_httpx_follows_directory_to_its_index_with_query(node):
    answer = httpx.get(f"{node.url}/docs?a=b", follow_redirects=True)
    assert answer.text == "this is docs/index.html"
    assert str(answer.url) == f"{node.url}/docs/?a=b"


def test_httpx_post_is_refused(node):
    answer = httpx.post(f"{node.url}/app.js", content=b"x" * 100_000)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_client_gone_in_the_middle_leaves_no_file_open(node):
    for _ in range(5):
        with node.connect() as stream:
            stream.sendall(b"GET /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stream.recv(1)
    deadline = time.monotonic() + 10
    while node.has_open("big.bin") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not node.has_open("big.bin")
    assert httpx.get(f"{node.url}/app.js").status_code == 200
