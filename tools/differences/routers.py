"""Start both routers with the same configuration."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wamp_transport
from tests.integration.servers import free_port, manage, migrate, running, until, write_config
from tests.integration.wire import Wire
from wamp_transport.config.dialects import with_dialect

from . import login_services as logins

OPEN = {"call": True, "register": True, "publish": True, "subscribe": True}


def rule(uri: str, match: str, *actions: str, **more: Any) -> dict[str, Any]:
    """Return a permission."""
    return {"uri": uri, "match": match, "allow": dict.fromkeys(OPEN, False) | dict.fromkeys(actions, True), **more}


def realm(name: str, *rules: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return a realm with these rules for anonymous clients, and with the roles in ``others``."""
    return {"name": name, "roles": [{"name": "anonymous", "permissions": list(rules)}, *others]}


ALL = rule("", "prefix", *OPEN)
REALMS = [
    {
        "name": "realm1",
        "roles": [{"name": name, "permissions": [ALL]} for name in ("anonymous", "guest")],
        "store": {"type": "memory", "event-history": [{"uri": "com.history.kept", "match": "exact", "limit": 10}]},
    },
    realm("realm2", ALL),
    realm("disclosing", rule("", "prefix", *OPEN, disclose={"caller": True, "publisher": True})),
    realm(
        "rules",
        rule("wamp.", "prefix", "call"),
        rule("a.", "prefix", *OPEN),
        rule("a.b", "exact"),
        rule("w..c", "wildcard", *OPEN),
        rule("w..d", "wildcard"),
        rule(".tail", "wildcard", *OPEN),
        rule("deny.", "prefix"),
        rule("deny..c", "wildcard", *OPEN),
        rule("com", "exact", *OPEN),
        rule("com.secret", "exact", "publish"),
        rule("open.", "prefix", "subscribe", "publish"),
        rule("open.secret", "exact", "publish"),
        others=({"name": "guest", "permissions": [ALL]},),
    ),
    {"name": "roleless", "roles": [{"name": "somebody", "permissions": [ALL]}]},
    {"name": logins.REALM, "roles": [{"name": name, "permissions": [ALL]} for name in logins.ROLES]},
]


@dataclass(frozen=True)
class Place:
    """The address of a router: its port, its port with TLS, and the directory of the certificates."""

    port: int
    secure: int
    directory: Path


def configuration(place: Place) -> dict[str, Any]:
    """Return the configuration of both routers. Only the ports and the paths of the certificates differ."""
    service = {"type": "websocket", "auth": {"anonymous": {"type": "static"}}}
    guest = {"type": "static", "role": "guest", "authid": "guest"}
    paths = {
        "/": {"type": "json", "value": {}},
        "ws": service,
        "guest": {**service, "auth": {"anonymous": guest}},
        "origins": {
            **service,
            "options": {"allowed_origins": ["https://example.com", "HTTPS://LOUD.ORG:443"], "allow_null_origin": False},
        },
        "deflate": {**service, "options": {"compression": {"deflate": {}}}},
        "taking": {**service, "options": {"compression": {"deflate": {"no_context_takeover": False}}}},
        "narrow": {**service, "options": {"compression": {"deflate": {"max_window_bits": 12}}}},
        "small": {**service, "options": {"max_message_size": 4000, "max_frame_size": 4000}},
        "quiet": {**service, "options": {"enable_webstatus": False}},
        "static": {"type": "static", "directory": "../public"},
        **logins.PATHS,
    }
    endpoint = {"type": "tcp", "interface": "127.0.0.1", "port": place.port}
    plain = {"type": "web", "endpoint": endpoint, "paths": paths}
    transports = [logins.secure(place.secure, place.directory), plain]
    worker = {"type": "router", "realms": REALMS, "transports": transports}
    return {"version": 2, "controller": {}, "workers": [worker]}


def _prepared(directory: Path) -> Place:
    place = Place(free_port(), free_port(), directory)
    directory.mkdir()
    logins.certificates(directory)
    (directory / "public").mkdir()
    (directory / "public" / "page.txt").write_text("a page")
    write_config(directory, configuration(place))
    return place


@contextmanager
def ours(directory: Path) -> Iterator[Place]:
    """Run this project's router."""
    place = _prepared(directory)
    write_config(directory, with_dialect(configuration(place), "specification"))
    environment = {"WAMPNODE_DATABASE": str(directory / "db.sqlite3"), **logins.ENVIRONMENT}
    migrate(directory / "db.sqlite3")
    with running(manage("runnode", "--config", str(directory)), directory, **environment) as process:
        process.wait_for(place.port, place.secure, seconds=60)
        yield place
        process.stop()


@contextmanager
def crossbar(directory: Path, environment: Path) -> Iterator[Place]:
    """Run Crossbar from its virtual environment."""
    place = _prepared(directory)
    command = [str(environment / "bin" / "crossbar"), "start", "--loglevel", "warn"]
    command += ["--cbdir", str(directory / ".crossbar")]
    variables = {"PATH": f"{environment / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": "", **logins.ENVIRONMENT}
    with running(command, directory, **variables) as process:
        process.wait_for(place.port, place.secure, seconds=120)
        until(lambda: _is_serving(place.port), "the last of the paths is served", seconds=30)
        yield place
        process.stop(seconds=30)


def _is_serving(port: int) -> bool:
    """Return whether Crossbar serves its last path. It listens before it adds its paths, in alphabetical order."""
    with Wire(port) as wire:
        return " 101 " in wire.upgrade("/ws")


def versions(environment: Path) -> tuple[str, str]:
    """Return the versions of Crossbar and of this project."""
    program = "import importlib.metadata as m; print(m.version('crossbar'))"
    python = str(environment / "bin" / "python")
    found = subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout.strip()
    return found, wamp_transport.__version__


if __name__ == "__main__":
    here = Path.cwd()
    logins.certificates(here)
    json.dump(configuration(Place(8080, 8443, here)), sys.stdout, indent=2)
