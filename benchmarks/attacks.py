"""Attack a node, and measure its memory and how long another session waits.

    python -m benchmarks.attacks [--rounds 3] [NAME ...]

The node runs with the default limits. Each attack is a client in a process of its own, which stops when the node
refuses or disconnects it, or when it has sent what it wants to send. Meanwhile another session makes one call after
another. The table shows the largest memory of the node (RSS) and the longest wait of that session, each as a range
over the rounds, and how the last attack ended. A new node is started for each attack in each round.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from tests.integration.servers import ROOT, environment_of, free_port, manage, running, write_config
from tests.integration.wire import BINARY, CONTINUATION, TEXT, Wire, frame, joined, opened

from .servers import AUTH, GENERATOR_CORE, RULE, SERVER_CORE, pinned, prepare

MIB = 1024 * 1024
SECONDS = 5.0
"""Time after which an attack stops sending."""
GONE = (OSError, EOFError, AssertionError)
"""The exceptions by which a client of these tests notices that the node has refused or disconnected it."""

REALM = {
    "name": "realm1",
    "roles": [{"name": "anonymous", "permissions": [RULE]}],
    "store": {"type": "database", "event-history": [{"uri": "com.example.recorded", "limit": 50}]},
}
HELLO = {
    "roles": {
        "publisher": {"features": {"event_retention": True}},
        "subscriber": {"features": {"event_retention": True, "pattern_based_subscription": True}},
        "caller": {},
        "callee": {},
    }
}


# --- the attacks -----------------------------------------------------------------------------------------------------


def answered(wire: Wire, messages: Iterator[list[Any]]) -> str:
    """Send messages one at a time, each of which is answered, until the node refuses or the time is up."""
    end = time.monotonic() + SECONDS
    number = 0
    for number, message in enumerate(messages, 1):
        wire.send_json(message)
        answer = wire.message()
        if answer[0] in (3, 6, 8):
            return f"refused at message {number}: {answer[4] if answer[0] == 8 else answer[2]}"
        if time.monotonic() > end:
            break
    return f"{number} messages accepted"


def unread(wire: Wire, messages: Iterator[list[Any]]) -> str:
    """Send messages whose answers nobody reads, until the node stops reading or the time is up."""
    end = time.monotonic() + SECONDS
    wire.socket.settimeout(1)
    sent = 0
    with suppress(*GONE):
        for message in messages:
            data = frame(TEXT, json.dumps(message).encode())
            wire.send(data)
            sent += len(data)
            if time.monotonic() > end:
                break
    time.sleep(1)
    return f"{sent / 1e6:.2f} MB of requests sent, no answer read"


def ending(wire: Wire) -> str:
    """Return how the node answers the last message, or closes the connection."""
    try:
        received = wire.frame()
    except GONE as error:
        return f"disconnected ({type(error).__name__})"
    if received.opcode == TEXT:
        message = received.message
        return f"refused: {message[4] if message[0] == 8 else message[2]}"
    return f"closed with code {received.code}" if received.opcode == 8 else received.payload[:60].decode("latin-1")


def integer_keys(port: int) -> str:
    """A MessagePack message of 1 MB with a map of 180,000 integer keys."""
    with opened(port, subprotocol="wamp.2.msgpack") as wire:
        roles = b"\x81\xa5roles\x81\xa9publisher\x80"
        wire.send(frame(BINARY, b"\x93\x01\xa6realm1" + roles))
        wire.frame()
        keys = [0xFFFFFFFF - (number << 14) % 0xFFFFFFFF for number in range(180_000)]
        pairs = b"".join(b"\xce" + struct.pack("!I", key) + b"\x00" for key in keys)
        body = b"\x91\xdf" + struct.pack("!I", len(keys)) + pairs
        wire.send(frame(BINARY, b"\x95\x10\x01\x81\xabacknowledge\xc3\xa5com.k" + body))
        return f"{len(body) / 1e6:.1f} MB, answer: {wire.frame().payload[:80]!r}"


def retained_events(port: int) -> str:
    """Retain 1,000 events of 4 KB, then ask 100 times for all of them without reading."""
    with joined(port) as publisher, opened(port) as wire:
        topics = ([16, number, {"acknowledge": True, "retain": True}, f"com.r.{number}", ["x" * 4000]]
                  for number in range(1, 1001))  # fmt: skip
        first = answered(publisher, topics)
        wire.send_json([1, "realm1", HELLO])
        wire.message()
        asks = ([32, number, {"match": "prefix", "get_retained": True}, "com.r."] for number in range(1, 101))
        return f"{first}; {unread(wire, asks)}"


def retained_storage(port: int) -> str:
    """Retain events of 1 MB under new topics."""
    with joined(port) as wire:
        return answered(
            wire,
            (
                [16, number, {"acknowledge": True, "retain": True}, f"com.r.{number}", ["x" * MIB]]
                for number in count(1)
            ),
        )


def event_history(port: int) -> str:
    """Record 50 events of 64 KB, then ask 1,000 times for all of them without reading."""
    with joined(port) as wire:
        wire.send_json([32, 1, {}, "com.example.recorded"])
        subscription = wire.message()[2]
        with joined(port) as publisher:
            options = {"acknowledge": True}
            answered(
                publisher, ([16, number, options, "com.example.recorded", ["x" * 65000]] for number in range(1, 51))
            )
        calls = ([48, number, {}, "wamp.subscription.get_events", [subscription, 50]] for number in range(2, 1002))
        return unread(wire, calls)


def history_storage(port: int) -> str:
    """Publish events of 64 KB to a topic with recorded history, as fast as the node reads."""
    with joined(port) as wire:
        return unread(wire, ([16, number, {}, "com.example.recorded", ["x" * 65000]] for number in count(1)))


def meta_lists(port: int) -> str:
    """Make 20,000 subscriptions, then list them 2,000 times without reading."""
    with joined(port) as wire:
        for first in range(1, 20_001, 500):
            wire.send_json(*([32, number, {}, f"com.m.{number}"] for number in range(first, first + 500)))
            for _ in range(500):
                wire.message()
        return unread(wire, ([48, number, {}, "wamp.subscription.list"] for number in range(20_001, 22_001)))


def patterns(port: int) -> str:
    """Make wildcard subscriptions with 64 components each, then publish to topics that match none of them."""
    with joined(port) as wire:
        for number in range(1, 20_001):
            parts = ["a"] * 64
            for bit in range(14):
                parts[4 * bit + 1] = "" if number >> bit & 1 else "a"
            parts[-1] = "z"
            wire.send_json([32, number, {"match": "wildcard"}, ".".join(parts)])
            if wire.message()[0] == 8:
                return f"refused at pattern {number}"
        topic = ".".join(["a"] * 63 + ["b"])
        return "20,000 patterns; " + answered(
            wire, ([16, number, {"acknowledge": True}, topic] for number in count(20_001))
        )


def long_patterns(port: int) -> str:
    """Subscribe to a wildcard with 500 components."""
    with joined(port) as wire:
        return answered(
            wire, ([32, number, {"match": "wildcard"}, ".".join(["a", ""] * 250)] for number in range(1, 10))
        )


def testaments(port: int) -> str:
    """Store testaments of 1 MB."""
    with joined(port) as wire:
        return answered(
            wire,
            ([48, number, {}, "wamp.session.add_testament", ["com.t", ["x" * MIB], {}]] for number in count(1)),
        )


def slow_reader(port: int) -> str:
    """Subscribe, and let another session publish 300 MB that the subscriber does not read."""
    with joined(port, receive_buffer=4096) as reader, joined(port) as publisher:
        reader.send_json([32, 1, {}, "com.slow"])
        reader.message()
        return answered(
            publisher, ([16, number, {"acknowledge": True}, "com.slow", ["x" * MIB]] for number in range(1, 301))
        )


def handshakes(port: int) -> str:
    """Open 2,000 connections that send no HELLO, and half a message of 60 KB each."""
    wires = []
    try:
        for _ in range(2000):
            wires.append(opened(port))
            wires[-1].send(frame(TEXT, b"[" * 60_000, fin=False))
    except GONE as error:
        return f"stopped at connection {len(wires) + 1} ({type(error).__name__})"
    finally:
        for wire in wires:
            wire.socket.close()
    return "2,000 connections accepted, until their time limit"


def unfinished(wires: Iterator[Wire], begin: bytes, piece: bytes, pieces: int) -> str:
    """Send the same beginning of a message, and never its end, through each of some connections."""
    sent, kept, refused = 0, [], 0
    end = time.monotonic() + SECONDS
    for wire in wires:
        kept.append(wire)
        wire.socket.settimeout(0.5)
        try:
            wire.send(begin)
            for _ in range(pieces):
                wire.send(piece)
                sent += len(piece)
        except GONE:
            refused += 1
        if time.monotonic() > end:
            break
    for wire in kept:
        wire.socket.close()
    return f"{sent / 1e6:.0f} MB sent through {len(kept)} connections, of which the node closed {refused} meanwhile"


def half_messages(port: int) -> str:
    """100 sessions send 16 MB each in fragments of 64 KiB, and never the end."""
    piece = frame(CONTINUATION, b"x" * 65536, fin=False)
    return unfinished((joined(port) for _ in range(100)), frame(TEXT, b"[", fin=False), piece, 250)


def half_frames(port: int) -> str:
    """100 sessions announce a message of 16 MB, and send all of it but the last byte."""
    begin = frame(TEXT, b"x" * 16_000_000)[:-1]
    return unfinished((joined(port) for _ in range(100)), begin[:65536], begin[65536:], 1)


def half_hellos(port: int) -> str:
    """100 connections without a session send 16 MB each, and never the end."""
    piece = frame(CONTINUATION, b"x" * 65536, fin=False)
    return unfinished((opened(port) for _ in range(100)), frame(TEXT, b"[", fin=False), piece, 250)


def small_fragments(port: int) -> str:
    """20 sessions send 2 MB each in fragments of two bytes, and never the end."""
    piece = frame(CONTINUATION, b"xy", fin=False) * 10_000
    return unfinished((joined(port) for _ in range(20)), frame(TEXT, b"[", fin=False), piece, 100)


def nesting(port: int) -> str:
    """Send 16 MB of nested lists before and after logging in."""
    with opened(port) as wire:
        with suppress(*GONE):
            wire.send(frame(TEXT, b"[" * 15_000_000))
        first = ending(wire)
    with joined(port) as wire:
        with suppress(*GONE):
            wire.send(frame(TEXT, b'[16,1,{"acknowledge":true},"com.n",' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"]"))
        return f"before the login {first}; after it {ending(wire)}"


def inflation(port: int) -> str:
    """Send a compressed message of 60 KB that inflates to 60 MB."""
    with opened(port, headers=["Sec-WebSocket-Extensions: permessage-deflate"]) as wire:
        wire.send_json([1, "realm1", HELLO])
        wire.frame()
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = deflate.compress(b'[16,1,{},"com.z",["' + b"x" * 60_000_000 + b'"]]') + deflate.flush(zlib.Z_SYNC_FLUSH)
        wire.send(frame(TEXT, data[:-4], rsv=4))
        return f"{len(data) / 1000:.0f} kB, {ending(wire)}"


def header_digits(port: int) -> str:
    """Send headers with numbers of 5,000 digits."""
    ends = []
    for header in ("Content-Length", "X-Forwarded-Port"):
        with Wire(port) as wire:
            wire.send(f"GET /ws HTTP/1.1\r\nHost: a\r\n{header}: {'1' * 5000}\r\n\r\n".encode())
            ends.append(wire.head().split()[1])
    return "HTTP status " + ", ".join(ends)


ATTACKS: dict[str, Callable[[int], str]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        integer_keys, retained_events, retained_storage, event_history, history_storage, meta_lists, patterns,
        long_patterns, testaments, slow_reader, handshakes, half_hellos, half_messages, half_frames, small_fragments,
        nesting, inflation, header_digits,
    )
}  # fmt: skip


# --- the node and the session that waits -----------------------------------------------------------------------------


@contextmanager
def node(directory: Path) -> Iterator[tuple[int, int]]:
    """Run a node with the default limits. Yield its port and its process id."""
    prepare(directory)
    port = free_port()
    endpoint = {"type": "tcp", "interface": "127.0.0.1", "port": port}
    deflate = {"deflate": {}}
    paths = {
        "/": {"type": "json", "value": {}},
        "ws": {"type": "websocket", "auth": AUTH, "options": {"compression": deflate}},
    }
    worker = {
        "type": "router",
        "realms": [REALM],
        "transports": [{"type": "web", "endpoint": endpoint, "paths": paths}],
    }
    write_config(directory, {"version": 2, "controller": {}, "workers": [worker]})
    database = str(directory / "db.sqlite3")
    command = pinned(SERVER_CORE, *manage("runnode", "--config", str(directory)))
    with running(command, directory, PYTHONWARNINGS="", WAMPNODE_DATABASE=database) as process:
        process.wait_for(port, seconds=60)
        yield port, process.process.pid


def peak(pid: int) -> float:
    """Return the largest memory (RSS) of a process so far, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))


