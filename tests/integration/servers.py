"""Server processes for tests: started on free ports, ready when they listen, stopped at the end, their log at hand."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

ROOT = Path(__file__).parents[2]
DEADLINE = 20.0


PORTS = range(10_000, 32_000)
"""Below those that systems give to clients: one of these would sit on the port of a server that is still to start."""
_numbers = count(os.getpid() * 997)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on. Test workers that run side by side get different ones."""
    while True:
        port = PORTS[next(_numbers) % len(PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def until(condition: Callable[[], Any], what: str, *, seconds: float = DEADLINE) -> Any:
    """Wait until ``condition`` is true and return what it says."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
        time.sleep(0.01)
    return value


def is_open(address: int | str) -> bool:
    """Whether something listens on a port of 127.0.0.1, or on a Unix socket."""
    kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(kind) as probe:
        return probe.connect_ex(address if isinstance(address, str) else ("127.0.0.1", address)) == 0


def environment_of(**variables: str) -> dict[str, str]:
    """The environment of a process of the project: its own settings, not those of the tests."""
    own = {"DJANGO_SETTINGS_MODULE": "wampnode.settings", "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default"}
    return {**os.environ, **own, **variables}


class Process:
    """A running command and what it prints."""

    def __init__(self, command: Sequence[str], log: Path, *, cwd: Path = ROOT, **environment: str) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment_of(**environment),
            )

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return self.log.read_text("utf-8", "replace")

    def wait_for(self, *addresses: int | str, seconds: float = DEADLINE) -> "Process":
        """Return when all addresses are listened on."""

        def ready() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            return all(is_open(address) for address in addresses)

        until(ready, f"listening on {addresses}; printed so far:\n{self.output}", seconds=seconds)
        return self

    def wait_to_print(self, text: str, *, seconds: float = DEADLINE) -> str:
        """Return all output when ``text`` is in it."""
        until(lambda: text in self.output, f"{text!r} printed, but only:\n{self.output}", seconds=seconds)
        return self.output

    def ended(self, *, seconds: float = DEADLINE) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(seconds)

    def stop(self, *, seconds: float = DEADLINE) -> int:
        """Ask the process to end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.ended(seconds=seconds)

    def kill(self) -> None:
        """End the process by force."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(command: Sequence[str], directory: Path, **options: Any) -> Iterator[Process]:
    """A process that ends with the block at the latest. Its log is kept in ``directory``."""
    process = Process(command, directory / f"{time.monotonic_ns()}.log", **options)
    try:
        yield process
    finally:
        process.kill()


def manage(*arguments: str) -> list[str]:
    """The command line of the project's ``manage.py``."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


@cache
def _template() -> Path:
    directory = Path(mkdtemp(prefix="migrated-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    database = directory / "db.sqlite3"
    environment = environment_of(WAMPNODE_DATABASE=str(database))
    subprocess.run(manage("migrate", "--verbosity", "0"), cwd=ROOT, env=environment, check=True)
    return database


def migrate(database: Path) -> None:
    """Make a database with the project's tables, unless one is there. That of the first call is copied later."""
    if not database.exists():
        shutil.copy(_template(), database)


@contextmanager
def node(directory: Path, configuration: Mapping[str, Any], *addresses: int | str, **options: Any) -> Iterator[Process]:
    """``runnode`` with a configuration, ready when it listens on the addresses."""
    write_config(directory, configuration)
    environment = {"WAMPNODE_DATABASE": str(directory / "db.sqlite3"), **options}
    with running(manage("runnode", "--config", str(directory)), directory, **environment) as process:
        yield process.wait_for(*addresses)


def write_config(directory: Path, configuration: Mapping[str, Any]) -> Path:
    """Put a configuration in a node directory's place for it, in one step."""
    path = directory / ".crossbar" / "config.json"
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(configuration))
    new.rename(path)
    return path


def configuration(*transports: Mapping[str, Any], realms: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """A configuration with one router worker."""
    worker: dict[str, Any] = {"type": "router", "transports": list(transports)}
    if realms is not None:
        worker["realms"] = list(realms)
    return {"version": 2, "workers": [worker]}


def web(port: int, paths: Mapping[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A web transport on a port of 127.0.0.1, WAMP on ``ws`` by default."""
    return {
        "type": "web",
        "endpoint": {"type": "tcp", "port": port, "interface": "127.0.0.1"},
        "paths": {"ws": {"type": "websocket"}} if paths is None else paths,
        **attributes,
    }


def websocket(**options: Any) -> dict[str, Any]:
    """A WAMP service with these WebSocket options."""
    return {"type": "websocket", "options": options}


def realm(name: str, **permissions: bool) -> dict[str, Any]:
    """A realm whose anonymous clients may do what is named, with every URI."""
    allow = dict.fromkeys(("call", "register", "publish", "subscribe"), False) | permissions
    rule = {"uri": "", "match": "prefix", "allow": allow}
    return {"name": name, "roles": [{"name": "anonymous", "permissions": [rule]}]}


def assert_quiet(output: str) -> None:
    """Nothing went wrong in a server, and nothing was warned of."""
    for word in ("Traceback", "Exception", "Unhandled", "never retrieved", "was destroyed", "Warning:"):
        assert word not in output, output
