"""A replica takes the place of the Redis server of a cluster.

The nodes connect through a proxy, which leads to the current primary server, as the address of a managed service does.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from ..redis_server import RedisServer, redis_process
from .cluster_nodes import PASSWORD, Client, Nodes, clients
from .servers import until
from .test_cluster_guarantees import (
    AWAY,
    EXISTS,
    NETWORK_FAILURE,
    SLACK,
    UNAVAILABLE,
    Proxy,
    check_exchange,
    publish_numbers,
    started,
)

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.full]

AGREEMENT = 2 * 2.5
"""All tables agree again after two renewals."""


class Servers:
    """A primary server and its replica, which reads from it through the proxy ``replication``.

    The nodes connect to ``proxy``.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.primary = self._server()
        self.replica = self._server()
        self.proxy = self._proxy(self.primary.port)
        self.replication = self._proxy(self.primary.port)
        self.client = stack.enter_context(self.replica.client(password=PASSWORD))
        self.client.execute_command("REPLICAOF", "127.0.0.1", self.replication.port)
        until(lambda: self.client.info("replication")["master_link_status"] == "up", "the replica is connected")

    def _server(self) -> RedisServer:
        options = {"requirepass": PASSWORD, "masterauth": PASSWORD}
        return self._stack.enter_context(redis_process(has_port=True, **options))

    def _proxy(self, port: int) -> Proxy:
        proxy = Proxy(port)
        self._stack.callback(proxy.close)
        return proxy

    def wait_for_replica(self) -> None:
        """Wait until the replica has everything that the primary server has now."""
        with self.primary.client(password=PASSWORD) as client:
            client.incr("writes")
            assert client.wait(1, 10_000) == 1

    def replica_has(self, uri: str) -> bool:
        """Return whether the replica has a registration."""
        return any(uri.encode() in field for field in self._fields("rows"))

    def members(self) -> int:
        """Return the number of members in the replica."""
        return sum(field.startswith(b"n:") for field in self._fields("members"))

    def _fields(self, name: str) -> list[bytes]:
        client: Redis = self.client
        return [field for key in client.keys(f"*:{name}") for field in client.hkeys(key)]

    def promote(self) -> None:
        """Make the replica the primary server, and lead the nodes to it."""
        # Nodes that connect before the next command get the error READONLY.
        self.proxy.target = self.replica.port
        self.client.execute_command("REPLICAOF", "NO", "ONE")


@pytest.fixture
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture
def nodes(servers: Servers, tmp_path: Path) -> Iterator[Nodes]:
    with started(servers.primary, tmp_path) as found:
        yield found


@contextmanager
def unread(*found: Client) -> Iterator[None]:
    """In the end, check that no client has got an event, a call or an answer that was not expected."""
    yield
    for client in found:
        assert [message for message in client.others if message[0] in (8, 36, 50, 68)] == []


@pytest.mark.parametrize("is_behind", [False, True], ids=["replica has all", "replica has missed writes"])
def test_replica_becomes_the_primary_server(servers: Servers, nodes: Nodes, is_behind: bool) -> None:
    """No event is lost or comes twice, each call is answered once, and the tables agree again.

    If the replica has missed writes, it has the registrations and the member that were removed, and not the new ones.
    """
    port = servers.proxy.port
    (here, one), (there, other), (left, leaving) = nodes.start_several(3, redis_port=port)
    with clients(here, there) as (first, second), unread(first, second):
        with clients(left) as (third,):
            third.register("com.third", first, second)
            second.subscribe("com.topic")
            old = second.register("com.old", first)
            second.register("com.slow", first)
            servers.wait_for_replica()
            if is_behind:
                servers.replication.dropping.add("to client")
        second.answer(second.send(66, old))
        second.register("com.new", first)
        assert leaving.stop() == 0
        slow = first.call("com.slow", 1)
        invocation, _ = second.invocation()
        publish_numbers(first, "com.topic", 1, 200)
        assert second.events_up_to(200) == list(range(1, 201))
        if not is_behind:
            servers.wait_for_replica()
        for uri, is_new in (("com.new", True), ("com.old", False), ("com.third", False)):
            assert servers.replica_has(uri) is (is_new is not is_behind)
        publish_numbers(first, "com.topic", 201, 300)
        servers.primary.kill()
        calls = [first.call("com.new", number) for number in range(10)]
        publish_numbers(first, "com.topic", 301, 400)
        second.wire.send_json([70, invocation, {}, ["late"]])
        servers.promote()
        assert second.events_up_to(400) == list(range(201, 401))
        for number in range(10):
            assert second.serve() == [number]
        assert [first.result(call) for call in calls] == [[number] for number in range(10)]
        assert first.result(slow) == ["late"]
        assert first.refused("com.new") == EXISTS
        until(lambda: servers.members() == 2, "the node that has left is removed", seconds=AGREEMENT + SLACK)
        for uri in ("com.old", "com.third"):
            for client in (first, second):
                until(lambda: not client.sees(uri), "the registration is removed", seconds=AGREEMENT + SLACK)  # noqa: B023
        until(lambda: servers.replica_has("com.new"), "the registration is stated again", seconds=AGREEMENT + SLACK)
        check_exchange(first, second)
    for process in (one, other):
        assert "is connected again" in process.output
        for text in (" dropped", "were lost", "was removed from the cluster"):
            assert text not in process.output


def test_failover_takes_longer(servers: Servers, nodes: Nodes) -> None:
    """Messages of the first seconds are delivered. Later events are dropped and counted, and calls fail."""
    (here, one), (there, other) = nodes.start_several(2, redis_port=servers.proxy.port)
    with clients(here, there) as (first, second), unread(first):
        second.subscribe("com.topic")
        second.register("com.add", first)
        servers.wait_for_replica()
        servers.replication.dropping.add("to client")
        publish_numbers(first, "com.topic", 1, 100)
        assert second.events_up_to(100) == list(range(1, 101))
        servers.primary.kill()
        publish_numbers(first, "com.topic", 101, 200)
        assert first.error(first.call("com.add", 1), seconds=2 * AWAY) == NETWORK_FAILURE
        publish_numbers(first, "com.topic", 201, 300)
        assert first.error(first.call("com.add", 2)) == UNAVAILABLE
        servers.promote()
        for process in (one, other):
            process.wait_to_print("is connected again")
        publish_numbers(first, "com.topic", 301, 301)
        assert second.events_up_to(301) == [*range(101, 201), 301]
        assert second.serve() == [1], "a call that failed may have been carried out"
        check_exchange(first, second)
    assert one.stop(seconds=60) == other.stop(seconds=60) == 0
    assert "100 dropped events" in one.output
    assert "were lost" not in one.output + other.output
