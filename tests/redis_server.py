"""Temporary Redis servers for tests."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from .integration.servers import DEADLINE, free_port, is_open, until
from .requirements import redis_server


class RedisServer:
    """A Redis server on a Unix socket that can be killed, paused and started again.

    ``options`` are options of the command line without the hyphens. With ``port``, the server also listens on this TCP
    port of 127.0.0.1; with the option ``tls-port``, on that one. Without the option ``appendonly``, it writes no files.
    ``environment`` are additional environment variables.
    """

    def __init__(self, *, port: int = 0, environment: Mapping[str, str] | None = None, **options: str) -> None:
        # The name of the directory is short, because paths of sockets must be short.
        self.directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self.socket = self.directory / "s"
        self.port = port
        self.environment = {**os.environ, **(environment or {})}
        self.options = {"save": "", "appendonly": "no", **{key.replace("_", "-"): options[key] for key in options}}
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def client(self, **options: str) -> Redis:
        """Return a client of redis-py. Close it, or use it in a ``with`` statement."""
        return Redis(unix_socket_path=str(self.socket), **options)

    def start(self) -> None:
        """Start the server, and wait until it answers. With ``appendonly``, it loads the data of the last run."""
        self.socket.unlink(missing_ok=True)
        command = [redis_server(), "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        for name, value in self.options.items():
            command += [f"--{name}", value]
        with (self.directory / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.directory, env=self.environment, stdout=log, stderr=log)
        self.process = process
        until(lambda: process.poll() is not None or is_open(str(self.socket)), "Redis answers")
        assert process.poll() is None, (self.directory / "log").read_text()

    def kill(self) -> None:
        """Kill the server. What it has not written to its files is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(DEADLINE)
            self.process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the process, and let it continue at the end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill the server, and delete its files."""
        self.kill()
        shutil.rmtree(self.directory)


@contextmanager
def redis_process(
    *, has_port: bool = False, environment: Mapping[str, str] | None = None, **options: str
) -> Iterator[RedisServer]:
    """Run a new, empty server; see :class:`RedisServer`."""
    server = RedisServer(port=free_port() if has_port else 0, environment=environment, **options)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def running_redis() -> Iterator[str]:
    """Run a new, empty server, and yield its location for Django's cache."""
    with redis_process() as server:
        yield server.url
