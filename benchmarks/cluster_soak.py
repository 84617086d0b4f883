"""Run three nodes of a cluster for a long time while nodes and Redis fail.

    python -m benchmarks.cluster_soak MINUTES

Each node has one client that publishes numbers, subscribes to those of all clients, and calls a procedure whose callees
are all clients. Every tenth call has progressive results. Every ten seconds, the configuration of a node changes. Each
minute, the second or the third node is killed, and another one is started in its place. Every five minutes, Redis is
killed and starts again without data.

Once a minute, the clients pause, and the tables of the nodes are compared. These are violations:

- an event that comes twice, in the wrong order or not at all, from a publisher and to a subscriber whose nodes live
- a call that is not answered, is answered twice or with another call's arguments, or whose progressive results have a
  hole; and a call that fails although no fault has happened lately
- a name that its client cannot register again, or nodes with different tables
- memory of the first node that grows from the second to the last quarter of the run, and errors in the logs

The exit code is 1 if there was any violation.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.integration.cluster_nodes import PASSWORD, Nodes, node_configuration
from tests.integration.servers import Process, websocket, write_config
from tests.redis_server import RedisServer, redis_process

LEASE: Final = 5.0
FAULT_SECONDS: Final = 15.0
"""Calls may fail for this time after a fault."""

ANSWER_SECONDS: Final = 20.0
"""A call must be answered within this time."""

INTERVAL: Final = 0.01
"""The time between two rounds of a client: a few events and a call."""

PARTS: Final = 5
GROWTH: Final = 0.10
MIN_GROWTH_MINUTES: Final = 4
"""Memory is compared only in runs of this length, because a node needs some time until its memory is stable."""

BUGS = ("Traceback", "ERROR", "never retrieved", "was destroyed")
ROLES: Final = {
    "publisher": {},
    "subscriber": {},
    "caller": {"features": {"call_canceling": True, "progressive_call_results": True}},
    "callee": {"features": {"call_canceling": True, "progressive_call_results": True}},
}
_epochs = itertools.count(1)
_values = itertools.count(1)


class OpenCall:
    """A call without its last answer."""

    def __init__(self, value: int, is_progressive: bool) -> None:
        self.value = value
        self.is_progressive = is_progressive
        self.parts = 0
        self.began = time.monotonic()


class Session:
    """A client of one node. ``epoch`` identifies its numbers: another session has another one."""

    def __init__(self, soak: "Soak", place: int, socket: ClientConnection) -> None:
        self.soak = soak
        self.place = place
        self.socket = socket
        self.epoch = next(_epochs)
        self.published = 0
        self.received: dict[int, int] = {}
        self.seen_on_subscription: dict[int, int] = {}
        self.calls: dict[int, OpenCall] = {}
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.has_registered = asyncio.Event()
        self.number = itertools.count(1)

    async def send(self, kind: int, *rest: Any) -> int:
        number = next(self.number)
        await self.socket.send(json.dumps([kind, number, *rest]))
        return number

    async def ask(self, kind: int, *rest: Any) -> Any:
        """Send a request, and return its answer, which may be an ERROR."""
        future = asyncio.get_running_loop().create_future()
        number = next(self.number)
        self.waiting[number] = future
        await self.socket.send(json.dumps([kind, number, *rest]))
        async with asyncio.timeout(ANSWER_SECONDS):
            return await future

    async def query(self, procedure: str, *args: Any) -> Any:
        """Call a meta procedure, and return its result."""
        answer = await self.ask(48, {}, procedure, list(args))
        return answer[3][0] if answer[0] == 50 else answer[4]

    async def run(self) -> None:
        """Handle messages until the connection ends."""
        async for text in self.socket:
            message = json.loads(text)
            kind = message[0]
            if kind == 36:
                self.on_event(*message[4])
            elif kind == 68:
                await self.on_invocation(message)
            elif kind == 6:
                self.soak.count["goodbyes"] += 1
                return
            elif kind != 69:
                self.on_answer(message)

    def on_event(self, epoch: int, number: int) -> None:
        self.soak.count["events"] += 1
        last = self.received.get(epoch)
        if last is not None and number != last + 1:
            self.soak.violation(f"client {self.place} got event {number} of epoch {epoch} after event {last}")
        self.received[epoch] = number

    async def on_invocation(self, message: list[Any]) -> None:
        _, invocation, _, details, (value,) = message
        for part in range(PARTS if details.get("receive_progress") else 0):
            await self.socket.send(json.dumps([70, invocation, {"progress": True}, [value, part]]))
        await self.socket.send(json.dumps([70, invocation, {}, [value]]))

    def on_answer(self, message: list[Any]) -> None:
        number = message[2] if message[0] == 8 else message[1]
        future = self.waiting.pop(number, None)
        if future is not None:
            if not future.done():
                future.set_result(message)
            return
        call = self.calls.get(number)
        if call is None:
            self.soak.violation(f"client {self.place} got another answer: {message}")
        elif message[0] == 50 and message[2].get("progress"):
            if message[3] != [call.value, call.parts]:
                self.soak.violation(f"part {call.parts} of call {call.value} is {message[3]}")
            call.parts += 1
        else:
            del self.calls[number]
            self.on_end(call, message)

    def on_end(self, call: OpenCall, message: list[Any]) -> None:
        if message[0] == 8:
            self.soak.on_call_failed(call, message[4])
        elif message[3] != [call.value] or call.parts != (PARTS if call.is_progressive else 0):
            self.soak.violation(f"call {call.value} ended with {message} after {call.parts} parts")
        else:
            self.soak.count["calls"] += 1

    async def join(self) -> None:
        """Join the realm, subscribe and register the shared procedure."""
        await self.socket.send(json.dumps([1, "realm1", {"roles": ROLES}]))
        await self.socket.recv()

    async def prepare(self) -> None:
        await self.ask(32, {}, "com.soak.topic")
        self.seen_on_subscription = {each.epoch: each.published for each in self.soak.sessions.values()}
        for options, procedure in (({"invoke": "roundrobin"}, "com.soak.echo"), ({}, f"com.soak.own{self.place}")):
            while (answer := await self.ask(64, options, procedure))[0] == 8:
                if answer[4] != "wamp.error.unavailable":
                    self.soak.violation(f"client {self.place} cannot register {procedure}: {answer[4]}")
                await asyncio.sleep(0.5)
        self.has_registered.set()

    async def work(self) -> None:
        """Publish and call all the time, except while the load pauses."""
        await self.prepare()
        for turn in itertools.count():
            await self.soak.is_running.wait()
            for _ in range(3):
                self.published += 1
                await self.send(16, {}, "com.soak.topic", [self.epoch, self.published])
            call = OpenCall(next(_values), is_progressive=turn % 10 == 0)
            number = next(self.number)
            self.calls[number] = call
            options = {"receive_progress": True} if call.is_progressive else {}
            await self.socket.send(json.dumps([48, number, options, "com.soak.echo", [call.value]]))
            await asyncio.sleep(INTERVAL)

    def check_open_calls(self) -> None:
        """Report calls that were not answered in time."""
        now = time.monotonic()
        for number, call in list(self.calls.items()):
            if now > call.began + ANSWER_SECONDS:
                del self.calls[number]
                self.soak.violation(f"call {call.value} of client {self.place} was not answered")


class Soak:
    """The nodes, their clients and what was found."""

    def __init__(self, nodes: Nodes, redis: RedisServer, directory: Path, minutes: float) -> None:
        self.nodes = nodes
        self.redis = redis
        self.directory = directory
        self.minutes = minutes
        self.count: Counter[str] = Counter()
        self.violations: list[str] = []
        self.is_running = asyncio.Event()
        self.faulty_until = 0.0
        self.memory: list[float] = []
        self.began = time.monotonic()
        self.places = nodes.start_several(3)
        self.sessions: dict[int, Session] = {}

    def violation(self, text: str) -> None:
        self.violations.append(text)
        if len(self.violations) <= 50:
            print(f"{time.monotonic() - self.began:7.1f} s  VIOLATION: {text}", flush=True)

    def fault(self, text: str) -> None:
        """Note that something fails now."""
        self.count["faults"] += 1
        self.faulty_until = time.monotonic() + FAULT_SECONDS
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)

    def on_call_failed(self, call: OpenCall, uri: str) -> None:
        self.count[uri] += 1
        if time.monotonic() > self.faulty_until:
            self.violation(f"call {call.value} has failed without a fault: {uri}")

    # --- load ----------------------------------------------------------------------------------------------------

    async def keep_client(self, place: int) -> None:
        """Keep one client connected to the node at a place."""
        while True:
            with suppress(OSError, WebSocketException):
                url = f"ws://127.0.0.1:{self.places[place][0]}/ws"
                async with connect(url, subprotocols=["wamp.2.json"], ping_interval=None) as socket:  # type: ignore[list-item]
                    await self.use(Session(self, place, socket))
            await asyncio.sleep(0.1)

    async def use(self, session: Session) -> None:
        await session.join()
        self.sessions[session.place] = session
        jobs = [asyncio.ensure_future(session.run()), asyncio.ensure_future(session.work())]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            del self.sessions[session.place]
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def change_configurations(self) -> None:
        """Change an option of one node after the other."""
        for number in itertools.count():
            await asyncio.sleep(10)
            port, _ = self.places[number % 3]
            paths = {"ws": {"type": "websocket"}, f"extra{number % 2}": websocket()}
            write_config(self.directory / f"node{port}", node_configuration(port, paths))
            self.count["configurations"] += 1

    async def watch(self) -> None:
        """Report late calls, and measure the memory of the first node."""
        while True:
            await asyncio.sleep(1)
            self.memory.append(memory_of(self.places[0][1]))
            for session in self.sessions.values():
                session.check_open_calls()

    # --- faults and checks ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        tasks = [asyncio.ensure_future(self.keep_client(place)) for place in range(3)]
        tasks += [asyncio.ensure_future(job) for job in (self.change_configurations(), self.watch())]
        self.fault("the nodes have started")
        self.is_running.set()
        try:
            for minute in range(max(1, round(self.minutes))):
                await self.run_minute(minute, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run_minute(self, minute: int, tasks: list[asyncio.Future[None]]) -> None:
        ends = time.monotonic() + 60
        await asyncio.sleep(10)
        if minute % 5 == 2:
            self.fault("Redis is killed and starts again")
            self.redis.kill()
            await asyncio.sleep(1)
            await asyncio.to_thread(self.redis.start)
            await asyncio.sleep(5)
        await self.replace_node(1 + minute % 2)
        await asyncio.sleep(max(0, ends - time.monotonic() - 8))
        await self.compare()
        for task in tasks:
            if task.done():
                task.result()
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.count.items()))
        print(f"{time.monotonic() - self.began:7.1f} s  {self.memory[-1]:.1f} MiB, {counts}", flush=True)

    async def replace_node(self, place: int) -> None:
        """Kill a node, and start another one in its place."""
        self.fault(f"the node at place {place} is killed")
        self.places[place][1].kill()
        self.check_log(self.places[place][1])
        self.places[place] = await asyncio.to_thread(self.nodes.start)
        self.faulty_until = time.monotonic() + FAULT_SECONDS

    async def compare(self) -> None:
        """Pause the load, and compare what the nodes know and what the clients have received."""
        self.is_running.clear()
        for _ in range(300):
            if len(self.sessions) == 3 and all(each.has_registered.is_set() for each in self.sessions.values()):
                break
            await asyncio.sleep(0.1)
        else:
            self.violation("a client cannot connect or register")
            return
        sessions = list(self.sessions.values())
        await asyncio.sleep(3)
        for one in sessions:
            if one.calls:
                self.violation(f"{len(one.calls)} calls of client {one.place} are open without load")
            for other in sessions:
                received = one.received.get(other.epoch, one.seen_on_subscription.get(other.epoch, 0))
                if one is not other and received != other.published:
                    text = f"client {one.place} has {received} of {other.published} events of client {other.place}"
                    self.violation(text)
        tables = [await read_tables(one) for one in sessions]
        if any(table != tables[0] for table in tables):
            self.violation(f"the tables of the nodes differ: {tables}")
        self.count["comparisons"] += 1
        self.is_running.set()

    def check_log(self, process: Process) -> None:
        for line in process.output.splitlines():
            if any(word in line for word in BUGS):
                self.violation(f"a node has logged: {line}")
            if "dropped events" in line:
                self.violation(f"messages were lost: {line}")

    def check_memory(self) -> None:
        quarter = len(self.memory) // 4
        if self.minutes < MIN_GROWTH_MINUTES or not quarter:
            return
        before, after = (statistics.median(self.memory[part * quarter :][:quarter]) for part in (1, 3))
        print(f"memory of the first node: {before:.1f} MiB, later {after:.1f} MiB")
        if after > before * (1 + GROWTH):
            self.violation("the memory of the first node grows")


async def read_tables(session: Session) -> dict[str, Any]:
    """Return the registrations with their callees, and the number of sessions, as the session's node sees them."""
    found: dict[str, Any] = {"sessions": await session.query("wamp.session.count")}
    for registrations in (await session.query("wamp.registration.list")).values():
        for registration in registrations:
            details = await session.query("wamp.registration.get", registration)
            found[details["uri"]] = sorted(await session.query("wamp.registration.list_callees", registration))
    return found


def memory_of(process: Process) -> float:
    """Return the resident memory of a process in MiB."""
    for line in Path(f"/proc/{process.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("minutes", nargs="?", type=float, default=30.0)
    minutes = parser.parse_args().minutes
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cluster-soak-")))
        redis = stack.enter_context(redis_process(has_port=True, requirepass=PASSWORD))
        soak = Soak(Nodes(stack, directory, redis, LEASE), redis, directory, minutes)
        asyncio.run(soak.run())
        for _, process in soak.places:
            if process.stop() != 0:
                soak.violation("a node did not stop properly")
            soak.check_log(process)
        soak.check_memory()
    print(f"{len(soak.violations)} violations in {minutes:g} minutes: {dict(sorted(soak.count.items()))}")
    sys.exit(1 if soak.violations else 0)


if __name__ == "__main__":
    main()
