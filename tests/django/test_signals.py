"""Signals of a running node, as receivers in a project hear them: with the database, in sync and async functions."""

import asyncio
import logging
import queue
import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import Group

from wamp_transport.bootstrap.runtime import Runtime
from wamp_transport.bootstrap.signals import Signals
from wamp_transport.bootstrap.sources import MappingSource
from wamp_transport.node.connection import MessageEncoder
from wamp_transport.node.local import join
from wamp_transport.node.node import Node
from wamp_transport.router.options import RealmOptions, RouterOptions
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.signals import LoginFailure, configuration_applied, login_failed, session_joined, session_left

TICKETS = {"ticket": {"type": "static", "principals": {"joe": {"ticket": "s3cret", "role": "anonymous"}}}}
CONFIG = {
    "version": 2,
    "workers": [
        {
            "type": "router",
            "realms": [{"name": "realm1", "roles": [{"name": "anonymous"}]}],
            "transports": [
                {
                    "type": "web",
                    "endpoint": {"type": "tcp", "port": 8080},
                    "paths": {"ws": {"type": "websocket", "auth": TICKETS}},
                }
            ],
        }
    ],
}
FAILURE = LoginFailure("realm1", "joe", "ticket", "a/ws", "10.0.0.1", "wamp.error.x", "no", False)
HELLO = b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]'


class Link:
    """A transport; what comes is in ``messages``."""

    def __init__(self):
        self.messages = asyncio.Queue()

    def write(self, data):
        self.messages.put_nowait(data)

    def close(self, reason, message):
        pass


def play(scenario):
    """Run a scenario with a node that wants tickets; at its end all receivers have heard."""

    async def whole():
        runtime = Runtime(MappingSource(CONFIG))
        await runtime.start()
        service = runtime.started.mounts.by_key["tcp:8080/ws"].websocket.consumer_initkwargs["service"]

        async def log_in(ticket):
            link = Link()
            connection = runtime.started.node.connect(
                service.options, MessageEncoder(SERIALIZERS["json"]), link, {"peer": "tcp:10.0.0.1:5"}
            )
            connection.receive(HELLO)
            await asyncio.wait_for(link.messages.get(), 10)
            connection.receive(b'[5,"%s",{}]' % ticket)
            await asyncio.wait_for(link.messages.get(), 10)
            return connection

        try:
            await scenario(log_in)
        finally:
            await runtime.stop()

    asyncio.run(whole())


@pytest.fixture
def connect(settings):
    """Connect a receiver; disconnected at the end."""
    settings.WAMP_TRANSPORT = {"AUDIT_DAYS": 0}
    made = []

    def connect(signal, receiver):
        signal.connect(receiver)
        made.append((signal, receiver))

    yield connect
    for signal, receiver in made:
        signal.disconnect(receiver)


@pytest.mark.django_db(transaction=True)
def test_receivers_use_the_database(connect):
    def joined(session, **kwargs):
        Group.objects.create(name=f"joined {session.authid} {session.authmethod} {session.address}")

    async def left(session, reason, **kwargs):
        assert await Group.objects.filter(name__startswith="joined").aexists()
        await Group.objects.acreate(name=f"left {session.authid} {reason}")

    connect(session_joined, joined)
    connect(session_left, left)

    async def scenario():  # no whole runtime, whose own writing would meet theirs in the one table of SQLite in memory
        node = Node(RouterOptions(realms={"realm1": RealmOptions("realm1")}), asyncio.get_running_loop())
        signals = Signals()
        signals.watch(node, lambda _: None)
        session = await join(node, "realm1", authid="joe", authrole="trusted")
        await session.leave()
        await signals.close()
        await node.stop(1)

    asyncio.run(scenario())
    assert set(Group.objects.values_list("name", flat=True)) == {
        "joined joe local None",
        "left joe wamp.close.goodbye_and_out",
    }


@pytest.mark.django_db(transaction=True)
def test_failed_logins_and_configurations_are_told_without_secrets(connect):
    got = queue.Queue()

    def failed(failure, **kwargs):
        got.put(failure)

    def applied(configuration, **kwargs):
        got.put(configuration)

    connect(login_failed, failed)
    connect(configuration_applied, applied)

    async def scenario(log_in):
        (await log_in(b"wr0ng")).lost()

    play(scenario)
    configuration, failure = got.queue
    assert (configuration.apply_count, configuration.revision, configuration.source) == (
        1,
        None,
        "settings.WAMP_TRANSPORT['CONFIG']",
    )
    assert (failure.realm, failure.authid, failure.authmethod, failure.address) == (
        "realm1",
        "joe",
        "ticket",
        "10.0.0.1",
    )
    assert failure.reason == "wamp.error.authentication_denied"
    assert not failure.is_locked_out
    assert "wr0ng" not in repr(failure)


@pytest.mark.django_db(transaction=True)
def test_examples_of_the_page_run(connect, caplog):
    page = Path(__file__).parents[2] / "docs" / "signals.md"
    names = {"__name__": "shop.wamp"}
    exec("\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)), names)

    async def scenario(log_in):
        (await log_in(b"s3cret")).lost()

    with caplog.at_level(logging.INFO, logger="shop.wamp"):
        play(scenario)
    said = [record.getMessage() for record in caplog.records if record.name == "shop.wamp"]
    assert said == ["joe has joined realm1", "joe has left: wamp.close.transport_lost"]
    for signal, name in ((session_joined, "on_joined"), (session_left, "on_left"), (login_failed, "on_failed")):
        assert signal.disconnect(names[name])
    for failure, texts in ((FAILURE, []), (replace(FAILURE, is_locked_out=True), ["10.0.0.1"])):
        caplog.clear()
        names["on_failed"](failure)
        assert [record.args[0] for record in caplog.records] == texts
