"""Measure how long a call through ``wamp_transport.api`` takes: in the router's process, and over a socket.

    python -m benchmarks.api_calls [CALLS]

One caller makes one call after the other. The callee is a coroutine function in the same process.
"""

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.test import override_settings  # noqa: E402 - Django first

from tests.integration.servers import configuration, free_port, node, realm, web  # noqa: E402
from wamp_transport import api  # noqa: E402
from wamp_transport.api import backends  # noqa: E402
from wamp_transport.node.node import Node  # noqa: E402
from wamp_transport.router.options import RealmOptions, RouterOptions  # noqa: E402

ROUNDS = 5


async def echo(invocation: api.Invocation) -> object:
    """Return the argument. This is the procedure that is called."""
    return invocation.args[0]


@contextmanager
def own_router() -> Iterator[asyncio.AbstractEventLoop]:
    """Run a router in this process, and yield its loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    router = Node(RouterOptions(realms={"realm1": RealmOptions("realm1")}), loop)
    backends.serve(router, loop)
    try:
        yield loop
    finally:
        backends.leave(router)
        asyncio.run_coroutine_threadsafe(router.stop(1), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def router_elsewhere() -> Iterator[asyncio.AbstractEventLoop]:
    """Run a router in another process, and yield the loop of the sessions in this process."""
    port = free_port()
    rules = realm("realm1", call=True, register=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        node(
            Path(directory), configuration(web(port), realms=[rules]), port, DJANGO_SETTINGS_MODULE="wampnode.settings"
        ),
        override_settings(WAMP_TRANSPORT={"API": {"URL": f"ws://127.0.0.1:{port}/ws", "REALM": "realm1"}}),
    ):
        try:
            yield backends.current_backend().bridge.loop
        finally:
            backends.disconnect()


def answered(asked: int, answer: object) -> None:
    """Check that a call returned its argument."""
    if answer != asked:
        raise SystemExit(f"{asked} was echoed as {answer}")


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes, in seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def measure(calls: int, loop: asyncio.AbstractEventLoop) -> tuple[float, float]:
    """Return the microseconds per call from a thread, and from a coroutine on the loop of the sessions."""
    api.register("com.bench.echo", echo)

    def in_thread() -> None:
        for number in range(calls):
            answered(number, api.call("com.bench.echo", number))

    async def on_loop() -> None:
        for number in range(calls):
            answered(number, await api.acall("com.bench.echo", number))

    def in_loop() -> None:
        asyncio.run_coroutine_threadsafe(on_loop(), loop).result()

    found = []
    for work in (in_thread, in_loop):
        work()  # warm up
        found.append(median(seconds_of(work) for _ in range(ROUNDS)) / calls * 1e6)
    return found[0], found[1]


def main() -> None:
    """Measure both cases and print the results."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"microseconds per call, median of {ROUNDS} times {calls} calls")
    for name, place in (("in process", own_router), ("over a socket", router_elsewhere)):
        with place() as loop:
            sync, coroutine = measure(calls, loop)
        print(f"{name:15} call {sync:7.1f}   acall {coroutine:7.1f}")


if __name__ == "__main__":
    main()
