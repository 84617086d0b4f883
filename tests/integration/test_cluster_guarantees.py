"""What clients of a cluster can rely on while nodes, Redis or connections fail, with the time that each fault may take.

The nodes are processes, and Redis is a real server. The nodes have the shortest lease, so that the tests are short.
"""

import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ..redis_server import RedisServer, redis_process
from ..requirements import program
from .cluster_nodes import PASSWORD, Client, Nodes, clients
from .servers import Process, assert_quiet, until

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.full]

LEASE = 5.0
SLACK = 2.0
"""A busy machine may need this time in addition."""

SILENCE = 3.0
REMOVAL = LEASE + 2.5
"""A killed node is avoided after SILENCE, and removed after REMOVAL."""

AWAY = 5.0
"""Calls to other nodes fail when Redis was unreachable for this time."""

NETWORK_FAILURE = "wamp.error.network_failure"
UNAVAILABLE = "wamp.error.unavailable"
EXISTS = "wamp.error.procedure_already_exists"


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_process(has_port=True, requirepass=PASSWORD) as server:
        yield server


@pytest.fixture(params=["empty", "with data"])
def restarted(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server that is empty after a restart, and one that has all data."""
    options = {"appendonly": "yes", "appendfsync": "always"} if request.param == "with data" else {}
    with redis_process(has_port=True, requirepass=PASSWORD, **options) as server:
        yield server


@contextmanager
def started(redis: RedisServer, directory: Path) -> Iterator[Nodes]:
    """Start nodes with a short lease. In the end, nothing must have failed inside a node."""
    with ExitStack() as stack:
        nodes = Nodes(stack, directory, redis, LEASE)
        yield nodes
        for process in nodes.processes:
            assert_quiet(process.output)


@pytest.fixture
def nodes(redis: RedisServer, tmp_path: Path) -> Iterator[Nodes]:
    with started(redis, tmp_path) as found:
        yield found


@contextmanager
def stopped(process: Process) -> Iterator[None]:
    """Stop a process, and let it continue at the end."""
    process.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.process.send_signal(signal.SIGCONT)


def check_exchange(*found: Client, topic: str = "com.check") -> None:
    """Check that each client hears each other one, and can call a procedure of each other one."""
    for number, client in enumerate(found):
        client.subscribe(f"{topic}{number}")
        client.register(f"{topic}{number}", *(other for other in found if other is not client))
    for number, client in enumerate(found):
        for place, other in enumerate(found):
            if other is not client:
                other.publish(f"{topic}{number}", place)
                assert client.event() == [place]
                call = other.call(f"{topic}{number}", place)
                assert client.serve() == [place]
                assert other.result(call) == [place]


def publish_numbers(client: Client, topic: str, first: int, last: int) -> None:
    """Publish the numbers from ``first`` to ``last``."""
    for number in range(first, last + 1):
        client.publish(topic, number)


# --- nodes that are killed -------------------------------------------------------------------------------------------


def test_node_of_the_caller_is_killed(nodes: Nodes) -> None:
    """The callee is interrupted, and may be called again although it handles one call at a time."""
    (here, _), (there, other) = nodes.start_several(2)
    with clients(here, there, here) as (callee, caller, next_caller):
        callee.register("com.slow", caller, concurrency=1)
        caller.call("com.slow")
        call, _ = callee.invocation()
        other.kill()
        interrupt = callee.wait_for(lambda message: message[0] == 69, seconds=REMOVAL + SLACK)
        assert interrupt[1] == call
        next_call = next_caller.call("com.slow", "next")
        callee.wire.send_json([70, call, {}, ["late"]])
        assert callee.serve() == ["next"]
        assert next_caller.result(next_call) == ["next"]


def test_node_of_the_callee_is_killed(nodes: Nodes) -> None:
    """Open calls fail, new ones go to the other callee, and the name of a single callee becomes free."""
    (here, _), (there, other) = nodes.start_several(2)
    with clients(here, there, here) as (caller, callee, remaining):
        callee.register("com.single", caller)
        callee.register("com.shared", caller, invoke="roundrobin")
        remaining.register("com.shared", invoke="roundrobin")
        calls = [caller.call("com.single"), caller.call("com.shared"), caller.call("com.shared")]
        remaining.serve()
        callee.invocation()
        callee.invocation()
        other.kill()
        killed_at = time.monotonic()
        registration = remaining.send(64, {}, "com.single")
        time.sleep(SILENCE + 0.2)
        shared = [caller.call("com.shared", number) for number in range(10)]
        for number in range(10):
            assert remaining.serve() == [number]
        assert [caller.result(each) for each in shared] == [[number] for number in range(10)]
        assert caller.error(calls[0], seconds=REMOVAL + SLACK) == NETWORK_FAILURE
        answers = [caller.wait_for(lambda each: each[0] in (8, 50)) for _ in calls[1:]]
        assert sorted(answer[0] for answer in answers) == [8, 50]
        assert time.monotonic() < killed_at + REMOVAL + SLACK
        remaining.answer(registration, seconds=2 + SLACK)
        call = caller.call("com.single", 1)
        assert remaining.serve() == [1]
        assert caller.result(call) == [1]


def test_name_of_a_killed_node_is_not_refused(nodes: Nodes) -> None:
    """A client reconnects to another node immediately, and registers its procedure again."""
    (here, _), (there, other) = nodes.start_several(2)
    with clients(here, there) as (client, callee):
        callee.register("com.add", client)
        began = time.monotonic()
        assert client.refused("com.add") == EXISTS
        assert time.monotonic() < began + 0.9  # it does not wait for the next regular note
        # What the node has sent just before it is killed does not count.
        client.subscribe("com.topic")
        callee.wire.send_json(*([16, 1000 + number, {}, "com.topic", [number]] for number in range(2000)))
        client.event()
        other.kill()
        client.register("com.add", seconds=REMOVAL + 1 + SLACK)


def test_node_of_the_publisher_is_killed(nodes: Nodes) -> None:
    """Each subscriber gets the first events in order, and none twice."""
    (here, _), (there, other), (third, _) = nodes.start_several(3)
    with clients(here, there, third) as (subscriber, publisher, second):
        subscriber.subscribe("com.topic")
        second.subscribe("com.topic")
        publisher.wire.send_json(*([16, 1000 + number, {}, "com.topic", [number]] for number in range(2000)))
        assert subscriber.event() == [0]
        other.kill()
        time.sleep(SILENCE)
        second.publish("com.topic", "last")
        subscriber.publish("com.topic", "last")
        for client in (subscriber, second):
            received = client.events_up_to("last")[:-1]
            first = 1 if client is subscriber else 0
            assert received == list(range(first, first + len(received)))


# --- nodes that are stopped ------------------------------------------------------------------------------------------


def test_node_is_stopped_for_less_than_its_lease(nodes: Nodes) -> None:
    (here, _), (there, other) = nodes.start_several(2)
    with clients(here, there) as (client, stopping):
        for each in (client, stopping):
            each.subscribe("com.topic")
        stopping.register("com.add", client)
        with stopped(other):
            publish_numbers(client, "com.topic", 1, 300)
            call = client.call("com.add", 1)
            stopping.publish("com.topic", "from the stopped node")
            time.sleep(LEASE / 2)
        assert stopping.events_up_to(300) == list(range(1, 301))
        assert stopping.serve() == [1]
        assert client.result(call) == [1]
        assert client.event() == ["from the stopped node"]
        check_exchange(client, stopping)
    assert "dropped" not in "".join(process.output for process in nodes.processes)


def test_node_is_stopped_for_longer_than_its_lease(nodes: Nodes) -> None:
    (here, _), (there, other) = nodes.start_several(2)
    with clients(here, there) as (client, stopping):
        client.subscribe("com.topic")
        stopping.register("com.add", client)
        call = client.call("com.add", 1)
        stopping.invocation()
        with stopped(other):
            # The REGISTER is not refused, but waits until the name is free.
            client.register("com.add", seconds=REMOVAL + 1 + SLACK)
            assert client.error(call) == NETWORK_FAILURE
        goodbye = stopping.wait_for(lambda message: message[0] == 6)
        assert goodbye[2] == "wamp.close.system_shutdown"
        other.wait_to_print("was removed from the cluster")
        other.wait_to_print("is a member of the cluster again")
        with clients(there) as (again,):
            again.publish("com.topic", "again")
            assert client.event() == ["again"]
            check_exchange(client, again)


def test_slow_node_harms_no_others(nodes: Nodes) -> None:
    """The window of a stopped node fills. What is not sent to it is refused or counted."""
    (here, one), (there, _), (slow, other) = nodes.start_several(3)
    payload = "x" * 250_000
    with clients(here, there, slow, here) as (publisher, subscriber, stopping, caller):
        for each in (subscriber, stopping):
            each.subscribe("com.topic")
        stopping.register("com.stopped", caller)
        subscriber.register("com.add", caller)
        with stopped(other):
            for number in range(60):  # 15 MB; the window has 11 MB
                publisher.publish("com.topic", number, payload)
                assert subscriber.event() == [number, payload]
            assert caller.error(caller.call("com.stopped")) == UNAVAILABLE
            call = caller.call("com.add", 2)
            assert subscriber.serve() == [2]
            assert caller.result(call) == [2]
        until(lambda: publisher.publish("com.end", 0) and "acknowledges too little" in one.output, "the loss is logged")
        received = []
        stopping.subscribe("com.last")
        # The next events arrive when the node has acknowledged what it got.
        while not received or received[-1] != "last":
            publisher.publish("com.last", "last")
            received += stopping.event()[:1]
        numbers = [each for each in received if each != "last"]
        assert numbers == list(range(len(numbers)))
        assert 0 < len(numbers) < 60
    one.stop()
    counts = re.findall(r"(\d+) dropped events", one.output)
    assert int(counts[-1]) >= 60 - len(numbers)


# --- Redis -----------------------------------------------------------------------------------------------------------


def test_redis_is_killed_and_starts_again(restarted: RedisServer, tmp_path: Path) -> None:
    """No event is lost or comes twice, and each call is answered once."""
    with started(restarted, tmp_path) as nodes:
        ports = [port for port, _ in nodes.start_several(3)]
        with clients(*ports) as found:
            for number, client in enumerate(found):
                client.subscribe("com.topic")
                client.register(f"com.echo{number}", *found)
            calls = publish_and_call(found, 0)
            restarted.kill()
            calls += publish_and_call(found, 100)
            time.sleep(1.0)
            calls += publish_and_call(found, 200)
            restarted.start()
            for client in found:
                client.publish("com.topic", [3, 0])
            for number, client in enumerate(found):
                check_events(client, number)
                for _ in range(30):
                    client.serve()
            for client, call in calls:
                client.answer(call)
            check_exchange(*found)
            for client in found:
                assert [message for message in client.others if message[0] in (36, 50, 8, 68)] == []
        for process in nodes.processes:
            assert " dropped events" not in process.output
            assert "is connected again" in process.output


def publish_and_call(found: list[Client], first: int) -> list[tuple[Client, int]]:
    """Let each client publish 100 numbers, and call the next client's procedure 10 times. Return the calls."""
    calls = []
    for start in range(first, first + 100, 10):
        for number, client in enumerate(found):
            for event in range(start, start + 10):
                client.publish("com.topic", [number, event])
            calls.append((client, client.call(f"com.echo{(number + 1) % 3}", start)))
    return calls


def check_events(client: Client, own: int) -> None:
    """Check that the other two clients' events have arrived, in order and once."""
    received: dict[int, list[int]] = {0: [], 1: [], 2: [], 3: []}
    while len(received[3]) < 2:
        ((number, event),) = client.event()
        received[number].append(event)
    for number in range(3):
        assert received[number] == ([] if number == own else list(range(300)))


@pytest.mark.parametrize("seconds", [1.5, 4.0])
def test_redis_is_paused(nodes: Nodes, redis: RedisServer, seconds: float) -> None:
    ports = [port for port, _ in nodes.start_several(2)]
    with clients(*ports) as (first, second):
        second.subscribe("com.topic")
        second.register("com.add", first)
        with redis.paused():
            call = first.call("com.add", 1)
            publish_numbers(first, "com.topic", 1, 300)
            time.sleep(seconds)
            publish_numbers(first, "com.topic", 301, 600)
        assert second.events_up_to(600) == list(range(1, 601))
        assert second.serve() == [1]
        assert first.result(call) == [1]
        check_exchange(first, second)
        assert [message for message in first.others + second.others if message[0] in (36, 50, 8, 68)] == []


def test_redis_is_away_longer(nodes: Nodes, redis: RedisServer) -> None:
    """Each node serves its own clients. Calls to other nodes fail, and events for them are counted."""
    (here, one), (there, _) = nodes.start_several(2)
    with clients(here, there, here) as (client, other, neighbor):
        other.subscribe("com.topic")
        other.register("com.far", client)
        neighbor.register("com.near")
        neighbor.subscribe("com.topic")
        redis.kill()
        killed_at = time.monotonic()
        call = client.call("com.far", 1)
        assert client.refused("com.new", seconds=2 + SLACK) == UNAVAILABLE
        assert client.refused("com.new", seconds=SLACK) == UNAVAILABLE
        assert client.error(call, seconds=AWAY + SLACK) == NETWORK_FAILURE
        assert killed_at + AWAY - 1 < time.monotonic() < killed_at + AWAY + SLACK
        assert client.error(client.call("com.far", 1), seconds=SLACK) == UNAVAILABLE
        call = client.call("com.near", 1)
        assert neighbor.serve() == [1]
        assert client.result(call) == [1]
        publish_numbers(client, "com.topic", 1, 7)
        assert neighbor.events_up_to(7) == list(range(1, 8))
        one.wait_to_print("7 dropped events")
        redis.start()
        until(lambda: "is connected again" in one.output, "the node is connected again")
        client.publish("com.topic", 8)
        assert other.event() == [8]
        # The call arrives late, followed by its end.
        late, _ = other.invocation()
        assert other.wait_for(lambda message: message[0] == 69)[1] == late
        until(lambda: client.sees("com.far"), "the ledger is restated")
        check_exchange(client, other)


@pytest.mark.parametrize("fault", ["flushed", "older copy"])
def test_ledger_is_lost_or_older(nodes: Nodes, redis: RedisServer, fault: str) -> None:
    """The nodes state their registrations again within two renewals."""
    ports = [port for port, _ in nodes.start_several(3)]
    with clients(*ports) as (first, second, third):
        first.register("com.old", second)
        given_up = second.register("com.given.up")
        with redis.client(password=PASSWORD) as client:
            client.save()
            third.register("com.new", second)
            second.answer(second.send(66, given_up))
            second.subscribe("com.topic")
            if fault == "flushed":
                client.flushall()
        if fault != "flushed":
            redis.kill()
            redis.start()
        publish_numbers(first, "com.topic", 1, 100)
        assert second.events_up_to(100) == list(range(1, 101))
        time.sleep(5.0)
        assert first.refused("com.new") == EXISTS
        assert third.refused("com.old") == EXISTS
        third.register("com.given.up")
        for caller, callee, procedure in ((second, first, "com.old"), (second, third, "com.new")):
            call = caller.call(procedure, 5)
            assert callee.serve() == [5]
            assert caller.result(call) == [5]
        check_exchange(first, second, third)


def test_redis_evicts_keys(tmp_path: Path) -> None:
    """Events may be lost, but not silently. Each call is answered once, and everything works again in the end."""
    options = {"maxmemory": "3mb", "maxmemory_policy": "allkeys-lru"}
    with redis_process(has_port=True, requirepass=PASSWORD, **options) as redis, started(redis, tmp_path) as nodes:
        (here, one), (there, other) = nodes.start_several(2)
        with clients(here, there) as (first, second), redis.client(password=PASSWORD) as client:
            second.subscribe("com.topic")
            second.register("com.add", first)
            answered = 0
            for number in range(200):
                for place in range(10):
                    client.set(f"junk{number}.{place}", b"x" * 10_000)
                first.publish("com.topic", number)
                call = first.call("com.add", number)
                if number % 10 == 0:
                    found = answer_or_none(first, second, call)
                    answered += found is not None
            client.config_set("maxmemory", "0")
            client.delete(*client.keys("junk*"))
            time.sleep(5.0)
            first.publish("com.topic", "last")
            received = second.events_up_to("last")[:-1]
            assert received == sorted(set(received))
            call = first.call("com.add", 1000)
            while second.serve() != [1000]:
                pass
            assert first.result(call) == [1000]
            first.wire.socket.settimeout(0.5)
            with suppress(TimeoutError):
                while True:
                    first.others.append(first.wire.message())
            answers = [message[1] if message[0] == 50 else message[2] for message in first.others]
            assert len(answers) == len(set(answers)) == 200 - answered
            check_exchange(first, second)
            if len(received) < 200:
                assert "were lost on their way" in other.output
        assert "evict" in one.output or "maxmemory-policy" in one.output


def answer_or_none(caller: Client, callee: Client, call: int) -> Any:
    """Serve what arrives within a moment, and return the answer to a call if it has come."""
    with suppress(TimeoutError):
        while True:
            callee.serve(seconds=0.05)
    with suppress(TimeoutError):
        return caller.wait_for(lambda each: each[0] in (8, 50) and call in each[1:3], seconds=0.05)
    return None


CLOCK = r"""
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

int gettimeofday(struct timeval *time, void *zone) {
    char text[32] = "";
    int file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
    if (file >= 0) {
        read(file, text, sizeof text - 1);
        close(file);
    }
    int failed = syscall(SYS_gettimeofday, time, zone);
    time->tv_sec += atoi(text);
    return failed;
}
"""
"""A library that sets the clock of a process ahead by the number of seconds in a file. libfaketime does not work with
jemalloc, which Redis uses."""


def test_clock_of_redis_is_stepped(tmp_path: Path) -> None:
    """No lease ends, and nothing is lost, when the clock is set an hour ahead or back."""
    offset, library = tmp_path / "offset", tmp_path / "clock.so"
    offset.write_text("0")
    subprocess.run(
        [program("cc", "gcc", "clang"), "-w", "-shared", "-fPIC", "-x", "c", "-", "-o", library],
        input=CLOCK.encode(),
        check=True,
    )
    environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
    with (
        redis_process(has_port=True, environment=environment, requirepass=PASSWORD) as redis,
        started(redis, tmp_path) as nodes,
    ):
        ports = [port for port, _ in nodes.start_several(2)]
        with clients(*ports) as (first, second), redis.client(password=PASSWORD) as client:
            second.subscribe("com.topic")
            second.register("com.add", first)
            last = 0
            for step in ("3600", "-3600", "0"):
                before = client.time()[0]
                offset.write_text(step)
                until(lambda: abs(client.time()[0] - before) > 1000, "the clock is stepped")  # noqa: B023
                for _ in range(2):
                    publish_numbers(first, "com.topic", last + 1, last + 50)
                    last += 50
                    assert second.events_up_to(last) == list(range(last - 49, last + 1))
                    call = first.call("com.add", last)
                    assert second.serve() == [last]
                    assert first.result(call) == [last]
                    time.sleep(1.5)
            assert first.refused("com.add") == EXISTS
            check_exchange(first, second)
        for process in nodes.processes:
            assert "was removed from the cluster" not in process.output


# --- one node is cut off ---------------------------------------------------------------------------------------------


class Proxy:
    """Forwards TCP connections to a port. ``dropping`` are the directions whose bytes it drops.

    New connections go to the port ``target``. They are closed if nothing listens there.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.dropping: set[str] = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets: list[socket.socket] = []
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self.listener.accept()
                try:
                    there = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    here.close()
                    continue
                self.sockets += [here, there]
                for pair in ((here, there, "to server"), (there, here, "to client")):
                    thread = threading.Thread(target=self.copy, args=pair)
                    self.threads.append(thread)
                    thread.start()

    def copy(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if direction not in self.dropping:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for each in (self.listener, *self.sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("direction", ["to server", "to client"])
def test_node_is_cut_off_in_one_direction(nodes: Nodes, redis: RedisServer, direction: str) -> None:
    """The node serves its own clients. For the others, it is as if it had been killed."""
    proxy = Proxy(redis.port)
    try:
        here, _ = nodes.start()
        there, cut = nodes.start(redis_port=proxy.port)
        with clients(here, there, there) as (client, caller, callee):
            client.register("com.far", caller)
            callee.register("com.near", client)
            calls = [caller.call("com.far", 1), client.call("com.near", 1)]
            client.invocation()
            callee.invocation()
            proxy.dropping.add(direction)
            began = time.monotonic()
            assert caller.error(calls[0], seconds=2 * AWAY) == NETWORK_FAILURE
            assert caller.error(caller.call("com.far", 1), seconds=SLACK) == UNAVAILABLE
            call = caller.call("com.near", 2)
            assert callee.serve() == [2]
            assert caller.result(call) == [2]
            # The node has sent notes until its connection broke, so an earlier REGISTER would have been refused.
            registration = client.send(64, {}, "com.near")
            # The connection breaks after two seconds without a reply. The last renewal may be carried out before it.
            bound = began + 2.5 + REMOVAL + 1 + SLACK
            assert client.error(calls[1], seconds=bound - time.monotonic()) == NETWORK_FAILURE
            client.answer(registration, seconds=bound - time.monotonic())
            proxy.dropping.clear()
            for each in (caller, callee):
                assert each.wait_for(lambda message: message[0] == 6)[2] == "wamp.close.system_shutdown"
        cut.wait_to_print("is a member of the cluster again")
        with clients(here, there) as found:
            check_exchange(*found)
    finally:
        proxy.close()
