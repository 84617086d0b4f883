"""Measure how many simultaneous logins affect an existing session.

    python -m benchmarks.login_storm [--seconds 10] [--clients 50] [--rounds 3] [--methods ticket,wampcra]

Many clients log in and leave as fast as they can (the storm). The latency of another session's calls is measured, with
and without the storm. That session calls its own procedure, one call at a time. The node is started for this, first on
one core and then on all. The methods differ in the work for a login:

- ``anonymous``: no hash at all, for comparison
- ``ticket``: principals in the database, whose tickets are hashed with Django's password hasher
- ``wampcra``: a secret in the configuration, from which each login derives a key with 600,000 iterations
- ``wamp-scram``: principals in the database, with Argon2id, whose slow part the client computes
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.integration.servers import (
    ROOT,
    configuration,
    environment_of,
    free_port,
    manage,
    running,
    web,
    write_config,
)
from tests.integration.wire import Wire, joined
from wamp_transport.auth import scram, wampcra

from .servers import GENERATOR_CORE, SERVER_CORE, pinned, prepare

METHODS = ("anonymous", "ticket", "wampcra", "wamp-scram")
SECRET = "a secret that is long enough"  # noqa: S105 - the principals exist only during the measurement
ITERATIONS = 600_000
CALLS_BEFORE = 500
ROLES = {role: {} for role in ("publisher", "subscriber", "caller", "callee")}
ROLE = {"name": "user", "allow-by-default": True}
PREPARE = """
from wamp_transport.models import Credential, Principal
from wamp_transport.stores.identity import credentials
for method in ("ticket", "wamp-scram"):
    kept = credentials.keep(method, {secret!r})
    for number in range({clients}):
        who, _ = Principal.objects.get_or_create(realm="realm1", authid=f"u{{number}}", role="user")
        Credential.objects.create(principal=who, method=method, data=kept.data, fingerprint=f"{{method}}{{number}}")
"""


def services(clients: int) -> dict[str, Any]:
    """Return the node's services: ``open`` for the caller, ``ws`` for the storm."""
    stored = {"type": "database"}
    salted = {"secret": SECRET, "role": "user", "salt": "salt", "iterations": ITERATIONS, "keylen": 32}
    auth = {
        "anonymous": {"type": "static", "role": "user"},
        "ticket": stored,
        "scram": stored,
        "wampcra": {"type": "static", "users": {f"u{number}": salted for number in range(clients)}},
    }
    lockout = {"failures_per_address": 0, "failures_per_authid": 0}
    caller = {"type": "websocket", "auth": {"anonymous": {"type": "static", "role": "user"}}}
    return {"open": caller, "ws": {"type": "websocket", "auth": auth, "lockout": lockout}}


@contextmanager
def node(directory: Path, clients: int, *, is_pinned: bool) -> Iterator[int]:
    """Run a node, on one core or on all, and yield its port."""
    port = free_port()
    realms = [{"name": "realm1", "roles": [ROLE]}]
    write_config(directory, configuration(web(port, services(clients)), realms=realms))
    command = manage("runnode", "--config", str(directory))
    database = str(directory / "db.sqlite3")
    command = pinned(SERVER_CORE, *command) if is_pinned else command
    with running(command, directory, PYTHONWARNINGS="", WAMPNODE_DATABASE=database) as process:
        process.wait_for(port, seconds=60)
        yield port


# --- the storm, in a separate process --------------------------------------------------------------------------------


@cache
def salted_key(salt: str, iterations: int, keylen: int) -> str:
    """Return the key that is derived from the secret. It is cached, because clients are not measured."""
    return wampcra.derive_key(SECRET, wampcra.Salting(salt, iterations, keylen))


@cache
def salted_password(kdf: scram.Kdf, salt: bytes, iterations: int, memory: int) -> bytes:
    """Return the salted password for SCRAM, cached like :func:`salted_key`."""
    return scram.salted_password(SECRET, scram.Derivation(kdf, salt, iterations, memory))


def answer(method: str, authid: str, nonce: str, extra: dict[str, Any]) -> list[Any]:
    """Return the AUTHENTICATE message for a challenge."""
    if method == "ticket":
        return [5, SECRET, {}]
    if method == "wampcra":
        key = salted_key(extra["salt"], extra["iterations"], extra["keylen"])
        return [5, wampcra.sign(key, extra["challenge"]), {}]
    way = scram.Derivation(extra["kdf"], b64decode(extra["salt"]), extra["iterations"], extra["memory"])
    message = scram.auth_message(method, authid, nonce, extra["nonce"], way)
    salted = salted_password(way.kdf, way.salt, way.iterations, way.memory or 0)
    return [5, b64encode(scram.client_proof(salted, message)).decode(), {"nonce": extra["nonce"]}]


