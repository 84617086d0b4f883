"""Django signals of a node: receivers run in a thread, in order, bounded, and nothing is made without receivers."""

import asyncio
import logging
import queue
import threading

import pytest
from django.dispatch import Signal

from wamp_transport import signals as public
from wamp_transport.bootstrap import signals as module
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
        node.connections[session.id].set_congested(True)
        await session.leave()
        signals.send_login_failed(FAILURE)
        signals.send_configuration_applied(APPLIED)
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
    monkeypatch.setattr(signals, "_send", None)
    monkeypatch.setattr(signals, "_info", None)
    live(signals)


# --- receivers ---------------------------------------------------------------------------------------------------

SECONDS = 10


@pytest.fixture
def signal():
    return Signal()


def send(signal, *numbers):
    """Send the signal with each number, and wait for its receivers."""

    async def scenario():
        signals = Signals()
        for number in numbers:
            signals._send(signal, number=number)
        await signals.close()

    asyncio.run(scenario())


def test_receivers_run_in_a_thread_of_their_own_in_order(signal, monkeypatch):
    monkeypatch.setattr(module, "MAX_BATCH_SIGNALS", 2)
    got = []

    def hear(number, **kwargs):
        got.append((number, threading.current_thread().name))

    signal.connect(hear)
    send(signal, *range(5))
    assert got == [(number, "wamp-signals_0") for number in range(5)]


def test_coroutine_functions_are_receivers_too(signal):
    got = []

    async def hear(number, **kwargs):
        await asyncio.sleep(0)
        got.append(number)

    signal.connect(hear)
    send(signal, 1)
    assert got == [1]


def test_receiver_that_raises_is_logged_and_the_others_hear(signal, caplog):
    got = []

    def fail(**kwargs):
        raise LookupError("no")

    async def afail(**kwargs):
        raise LookupError("neither")

    def hear(number, **kwargs):
        got.append(number)

    for receiver in (fail, afail, hear):
        signal.connect(receiver)
    send(signal, 1, 2)
    assert got == [1, 2]
    assert "LookupError: no" in caplog.text
    assert "LookupError: neither" in caplog.text


@pytest.mark.parametrize(
    ("kind", "is_async"),
    [
        (StopIteration, False),
        *(
            pytest.param(kind, way, marks=pytest.mark.expects_errors("A receiver of a signal failed"))
            for kind in (SystemExit, KeyboardInterrupt, GeneratorExit)
            for way in (0, 1)
        ),
    ],
)
def test_receiver_that_raises_no_ordinary_exception_hears_the_next_signal(signal, caplog, kind, is_async):
    got = []

    def hear(number, **kwargs):
        if number == 1:
            raise kind
        got.append(number)

    async def ahear(number, **kwargs):
        hear(number)

    signal.connect(ahear if is_async else hear)
    send(signal, 0, 1, 2)
    assert got == [0, 2]
    assert kind.__name__ in caplog.text


def test_slow_receivers_are_named(signal, caplog, monkeypatch):
    monkeypatch.setattr(module, "SLOW_RECEIVER_SECONDS", 0)

    def hear(**kwargs):
        threading.Event().wait(0.001)

    signal.connect(hear)
    with caplog.at_level(logging.WARNING):
        send(signal, 1)
    assert "The receivers of a signal of number took" in caplog.text


@pytest.mark.expects_errors("are queued already, and they are not written fast enough")
def test_what_is_too_much_is_dropped_and_counted(signal, caplog, monkeypatch):
    monkeypatch.setattr(module, "MAX_QUEUED_SIGNALS", 5)
    begun, gate, got = threading.Event(), threading.Event(), []

    def hear(number, **kwargs):
        begun.set()
        assert gate.wait(SECONDS)
        got.append(number)

    signal.connect(hear)

    async def scenario():
        signals = Signals()
        signals._send(signal, number=0)
        assert await asyncio.to_thread(begun.wait, SECONDS)
        for number in range(1, 9):
            signals._send(signal, number=number)
        gate.set()
        await signals.close()

    asyncio.run(scenario())
    assert got == list(range(6))
    assert "1 signals are lost: 5 are queued already" in caplog.text
    assert "2 signals are lost" in caplog.text


@pytest.mark.expects_errors("The process ends: 1 signals are lost")
def test_receiver_that_hangs_does_not_hold_up_the_end(signal, caplog, monkeypatch):
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.01)
    begun, gate = threading.Event(), threading.Event()

    def hang(**kwargs):
        begun.set()
        gate.wait(SECONDS)

    signal.connect(hang)

    async def scenario():
        signals = Signals()
        signals._send(signal)
        assert await asyncio.to_thread(begun.wait, SECONDS)
        signals._send(signal)
        await signals.close()
        gate.set()
        signals._send(signal)

    asyncio.run(scenario())
    assert "The process ends: 1 signals are lost" in caplog.text


@pytest.mark.expects_errors("1 signals are lost: 0 are queued already, and they are not written fast enough")
def test_texts_of_peers_count(signal):
    failure = LoginFailure("realm1", "x" * module.MAX_QUEUED_BYTES, "ticket", "a/ws", None, "no", "no", False)
    got = []
    signal.connect(lambda failure, **kwargs: got.append(failure), weak=False)

    async def scenario():
        signals = Signals()
        signals._send(signal, failure=failure)
        await signals.close()

    asyncio.run(scenario())
    assert got == []


def test_without_signals_there_is_no_thread():
    before = set(threading.enumerate())
    asyncio.run(Signals().close())
    assert set(threading.enumerate()) <= before  # those of other tests may end meanwhile
