"""Additional loads, built from parts of :mod:`benchmarks.wampload`. The program prints one JSON object.

:mod:`benchmarks.generator` runs it in a separate process.

- ``mixed``: calls between sessions with different serializers
- ``deflate``: calls with compressed messages in both directions
- ``to-all``: a bare server that sends every message to all connections
- ``crowd``: calls while many sessions are idle
- ``fan-out``: calls of another process (``probe``) while this process receives the events of many subscribers
- ``leave``: calls while a session that has many subscriptions leaves
- ``registered``: calls with an increasing number of registrations
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import uvloop
from picows import WSFrame, WSMsgType, WSTransport, ws_connect

from .wampload import wire as w
from .wampload.options import Options
from .wampload.procs import CpuMeter, cpu_seconds, rss_bytes
from .wampload.scenarios import rpc
from .wampload.scenarios.connect import open_sessions
from .wampload.session import JoinError, LoadError, Monitor, Session, close_all, connect, join, join_many
from .wampload.stats import latency_ms

PROCEDURE, TOPIC = "com.benchmark.procedure", "com.benchmark.topic"


class DeflateSession(Session):
    """A session with compression in both directions and context takeover (RFC 7692)."""

    def __init__(self, monitor: Monitor, options: Options) -> None:
        super().__init__(monitor, options)
        self._compressor = zlib.compressobj(wbits=-15)
        self._decompressor = zlib.decompressobj(-15)
        self.compressed = 0

    def send(self, data: bytes) -> None:
        """Send a message, compressed."""
        packed = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        self.transport.send(self.frame_type, packed[:-4], True, True)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handle a frame. If it is a compressed message, decompress it first."""
        if frame.msg_type is self.frame_type and frame.fin and frame.rsv1:
            self.compressed += 1
            self.receive(self._decompressor.decompress(frame.get_payload_as_bytes() + b"\0\0\xff\xff"))
        else:
            super().on_ws_frame(transport, frame)

    @classmethod
    async def joined_to(cls, options: Options, monitor: Monitor) -> "DeflateSession":
        """Open a session with compression. Raises JoinError if the server does not agree to it."""
        session = cls(monitor, options)
        await ws_connect(
            lambda: session,
            options.url,
            extra_headers={
                "Sec-WebSocket-Protocol": session.wire.subprotocol,
                "Sec-WebSocket-Extensions": "permessage-deflate",
            },
        )
        if "permessage-deflate" not in session.transport.response.headers.get("Sec-WebSocket-Extensions", ""):
            raise JoinError("the server has not agreed to permessage-deflate")
        await asyncio.wait_for(session.joined, options.timeout)
        return session


async def measured_calls(
    options: Options, monitor: Monitor, caller: Session, callee: Session, args: argparse.Namespace
) -> dict[str, Any]:
    """Measure calls from ``caller`` to ``callee``, with ``args.depth`` calls outstanding, and close both sessions."""
    await callee.request(w.REGISTER, {}, PROCEDURE)
    tally = rpc.Tally()
    payload = w.filler(args.payload)
    peers = {session: rpc.Peer(session, tally, payload) for session in (caller, callee)}
    for session, peer in peers.items():
        session.receive = peer.receive
    peers[caller].call_with(PROCEDURE, args.depth)
    await monitor.wait(options.warmup)
    tally.latencies = []
    cpu, begin = CpuMeter(options.server_pid), time.perf_counter()
    await monitor.wait(options.duration)
    latencies, elapsed = tally.latencies, time.perf_counter() - begin
    figures = cpu.read(len(latencies))
    tally.running = False
    while peers[caller].pending:
        await monitor.wait(0.01)
    for session in peers:
        session.receive = session.receive_reply
    await close_all([caller, callee])
    rate = round(len(latencies) / elapsed, 1)
    return {"calls_per_s": rate, "latency_ms": latency_ms(latencies), "errors": tally.errors, "lost": 0, **figures}