def attack(name: str, directory: Path) -> tuple[float, float, str]:
    """Attack a new node. Return its memory in MB, the longest wait in ms, and how the attack ended."""
    with node(directory) as (port, pid), joined(port) as wire:
        longest, number = 0.0, 0
        command = pinned(GENERATOR_CORE, sys.executable, "-m", "benchmarks.attacks", "--attack", name, str(port))
        with subprocess.Popen(  # noqa: S603 - our own
            command, stdout=subprocess.PIPE, text=True, env=environment_of(), cwd=ROOT
        ) as process:
            wire.socket.settimeout(120)
            while process.poll() is None:
                number += 1
                begin = time.perf_counter()
                wire.send_json([48, number, {}, "com.example.none"])
                wire.message()
                longest = max(longest, time.perf_counter() - begin)
                time.sleep(0.002)
            output, _ = process.communicate()
        return peak(pid), 1000 * longest, output.strip()


def spread(values: list[float]) -> str:
    """Format a range."""
    low, high = min(values), max(values)
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"


def main() -> None:
    """Run the attacks and print the table. In the process of an attack, only attack."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--attack", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ATTACKS))
    options = parser.parse_args()
    if options.attack:
        try:
            print(ATTACKS[options.attack[0]](int(options.attack[1])))
        except GONE as error:
            print(f"ended by the node ({type(error).__name__}: {error})"[:200])
        return
    print("| attack | memory, MB | longest wait, ms | end |\n|---|---|---|---|")
    for name in options.names or ATTACKS:
        results = []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as place:
                results.append(attack(name, Path(place) / "node"))
        memories, waits, ends = zip(*results, strict=True)
        print(f"| {name} | {spread(list(memories))} | {spread(list(waits))} | {ends[-1]} |", flush=True)


if __name__ == "__main__":
    main()
