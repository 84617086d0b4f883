"""Handlers of apps on several nodes that form one router, over a stand-in for Redis."""

import asyncio
import logging

import pytest

from tests.unit.node.cluster_world import Client, World, pair, world
from tests.unit.node.conftest import loop
from wamp_transport.api.bridge import LoopBridge
from wamp_transport.api.reconnecting_session import ReconnectingSession, Registration
from wamp_transport.bootstrap import handlers as module
from wamp_transport.bootstrap.handlers import AppHandlers
from wamp_transport.handlers import Event, Result, register, subscribe
from wamp_transport.handlers.declarations import Registry
from wamp_transport.node.local import join
from wamp_transport.router.options import TRUSTED
from wamp_transport.wamp.messages import RegisterOptions

__all__ = ["loop", "pair", "world"]


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    fresh = Registry()
    for place in ("wamp_transport.handlers.declarations.REGISTRY", "wamp_transport.handlers.discovery.REGISTRY"):
        monkeypatch.setattr(place, fresh)
    return fresh


class Site:
    """The same handlers on each node of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.parts: list[AppHandlers] = []
        for node in world.nodes:
            self.parts.append(part := AppHandlers(node, 1))
            world.loop.run_until_complete(part.start())
            world.clusterings[len(self.parts) - 1].on_rejoined = part.wake
            self.run(part.register_handlers(["realm1"]))

    def run(self, work):
        running = asyncio.ensure_future(work, loop=self.world.loop)
        self.world.until(running.done, 5)
        return running.result()

    def follow(self) -> None:
        """Check the registrations of all nodes from now on."""
        self.world.tasks += [asyncio.ensure_future(part.run(), loop=self.world.loop) for part in self.parts]

    def close(self) -> None:
        for part in self.parts:
            part.close()


@pytest.fixture
def site(pair):
    """A function that starts the handlers that were declared, on two nodes."""
    sites = []

    def start():
        sites.append(Site(pair))
        return sites[-1]

    yield start
    for each in sites:
        each.close()


def results(client):
    return [message[3] if message[3:] else [] for message in client.received() if message[0] == 50]


def test_calls_are_answered_by_the_own_node(pair, site):
    calls = []

    @register("com.add")
    async def add(a: int, b: int):
        calls.append(asyncio.current_task())
        return a + b

    site()
    sent = []
    for place, node in enumerate(pair.nodes):
        link = pair.membership(place).link
        link.send = lambda peer, message, send=link.send: sent.append(message) or send(peer, message)
        client = Client(node)
        client.send(48, 1, {}, "com.add", [place, 10])
        pair.turn()
        assert results(client) == [[place + 10]]
    assert len(calls) == 2
    assert sent == []


def test_each_event_is_handled_once_or_by_each_node(pair, site):
    once, everywhere = [], []

    @subscribe("com.topic")
    async def on_topic(number: int):
        once.append(number)

    @subscribe("com.topic", each_node=True)
    async def on_topic_everywhere(number: int):
        everywhere.append(number)

    site()
    for place, node in enumerate(pair.nodes):
        Client(node).send(16, 1, {}, "com.topic", [place])
    pair.turn()
    assert once == [0, 1]
    assert sorted(everywhere) == [0, 0, 1, 1]


def test_event_of_django_code_is_handled_once(pair, site):
    """Model events are published in this way, in the process in which the transaction was committed."""
    once, subscriber = [], Client(pair.nodes[0])
    subscriber.send(32, 1, {"match": "prefix"}, "com.product")
    pair.turn()
    subscriber.received()

    @subscribe("com.product.", match="prefix")
    async def on_product(event: Event):
        once.append(event.topic)

    running = site()

    async def publish():
        session = await join(pair.nodes[1], "realm1", authid="django", authrole=TRUSTED)
        await session.publish("com.product.created")

    running.run(publish())
    pair.turn()
    assert once == ["com.product.created"]
    assert subscriber.kinds() == [36]


def test_progressive_results_come_from_the_other_node(pair, site):
    @register("com.count")
    async def count():
        yield 1
        yield 2

    running = site()
    for session in list(running.parts[0]._sessions.values()):
        running.run(session.leave())
    client = Client(pair.nodes[0])
    client.send(48, 1, {"receive_progress": True}, "com.count")
    pair.turn()
    assert results(client) == [[1], [2], []]


def test_handlers_are_registered_again_as_soon_as_the_node_has_joined_again(pair, site, caplog):
    """The node is not a member for a while. What cannot be registered in this time is not an error."""
    caplog.set_level(logging.WARNING, logger=module.__name__)
    once = []

    @register("com.name")
    async def name():
        return Result(["name"])

    @subscribe("com.topic")
    async def on_topic():
        once.append(1)

    running = site()
    running.follow()
    pair.stop(1)
    pair.pass_time(14)
    pair.resume(1)
    pair.until(lambda: pair.clusterings[1].counters.removals == 1, 5)
    pair.until(lambda: all(one.is_active for one in running.parts[1]._active.values()), 1)
    client = Client(pair.nodes[1])
    client.send(48, 1, {}, "com.name")
    client.send(16, 2, {}, "com.topic")
    pair.turn()
    assert results(client) == [["name"]]
    assert once == [1]
    assert [record for record in caplog.records if record.name == module.__name__] == []


def test_handlers_that_wait_for_long_are_reported_once(pair, site, caplog):
    caplog.set_level(logging.WARNING, logger=module.__name__)

    @register("com.name")
    async def name(): ...

    @register("com.other")
    async def other(): ...

    running = site()
    running.follow()
    pair.network.set_reachable(False)
    for session in list(running.parts[1]._sessions.values()):
        running.run(session.leave())
    pair.pass_time(5)
    texts = [record.getMessage() for record in caplog.records if record.name == module.__name__]
    assert texts == []
    pair.pass_time(30)
    (record,) = (record for record in caplog.records if record.name == module.__name__)
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("2 handlers are not registered yet; this is retried: ")
    pair.network.set_reachable(True)
    pair.until(lambda: all(one.is_active for one in running.parts[1]._active.values()), 10)


@pytest.mark.parametrize(("seconds", "warnings"), [(1, 0), (10, 1)])
def test_registration_of_django_code_is_restored_when_the_cluster_is_reachable(pair, site, caplog, seconds, warnings):
    running = site()
    session = ReconnectingSession(
        LoopBridge(pair.loop), lambda: join(pair.nodes[1], "realm1", authid="django", authrole=TRUSTED)
    )
    registration = Registration(session, "com.name", lambda _: "name", RegisterOptions())
    running.run(session.add(registration))
    pair.network.set_reachable(False)
    # A REGISTER whose outcome is not known: those after it are refused without waiting.
    probe = Client(pair.nodes[1])
    probe.send(64, 1, {}, "com.probe")
    pair.until(probe.received, 5)
    pair.nodes[1].leave(running.run(session.session()).id, "wamp.close.killed", "")
    pair.until(lambda: "reconnects" in caplog.text, 1)
    pair.pass_time(0.4 + seconds)
    assert not registration.is_active
    pair.network.set_reachable(True)
    pair.until(lambda: registration.is_active, 10)
    texts = [each.getMessage() for each in caplog.records if "established again" in each.getMessage()]
    assert len(texts) == warnings
    running.run(session.close())


@pytest.mark.expects_errors("com.name is not registered in realm 'realm1'")
def test_name_that_a_client_has_is_reported(pair, site, caplog):
    @register("com.name")
    async def name(): ...

    client = Client(pair.nodes[0])
    client.send(64, 1, {}, "com.name")
    pair.turn()
    site()
    assert caplog.text.count("'com.name' is already registered; this is retried") == 2