async def mixed(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    """Measure calls from a JSON caller to a MessagePack callee."""
    caller = await join(replace(options, serializer="json"), monitor)
    callee = await join(replace(options, serializer="msgpack"), monitor)
    return await measured_calls(options, monitor, caller, callee, args)


async def deflate(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    """Measure calls between two sessions with compression. Raises JoinError if the server does not compress."""
    caller, callee = [await DeflateSession.joined_to(options, monitor) for _ in range(2)]
    figures = await measured_calls(options, monitor, caller, callee, args)
    if not (caller.compressed and callee.compressed):
        raise JoinError("the server has agreed to permessage-deflate, but does not compress")
    return figures


async def to_all(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    """Measure a bare server that sends each message to all connections. One of many connections sends.

    The sender is at most ``args.window`` messages ahead of those it has received itself, and of those that the others
    have received. The publishers of the load generator have the same limit. Without it, more messages would be sent
    with one write, and the two loads could not be compared.
    """
    connections = [await connect(options, monitor, WSMsgType.TEXT) for _ in range(args.subscribers + 1)]
    message = w.filler(args.payload).encode()
    received = sent = answered = 0
    is_running = True
    sender = connections[0]

    def pump() -> None:
        nonlocal sent
        while is_running and sent - args.window < min(answered, received / args.subscribers):
            sent += 1
            sender.send(message)

    def receive(data: bytes) -> None:
        nonlocal received
        received += 1
        if received > (sent - args.window) * args.subscribers:
            pump()

    def receive_answer(data: bytes) -> None:
        nonlocal answered
        answered += 1
        pump()

    for each in connections[1:]:
        each.receive = receive
    sender.receive = receive_answer
    pump()
    await monitor.wait(options.warmup)
    cpu, first, begin = CpuMeter(options.server_pid), received, time.perf_counter()
    await monitor.wait(options.duration)
    count, elapsed = received - first, time.perf_counter() - begin
    figures = cpu.read(count)
    is_running = False
    await monitor.wait(0.2)
    await close_all(connections)
    return {"events_per_s": round(count / elapsed, 1), "errors": 0, "lost": 0, **figures}


async def crowd(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    """Measure calls between two sessions while ``args.sessions`` others are idle.

    Also measure the memory and CPU time of the idle sessions alone.
    """
    before = rss_bytes(options.server_pid)
    sessions, _, failures = await open_sessions(options, monitor, args.sessions, 16)
    await monitor.wait(1)
    cpu = CpuMeter(options.server_pid)
    await monitor.wait(options.duration)
    idle = cpu.read()
    held = rss_bytes(options.server_pid)
    caller, callee = await join_many(options, monitor, 2)
    figures = await measured_calls(options, monitor, caller, callee, args)
    await close_all(sessions)
    return {
        **figures,
        "sessions": len(sessions),
        "idle_server_cpu_percent": idle["server_cpu_percent"],
        "bytes_per_session": round(((held or 0) - (before or 0)) / max(1, len(sessions))),
        "errors": figures["errors"] + len(failures),
    }


async def fan_out(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    """Publish to ``args.subscribers`` sessions in this process, and measure the calls of another process meanwhile."""
    sessions = await join_many(options, monitor, args.subscribers)
    publisher = await join(options, monitor)
    await asyncio.gather(*(session.request(w.SUBSCRIBE, {}, TOPIC, seconds=120) for session in sessions))
    received = 0

    def receive(data: bytes) -> None:
        nonlocal received
        received += 1

    for session in sessions:
        session.receive = receive
    command = [
        sys.executable,
        "-m",
        "benchmarks.driver",
        "probe",
        "--url",
        options.url,
        "--duration",
        str(options.duration),
    ]
    probe = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220,S603 - it runs in parallel
    os.nice(10)  # receiving events must not delay the process that measures
    await monitor.wait(1.5)
    published, spans = 0, []
    used = cpu_seconds(options.server_pid) or 0.0
    begin = time.perf_counter()
    while time.perf_counter() - begin < options.duration - 1:
        sent = time.perf_counter()
        published += 1
        publisher.send(publisher.wire.encode([w.PUBLISH, publisher.take_id(), {}, TOPIC, ["x" * 64]]))
        while received < published * len(sessions):
            await monitor.wait(0.005)
        spans.append(time.perf_counter() - sent)
    used = (cpu_seconds(options.server_pid) or 0.0) - used
    output, _ = await asyncio.to_thread(probe.communicate)
    await close_all([publisher, *sessions])
    return {
        "subscribers": len(sessions),
        "published": published,
        "delivered_ms": latency_ms(spans),
        "server_cpu_us_each": round(1e6 * used / max(1, received), 2),
        "calls": json.loads(output)["results"][0],
        "errors": 0,
        "lost": published * len(sessions) - received,
    }


async def probe(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    """Measure the latency of single calls, up to 500 per second."""
    caller, callee = await join_many(options, monitor, 2)
    await callee.request(w.REGISTER, {}, PROCEDURE)
    answer = callee.wire.template(w.YIELD, {}, ["x"])
    callee.receive = lambda data: callee.send(answer(callee.wire.head(data)[1]))
    seconds = await call_until(caller, time.perf_counter() + options.duration)
    await close_all([caller])
    return {"count": len(seconds), "latency_ms": latency_ms(seconds)}


async def call_until(caller: Session, end: float, pause: float = 0.002) -> list[float]:
    """Call until the time ``end``, and return the seconds that each call took."""
    seconds = []
    while (begin := time.perf_counter()) < end:
        await caller.request(w.CALL, {}, PROCEDURE, ["x"], seconds=60)
        seconds.append(time.perf_counter() - begin)
        await asyncio.sleep(pause)
    return seconds


async def leave(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    """Measure the calls of a session before and after another one, with ``args.subscriptions``, disconnects."""
    caller, callee, leaver = await join_many(options, monitor, 3)
    await callee.request(w.REGISTER, {}, PROCEDURE)
    answer = callee.wire.template(w.YIELD, {}, ["x"])
    callee.receive = lambda data: callee.send(answer(callee.wire.head(data)[1]))
    for first in range(0, args.subscriptions, 1000):
        numbers = range(first, min(first + 1000, args.subscriptions))
        details = {"match": args.match}
        await asyncio.gather(*(leaver.start_request(w.SUBSCRIBE, details, topic(args.match, n)) for n in numbers))
    before = await call_until(caller, time.perf_counter() + 1.5, 0)
    await leaver.close(goodbye=False)
    after = await call_until(caller, time.perf_counter() + 1.5, 0)
    await close_all([caller, callee])
    return {
        "subscriptions": args.subscriptions,
        "before_ms": latency_ms(before),
        "after_ms": latency_ms(after),
        "stall_ms": round(1e3 * max(after), 2),
        "errors": 0,
        "lost": 0,
    }


async def registered(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    """Measure calls with an increasing number of registrations of one session.

    The calls go to ten procedures in turn (``ten``), or to random ones (``any``).
    """
    caller, callee = await join_many(options, monitor, 2)
    answer = callee.wire.template(w.YIELD, {}, ["x" * args.payload])
    count, by_count = 0, []
    for size in map(int, args.counts.split(",")):
        callee.receive = callee.receive_reply
        while count < size:
            numbers = range(count, min(count + 1000, size))
            details = {"match": args.match}
            await asyncio.gather(*(callee.start_request(w.REGISTER, details, topic(args.match, n)) for n in numbers))
            count += len(numbers)
        callee.receive = lambda data: callee.send(answer(callee.wire.head(data)[1]))
        row: dict[str, Any] = {"registrations": size}
        for name, numbers in (("ten", itertools.cycle(range(10))), ("any", random_numbers(size))):
            procedures = (called(args.match, number) for number in numbers)
            row[name] = await calls_of_many(options, monitor, caller, procedures, args)
        by_count.append(row)
    await close_all([caller, callee])
    return {"by_count": by_count, "errors": 0, "lost": 0}


async def calls_of_many(
    options: Options, monitor: Monitor, caller: Session, procedures: Iterator[str], args: argparse.Namespace
) -> float:
    """Return the CPU time of the server per call, in microseconds, with ``args.depth`` calls outstanding."""
    payload = ["x" * args.payload]
    answered, is_running, open_calls = 0, True, 0

    def call() -> None:
        caller.send(caller.wire.encode([w.CALL, caller.take_id(), {}, next(procedures), payload]))

    def receive(data: bytes) -> None:
        nonlocal answered, open_calls
        if caller.wire.head(data)[0] != w.RESULT:
            monitor.fail(LoadError(f"a call failed: {data[:200]!r}"))
        answered += 1
        if is_running:
            call()
        else:
            open_calls -= 1

    caller.receive = receive
    for _ in range(args.depth):
        open_calls += 1
        call()
    await monitor.wait(options.warmup)
    cpu, before = CpuMeter(options.server_pid), answered
    await monitor.wait(options.duration)
    each: float = cpu.read(answered - before)["server_cpu_us_each"]
    is_running = False
    while open_calls:
        await monitor.wait(0.01)
    caller.receive = caller.receive_reply
    return each


def random_numbers(size: int) -> Iterator[int]:
    """Yield random numbers below ``size``, endlessly."""
    while True:
        yield random.randrange(size)  # noqa: S311 - which procedure is called is no secret


def called(match: str, number: int) -> str:
    """Return a procedure that the registration with this number matches."""
    return f"com.benchmark.n{number}" + ".x" * (match == "prefix")


def topic(match: str, number: int) -> str:
    """Return the topic or procedure, a URI or a pattern, with this number."""
    return f"com..n{number}" if match == "wildcard" else f"com.benchmark.n{number}"


LOADS = {
    "mixed": mixed, "deflate": deflate, "to-all": to_all, "crowd": crowd, "fan-out": fan_out, "probe": probe,
    "leave": leave, "registered": registered,
}  # fmt: skip


def main() -> None:
    """Run the load that the command line selects, and print its figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("load", choices=LOADS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--serializer", default="json")
    parser.add_argument("--match", default="exact")
    parser.add_argument("--counts", default="10,1000,100000", help="registrations")
    parser.add_argument("--duration", type=float, default=2.0)
    parser.add_argument("--warmup", type=float, default=0.5)
    for name, default in (
        ("server-pid", None), ("payload", 64), ("depth", 64), ("subscribers", 10), ("window", 16), ("sessions", 1),
        ("subscriptions", 100_000), ("rounds", 1),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options = Options(
        url=args.url,
        serializer=args.serializer,
        timeout=60.0,
        warmup=args.warmup,
        duration=args.duration,
        server_pid=args.server_pid,
    )

    async def run() -> dict[str, Any]:
        monitor = Monitor()
        try:
            return await LOADS[args.load](options, monitor, args)
        finally:
            await monitor.drop_connections()

    print(json.dumps({"results": [uvloop.run(run())]}))


if __name__ == "__main__":
    main()
