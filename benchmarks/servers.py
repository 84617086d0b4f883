"""The servers that are measured: this project's node, Crossbar.io, xconn-python, and a bare echo; each on one core.

Every one is started with rights for all, in a directory that :func:`prepare` has made, and listens on a free port of
127.0.0.1 before its block begins.
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
"""Becomes a command that runs on one core and may open as many files as the system lets it."""

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
"""Our own node is measured with every limit on; none of them is met."""


@dataclass(frozen=True)
class Server:
    """One that runs. ``pid`` is its first process; its children belong to it."""

    url: str
    pid: int
    process: Process
    port: int


Start = Callable[[Path, Mapping[str, Any]], AbstractContextManager[Server]]
"""Starts one: a directory for its files, and WebSocket options."""


def pinned(core: int, *command: str) -> list[str]:
    """The command line that runs ``command`` on one core."""
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
    """Make the directory that servers put their files in, and the database of our own."""
    directory.mkdir()
    environment = {"WAMPNODE_DATABASE": str(directory / "db.sqlite3")}
    with running(manage("migrate", "--verbosity", "0"), directory, **environment) as migrate:
        if migrate.ended(seconds=60) != 0:
            raise SystemExit(migrate.output)


@contextmanager
def ours(directory: Path, options: Mapping[str, Any]) -> Iterator[Server]:
    """``runnode`` with all checks and limits on."""
    port = free_port()
    realm = {**REALM, "options": LIMITS}
    write_config(directory, _configuration(port, {"options": {**LIMITS, **options}}, realm))
    environment = {"WAMPNODE_DATABASE": str(directory / "db.sqlite3")}
    command = pinned(SERVER_CORE, *manage("runnode", "--config", str(directory)))
    with running(command, directory, PYTHONWARNINGS="", **environment) as process:
        yield _ready(process, port)


@contextmanager
def crossbar(directory: Path, options: Mapping[str, Any]) -> Iterator[Server]:
    """Crossbar.io as fast as its configuration makes it: permissions cached, no check of UTF-8, no trace."""
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
        process.stop(seconds=30)  # it ends its own children


@contextmanager
def xconn(directory: Path, options: Mapping[str, Any]) -> Iterator[Server]:
    """The router of xconn-python, which has no options, on uvloop."""
    if options:
        raise ValueError("it takes no options")
    port = free_port()
    python = str(ROOT / ".venv-xconn" / "bin" / "python")
    command = pinned(SERVER_CORE, python, str(Path(__file__).parent / "xconn_peer.py"), str(port))
    with running(command, directory, PYTHONPATH="", PYTHONWARNINGS="") as process:
        yield _ready(process, port)


@contextmanager
def bare(directory: Path, options: Mapping[str, Any]) -> Iterator[Server]:
    """An echo on this project's server, without WAMP: what the same way through the same server costs by itself."""
    port = free_port()
    command = pinned(SERVER_CORE, sys.executable, "-m", "benchmarks.bare", str(port))
    with running(command, directory, PYTHONWARNINGS="") as process:
        process.wait_for(port, seconds=60)
        yield Server(f"ws://127.0.0.1:{port}/echo", process.process.pid, process, port)


STARTS: dict[str, Start] = {"ours": ours, "crossbar": crossbar, "xconn": xconn}


def _ready(process: Process, port: int) -> Server:
    """Wait until the path is served: some routers listen earlier."""
    process.wait_for(port, seconds=120)
    until(lambda: is_serving(port), "the path /ws is served", seconds=30)
    return Server(f"ws://127.0.0.1:{port}/ws", process.process.pid, process, port)


def is_serving(port: int) -> bool:
    """Whether a WebSocket of WAMP can be opened."""
    try:
        with Wire(port) as wire:
            return " 101 " in wire.upgrade("/ws")
    except OSError:
        return False


def missing() -> list[str]:
    """What has to be installed before all of them can be started."""
    wanted = {".venv-crossbar": "bin/crossbar", ".venv-xconn": "bin/python"}
    return [name for name, program in wanted.items() if not (ROOT / name / program).exists()]
