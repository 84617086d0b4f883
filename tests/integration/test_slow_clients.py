"""Clients that read slowly cost the server no memory and the others no time."""

import socket
from pathlib import Path

import pytest

from .servers import configuration, free_port, node, until, web

pytestmark = pytest.mark.integration

BIG = 64 * 1024 * 1024


def resident(pid: int) -> int:
    """The memory that a process holds, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def fetched(port: int, path: str) -> bytes:
    """A whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_download_that_is_not_read_is_held_back_at_the_disk(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "small.txt").write_text("small")
    with (files / "big.bin").open("wb") as big:
        big.truncate(BIG)
    port = free_port()
    paths = {"/": {"type": "static", "directory": str(files)}}
    with node(tmp_path, configuration(web(port, paths)), port) as process:
        fetched(port, "/small.txt")
        before = resident(process.process.pid)
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect(("127.0.0.1", port))
            stalled.sendall(b"GET /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stalled.recv(12) == b"HTTP/1.1 200"
            for _ in range(50):
                assert fetched(port, "/small.txt").endswith(b"small")
            assert resident(process.process.pid) - before < BIG // 4
            # Whoever reads again gets all of it.
            received = 12
            stalled.settimeout(20)
            while received < BIG:
                received += len(stalled.recv(1 << 20))
        until(lambda: fetched(port, "/small.txt").endswith(b"small"), "the server serves on")
