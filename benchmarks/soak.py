"""Run a node under load for a long time, and watch its memory.

    python -m benchmarks.soak SECONDS

The load consists of joins, calls, events, lost connections, peers that do not read, and configuration changes. Every
minute, a line shows the number of opened sessions, answered calls, received events and configuration changes, and the
memory (RSS), open files and open sessions of the node. At the end, the growth of the memory from the second to the last
quarter of the run is printed. The exit code is 1 if it is above 5 %, if a call failed or was not answered, or if the
node logged a bug.
"""

import asyncio
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.servers import Process, configuration, free_port, node, realm, web, websocket, write_config

HELLO, WELCOME, GOODBYE, PUBLISH, SUBSCRIBE, EVENT, CALL, RESULT, REGISTER, INVOCATION, YIELD = (
    1, 2, 6, 16, 32, 36, 48, 50, 64, 68, 70,
)  # fmt: skip
ROLES = {role: {} for role in ("publisher", "subscriber", "caller", "callee")}
INTERVAL = 60.0
"""The time between two lines of output, in seconds."""
GROWTH = 0.05


class Load:
    """The clients that load the node. ``count`` contains the number of sessions, calls, events and so on."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.count: Counter[str] = Counter()
        self.has_callee = asyncio.Event()
        self.random = random.Random(1)  # noqa: S311 - not used for secrets

    async def join(self, path: str = "ws", **options: Any) -> ClientConnection:
        """Open a connection and join a session."""
        url = f"ws://127.0.0.1:{self.port}/{path}"
        client = await connect(url, subprotocols=["wamp.2.json"], max_size=None, **options)  # type: ignore[list-item]
        await ask(client, [HELLO, "realm1", {"roles": ROLES}], WELCOME)
        self.count["joins"] += 1
        return client

    async def visitor(self) -> None:
        """Join, subscribe, register and publish, then end with GOODBYE, by closing the WebSocket, or by aborting it."""
        client = await self.join(self.random.choice(["ws", "cookies", "deflate"]))
        number = self.random.randrange(50)
        await ask(client, [SUBSCRIBE, 1, {"match": "prefix"}, f"com.soak.{number}"], SUBSCRIBE + 1)
        await ask(client, [REGISTER, 2, {"invoke": "random"}, f"com.soak.visitor.{number}"], REGISTER + 1)
        await client.send(json.dumps([PUBLISH, 3, {}, f"com.soak.{number}.x", [1]]))
        end = self.random.randrange(3)
        if end == 0:
            await client.send(json.dumps([GOODBYE, {}, "wamp.close.normal"]))
        if end == 2:
            client.transport.abort()
        else:
            await client.close()

    async def callee(self) -> None:
        """Answer calls."""
        client = await self.join()
        await ask(client, [REGISTER, 1, {"invoke": "roundrobin"}, "com.soak.echo"], REGISTER + 1)
        self.has_callee.set()
        async for text in client:
            message = json.loads(text)
            if message[0] == INVOCATION:
                await client.send(json.dumps([YIELD, message[1], {}, *message[4:]]))

    async def caller(self) -> None:
        """Make calls one after the other. Count those that fail as ``refused``."""
        await self.has_callee.wait()
        client = await self.join()
        for request in itertools.count(1):
            await client.send(json.dumps([CALL, request, {}, "com.soak.echo", [request, "x" * 100]]))
            answer = json.loads(await asyncio.wait_for(client.recv(), 60))
            self.count["calls" if answer[0] == RESULT else "refused"] += 1
            if answer[0] != RESULT:
                print(f"call {request} failed: {answer}", flush=True)
            await asyncio.sleep(0.002)

    async def publisher(self) -> None:
        """Publish events. Some of the subscribers do not read."""
        client = await self.join()
        for request in itertools.count(1):
            await client.send(json.dumps([PUBLISH, request, {}, "com.soak.news", [request, "x" * 2000]]))
            await asyncio.sleep(0.01)

    async def subscriber(self) -> None:
        """Read events."""
        client = await self.join()
        await ask(client, [SUBSCRIBE, 1, {}, "com.soak.news"], SUBSCRIBE + 1)
        async for _ in client:
            self.count["events"] += 1

    async def sleeper(self) -> None:
        """Subscribe, and then do not read for 30 seconds."""
        client = await self.join("narrow", max_queue=1)
        await client.send(json.dumps([SUBSCRIBE, 1, {}, "com.soak.news"]))
        await asyncio.sleep(30)
        client.transport.abort()
        self.count["sleepers"] += 1

    async def again(self, action: Callable[[], Awaitable[None]], pause: float) -> None:
        """Repeat an action endlessly, even if a connection is closed, for example by a configuration change."""
        while True:
            try:
                await action()
            except (ConnectionClosed, ConnectionError, InvalidStatus):
                self.count["closed"] += 1
            await asyncio.sleep(pause)


async def ask(client: ClientConnection, message: list[Any], kind: int) -> list[Any]:
    """Send a message and return the next message of type ``kind``. Skip events and invocations."""
    await client.send(json.dumps(message))
    while (answer := json.loads(await asyncio.wait_for(client.recv(), 60)))[0] != kind:
        if answer[0] not in (EVENT, INVOCATION):
            raise AssertionError(f"expected {kind}, got {answer}")
    return list(answer)


def settings(port: int, variant: int) -> dict[str, Any]:
    """Return one of two variants of the configuration. Services, realms, permissions and limits differ."""
    paths = {
        "ws": websocket(max_message_size=2**24 - variant),
        "cookies": {"type": "websocket", "cookie": {"store": {"type": "memory"}, "max_age": 60}},
        "deflate": websocket(compression={"deflate": {}}),
        "narrow": websocket(outgoing_limit=100_000, outgoing_grace_period=1000, max_outgoing_size=1_000_000),
    }
    realms = [realm("realm1", call=True, register=True, publish=True, subscribe=True)]
    if variant:
        paths["sometimes"] = websocket()
        realms.append(realm("realm2", call=True))
        realms[0]["roles"].append({"name": "other", "permissions": []})
    return configuration(web(port, paths), realms=realms)


async def change(directory: Path, port: int, count: Counter[str]) -> None:
    """Switch to the other variant of the configuration every twenty seconds."""
    for variant in itertools.cycle([1, 0]):
        await asyncio.sleep(20)
        write_config(directory, settings(port, variant))
        count["changes"] += 1


def resident(pid: int) -> int:
    """Return the resident memory of a process, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