async def login(url: str, method: str, authid: str) -> bool:
    """Log in and disconnect. Return whether the login succeeded."""
    nonce = b64encode(os.urandom(16)).decode()
    details = {"roles": ROLES, "authmethods": [method], "authid": authid, "authextra": {"nonce": nonce}}
    async with connect(url, subprotocols=["wamp.2.json"], open_timeout=60) as client:  # type: ignore[list-item]
        await client.send(json.dumps([1, "realm1", details]))
        heard = json.loads(await client.recv())
        if heard[0] == 4:
            await client.send(json.dumps(answer(method, authid, nonce, heard[2])))
            heard = json.loads(await client.recv())
        return bool(heard[0] == 2)


async def storm(url: str, method: str, clients: int, seconds: float) -> dict[str, int]:
    """Log in for ``seconds`` with many clients. Count successful logins as ``in``, and the others as ``out``."""
    count = {"in": 0, "out": 0}
    end = time.monotonic() + seconds

    async def client(number: int) -> None:
        while time.monotonic() < end:
            try:
                is_in = await login(url, method, f"u{number}")
            except (OSError, WebSocketException):
                is_in = False
            count["in" if is_in else "out"] += 1

    await asyncio.gather(*(client(number) for number in range(clients)))
    return count


# --- the measured session --------------------------------------------------------------------------------------------


class Caller:
    """A session that calls its own procedure."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._id = 1
        wire.send_json([64, 1, {}, "com.example.echo"])
        wire.message()
        for _ in range(CALLS_BEFORE):
            self.call()

    def call(self) -> float:
        """Make a call, and return the milliseconds until its result."""
        begin = time.perf_counter()
        self._id += 1
        self._wire.send_json([48, self._id, {}, "com.example.echo", ["x"]])
        invocation = self._wire.message()
        self._wire.send_json([70, invocation[1], {}, ["x"]])
        if self._wire.message()[0] != 50:
            raise SystemExit("a call has failed")
        return (time.perf_counter() - begin) * 1000

    def calls(self, process: "subprocess.Popen[str] | None", seconds: float) -> list[float]:
        """Make calls for ``seconds``, or until ``process`` ends. Return the milliseconds of each call."""
        end = time.monotonic() + seconds
        took = []
        while time.monotonic() < end and (process is None or process.poll() is None):
            took.append(self.call())
            time.sleep(0.002)
        return took


def told(took: list[float]) -> str:
    """Format p50, p99 and the maximum."""
    took = sorted(took)
    return f"{took[len(took) // 2]:8.2f}{took[int(len(took) * 0.99)]:8.2f}{took[-1]:8.2f}"


def measure(port: int, method: str, options: argparse.Namespace) -> None:
    """Measure the calls in all rounds, without and with a storm, and print the results in one line."""
    quiet: list[float] = []
    stormy: list[float] = []
    logins, refused, seconds = 0, 0, options.seconds
    command = pinned(GENERATOR_CORE, sys.executable, "-m", "benchmarks.login_storm", "--storm", method)
    command += ["--url", f"ws://127.0.0.1:{port}/ws", "--clients", str(options.clients), "--seconds", str(seconds + 2)]
    with joined(port, "/open") as wire:
        caller = Caller(wire)
        for _ in range(options.rounds):
            quiet += caller.calls(None, seconds)
            with subprocess.Popen(  # noqa: S603 - our own
                command, stdout=subprocess.PIPE, text=True, env=environment_of(), cwd=ROOT
            ) as process:
                time.sleep(2)  # let the storm begin
                stormy += caller.calls(process, seconds)
                output, _ = process.communicate(timeout=300)
            count = json.loads(output)
            logins, refused = logins + count["in"], refused + count["out"]
    rate = logins / options.rounds / (seconds + 2)
    print(f"  {method:<12}{told(quiet)}  {told(stormy)}  {rate:10.1f}{refused:8}", flush=True)


def main() -> None:
    """Measure all methods and print the table. In the process of the storm, only log in."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--storm", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.storm:
        print(json.dumps(asyncio.run(storm(options.url, options.storm, options.clients, options.seconds))))
        return
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "node"
        prepare(directory)
        code = PREPARE.format(secret=SECRET, clients=options.clients)
        environment = environment_of(WAMPNODE_DATABASE=str(directory / "db.sqlite3"))
        command = manage("shell", "-v", "0", "-c", code)
        subprocess.run(command, cwd=ROOT, env=environment, check=True)  # noqa: S603 - our own
        for is_pinned in (True, False):
            where = "one core" if is_pinned else f"{os.cpu_count()} cores, which the clients share"
            print(f"calls one at a time, ms; {options.clients} clients log in; node on {where}")
            print(
                f"  {'':<12}{'without: p50, p99, max':>24}  {'with: p50, p99, max':>24}  {'logins/s':>10}{'refused':>8}"
            )
            with node(directory, options.clients, is_pinned=is_pinned) as port:
                for method in options.methods.split(","):
                    measure(port, method, options)


if __name__ == "__main__":
    main()
