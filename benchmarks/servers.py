"""The servers that are measured: this project's node, Crossbar.io, xconn-python and a bare echo, each on one core.

Each function starts a server that allows everything to all clients. :func:`prepare` must have created the directory.
Inside the ``with`` block, the server listens on a free port of 127.0.0.1.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.servers import ROOT, Process, free_port, manage, running, until, write_config
from tests.integration.wire import Wire

SERVER_CORE, GENERATOR_CORE = (0, 1) if (os.cpu_count() or 1) > 1 else (0, 0)

PIN = (
    "import os, resource, sys; os.sched_setaffinity(0, {int(sys.argv[1])});"
    "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard)); os.execvp(sys.argv[2], sys.argv[2:])"
)
"""A program that selects a core, raises the limit of open files, and then replaces itself with a command."""

ALLOW = {"call": True, "register": True, "publish": True, "subscribe": True}
RULE = {"uri": "", "match": "prefix", "allow": ALLOW, "disclose": {"caller": False, "publisher": False}, "cache": True}
REALM = {"name": "realm1", "roles": [{"name": "anonymous", "permissions": [RULE]}]}
AUTH = {"anonymous": {"type": "static", "role": "anonymous"}}

LIMITS = {
    "max_sessions": 1_000_000,
    "max_subscriptions": 1_000_000,
    "max_registrations": 1_000_000,
    "max_calls": 1_000_000,
    "max_uri_length": 1_000,
    "max_depth": 100,
    "max_payload_size": 8 * 1024 * 1024,
}
"""The limits of our own node. All are enabled, and set so high that no measurement reaches them."""


@dataclass(frozen=True)
class Server:
    """A running server. ``pid`` is its main process; child processes are measured too."""

    url: str
    pid: int
    process: Process
    port: int


Start = Callable[[Path, Mapping[str, Any]], AbstractContextManager[Server]]
"""A function that starts a server. Its arguments are a directory for files, and WebSocket options."""


def pinned(core: int, *command: str) -> list[str]:
    """Return the command line that runs ``command`` on one core."""
    return [sys.executable, "-S", "-E", "-c", PIN, str(core), *command]


def _configuration(port: int, service: Mapping[str, Any], realm: Mapping[str, Any]) -> dict[str, Any]:
    endpoint = {"type": "tcp", "interface": "127.0.0.1", "port": port, "backlog": 4096}
    paths = {"/": {"type": "json", "value": {}}, "ws": {"type": "websocket", "auth": AUTH, **service}}
    worker = {
        "type": "router",
        "realms": [realm],
        "transports": [{"type": "web", "endpoint": endpoint, "paths": paths}],
    }
    return {"version": 2, "controller": {}, "workers": [worker]}


def prepare(directory: Path) -> None:
    """Create the directory for a server's files, with a database for our own node."""
    directory.mkdir()
    environment = {"WAMPNODE_DATABASE": str(directory / "db.sqlite3")}
    with running(manage("migrate", "--verbosity", "0"), directory, **environment) as migrate:
        if migrate.ended(seconds=60) != 0:
            raise SystemExit(migrate.output)


@contextmanager
def ours(directory: Path, options: Mapping[str, Any], **variables: str) -> Iterator[Server]:
    """Run ``runnode`` with all checks and limits enabled. ``variables`` are added to its environment."""
    port = free_port()
    realm = {**REALM, "options": LIMITS}
    write_config(directory, _configuration(port, {"options": {**LIMITS, **options}}, realm))
    environment = {"WAMPNODE_DATABASE": str(directory / "db.sqlite3"), **variables}
    command = pinned(SERVER_CORE, *manage("runnode", "--config", str(directory)))
    with running(command, directory, PYTHONWARNINGS="", **environment) as process:
        yield _ready(process, port)


@contextmanager
def crossbar(directory: Path, options: Mapping[str, Any]) -> Iterator[Server]:
    """Run Crossbar.io with its fastest configuration: cached permissions, no UTF-8 validation, no tracing."""
    environment = ROOT / ".venv-crossbar"
    port = free_port()
    options = {"enable_webstatus": False, "validate_utf8": False, **options}
    service = {"serializers": ["json", "msgpack", "cbor"], "options": options}
    write_config(directory, _configuration(port, service, REALM))
    command = pinned(SERVER_CORE, str(environment / "bin" / "crossbar"), "start", "--loglevel", "warn")
    command += ["--cbdir", str(directory / ".crossbar")]
    path = f"{environment / 'bin'}:{os.environ['PATH']}"
    with running(command, directory, PATH=path, PYTHONPATH="", PYTHONWARNINGS="") as process:
        yield _ready(process, port)
        process.stop(seconds=30)  # it terminates its child processes itself


@contextmanager
def xconn(directory: Path, options: Mapping[str, Any]) -> Iterator[Server]:
    """Run the router of xconn-python, which has no options, on uvloop."""
    if options:
        raise ValueError("it takes no options")
    port = free_port()
    python = str(ROOT / ".venv-xconn" / "bin" / "python")
    command = pinned(SERVER_CORE, python, str(Path(__file__).parent / "xconn_peer.py"), str(port))
    with running(command, directory, PYTHONPATH="", PYTHONWARNINGS="") as process:
        yield _ready(process, port)


@contextmanager
def bare(directory: Path, options: Mapping[str, Any]) -> Iterator[Server]:
    """Run a bare echo on this project's server, to measure the cost of the server without WAMP."""
    port = free_port()
    command = pinned(SERVER_CORE, sys.executable, "-m", "benchmarks.bare", str(port))
    with running(command, directory, PYTHONWARNINGS="") as process:
        process.wait_for(port, seconds=60)
        yield Server(f"ws://127.0.0.1:{port}/echo", process.process.pid, process, port)


STARTS: dict[str, Start] = {"ours": ours, "crossbar": crossbar, "xconn": xconn}


def _ready(process: Process, port: int) -> Server:
    """Wait until the path is served, and return the server. Some routers listen before they serve the path."""
    process.wait_for(port, seconds=120)
    until(lambda: is_serving(port), "the path /ws is served", seconds=30)
    return Server(f"ws://127.0.0.1:{port}/ws", process.process.pid, process, port)


def is_serving(port: int) -> bool:
    """Return whether a WebSocket for WAMP can be opened."""
    try:
        with Wire(port) as wire:
            return " 101 " in wire.upgrade("/ws")
    except OSError:
        return False


def missing() -> list[str]:
    """Return the virtual environments that must be installed before all servers can be started."""
    wanted = {".venv-crossbar": "bin/crossbar", ".venv-xconn": "bin/python"}
    return [name for name, program in wanted.items() if not (ROOT / name / program).exists()]