async def sessions(load: Load) -> int:
    """Return the number of sessions in the realm, without the one that asks."""
    client = await load.join()
    answer = await ask(client, [CALL, 1, {}, "wamp.session.count"], RESULT)
    await client.close()
    return int(answer[3][0]) - 1


async def watch(load: Load, pid: int, seconds: float) -> list[int]:
    """Print a line each minute until the time is over. Return the memory samples, one per second."""
    samples: list[int] = []
    begin = time.monotonic()
    print("minute     joins       calls      events   changes   RSS KiB   files   sessions", flush=True)
    for line in itertools.count(1):
        while (now := time.monotonic() - begin) < min(line * INTERVAL, seconds):
            samples.append(resident(pid))
            await asyncio.sleep(1)
        count = load.count
        files = len(os.listdir(f"/proc/{pid}/fd"))
        print(
            f"{now / 60:6.1f}{count['joins']:10,}{count['calls']:12,}{count['events']:12,}{count['changes']:10,}"
            f"{samples[-1]:10,}{files:8,}{await sessions(load):11,}",
            flush=True,
        )
        if now >= seconds:
            return samples
    raise AssertionError


async def soak(seconds: float, directory: Path, port: int, process: Process) -> int:
    """Load the node, print the results, and return the exit code."""
    load = Load(port)
    actions: list[tuple[Callable[[], Awaitable[None]], float, int]] = [
        (load.callee, 0.1, 3), (load.caller, 0.1, 3), (load.publisher, 0.1, 1), (load.subscriber, 0.1, 5),
        (load.sleeper, 0.1, 2), (load.visitor, 0.05, 4),
    ]  # fmt: skip
    tasks = [asyncio.ensure_future(load.again(action, pause)) for action, pause, times in actions for _ in range(times)]
    tasks.append(asyncio.ensure_future(change(directory, port, load.count)))
    watching = asyncio.ensure_future(watch(load, process.process.pid, seconds))
    done, _ = await asyncio.wait([watching, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if watching not in done:
        watching.cancel()
        print(f"a task ended: {[task.exception() for task in done]}")
        return 1
    samples = watching.result()
    quarter = len(samples) // 4
    early, late = statistics.median(samples[quarter : 2 * quarter]), statistics.median(samples[-quarter:])
    print(f"memory: {early:,.0f} KiB in the second quarter, {late:,.0f} in the last: {late / early - 1:+.1%}")
    print(f"counted: {dict(load.count)}")
    bugs = [word for word in ("Traceback", "never retrieved", "error inside") if word in process.output]
    if bugs:
        print(f"the node logged {bugs}: {process.output[-3000:]}")
    return int(bool(bugs) or late / early - 1 > GROWTH or load.count["refused"] > 0)


def main() -> int:
    """Run for the number of seconds on the command line."""
    seconds = float(sys.argv[1])
    port = free_port()
    with tempfile.TemporaryDirectory() as name, node(Path(name), settings(port, 0), port) as process:
        return asyncio.run(soak(seconds, Path(name), port, process))


if __name__ == "__main__":
    sys.exit(main())
