"""What is told by Django's signals, and that nothing is where nobody listens."""

import asyncio
import queue

import pytest

from wamp_transport import signals as public
from wamp_transport.bootstrap.signals import Signals
from wamp_transport.node.local import join
from wamp_transport.node.node import Node
from wamp_transport.router.options import RealmOptions, RouterOptions
from wamp_transport.signals import AppliedConfiguration, LoginFailure, SessionInfo

ALL = ("session_joined", "session_left", "login_failed", "slow_consumer_detected", "configuration_applied")


@pytest.fixture
def heard():
    """What all signals say, as ``(name, arguments)``."""
    got = queue.Queue()
    receivers = {}
    for name in ALL:

        def hear(sender, signal, name=name, **named):
            got.put((name, named))

        receivers[name] = hear
        getattr(public, name).connect(hear)
    yield got
    for name, receiver in receivers.items():
        getattr(public, name).disconnect(receiver)


FAILURE = LoginFailure("realm1", "joe", "ticket", "a/ws", "10.0.0.1", "wamp.error.x", "no", False)
APPLIED = AppliedConfiguration(2, "database", "here:1", 7)


def live(signals):
    """A session comes, is slow, and goes."""

    async def scenario():
        node = Node(RouterOptions(realms={"realm1": RealmOptions("realm1")}), asyncio.get_running_loop())
        signals.watch(node, lambda session_id: "7")
        session = await join(node, "realm1", authid="shop", authrole="trusted")
        node.connections[session.id].congested(True)
        await session.leave()
        signals.failed(FAILURE)
        signals.applied(APPLIED)
        await signals.close()
        await node.stop(1)
        return session.id

    return asyncio.run(scenario())


def test_all_is_told_in_order(heard):
    session_id = live(Signals())
    info = SessionInfo(session_id, "realm1", "shop", "trusted", "local", "local", True, "local", None, "7")
    assert list(heard.queue) == [
        ("session_joined", {"session": info}),
        ("slow_consumer_detected", {"session": info, "queued_bytes": None}),
        ("session_left", {"session": info, "reason": "wamp.close.goodbye_and_out"}),
        ("login_failed", {"failure": FAILURE}),
        ("configuration_applied", {"configuration": APPLIED}),
    ]


def test_where_nobody_listens_nothing_is_made(monkeypatch):
    signals = Signals()
    monkeypatch.setattr(signals._thread, "send", None)
    monkeypatch.setattr(signals, "_info", None)
    live(signals)
