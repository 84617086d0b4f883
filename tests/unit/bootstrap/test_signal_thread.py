"""The thread of receivers: in order, never waited for, bounded."""

import asyncio
import logging
import queue
import threading

import pytest
from django.dispatch import Signal

from wamp_transport.bootstrap import signal_thread
from wamp_transport.bootstrap.signal_thread import SignalThread

SECONDS = 10


@pytest.fixture
def signal():
    return Signal()


@pytest.fixture
def thread():
    made = SignalThread(most=5)
    yield made
    asyncio.run(made.close(SECONDS))


def test_receivers_run_in_a_thread_of_their_own_in_order(signal, thread, monkeypatch):
    monkeypatch.setattr(signal_thread, "BATCH", 2)
    got = queue.Queue()

    def hear(number, **kwargs):
        got.put((number, threading.current_thread().name))

    signal.connect(hear)
    for number in range(5):
        thread.send(signal, number=number)
    heard = [got.get(timeout=SECONDS) for _ in range(5)]
    assert [number for number, _ in heard] == list(range(5))
    assert {name for _, name in heard} == {"wamp-signals_0"}


def test_coroutine_functions_are_receivers_too(signal, thread):
    got = queue.Queue()

    async def hear(number, **kwargs):
        await asyncio.sleep(0)
        got.put(number)

    signal.connect(hear)
    thread.send(signal, number=1)
    assert got.get(timeout=SECONDS) == 1


def test_receiver_that_raises_is_logged_and_the_others_hear(signal, thread, caplog):
    got = queue.Queue()

    def fail(**kwargs):
        raise LookupError("no")

    async def afail(**kwargs):
        raise LookupError("neither")

    def hear(number, **kwargs):
        got.put(number)

    for receiver in (fail, afail, hear):
        signal.connect(receiver)
    for number in (1, 2):
        thread.send(signal, number=number)
    assert [got.get(timeout=SECONDS) for _ in range(2)] == [1, 2]
    asyncio.run(thread.close(SECONDS))
    assert "LookupError: no" in caplog.text
    assert "LookupError: neither" in caplog.text


def test_what_is_too_much_is_dropped_and_told(signal, thread, caplog):
    begun, gate = threading.Event(), threading.Event()
    got = []

    def hear(number, **kwargs):
        begun.set()
        assert gate.wait(SECONDS)
        got.append(number)

    signal.connect(hear)
    thread.send(signal, number=0)
    assert begun.wait(SECONDS)
    for number in range(1, 9):
        thread.send(signal, number=number)
    gate.set()
    asyncio.run(thread.close(SECONDS))
    assert got == list(range(6))
    assert "5 wait, more are dropped" in caplog.text
    assert "3 signals were dropped" in caplog.text


def test_slow_receivers_are_named(signal, thread, caplog, monkeypatch):
    monkeypatch.setattr(signal_thread, "SLOW_SECONDS", 0)

    def hear(**kwargs):
        threading.Event().wait(0.001)

    signal.connect(hear)
    with caplog.at_level(logging.WARNING):
        thread.send(signal, session=1)
        asyncio.run(thread.close(SECONDS))
    assert "The receivers of a signal of session took" in caplog.text


def test_receiver_that_hangs_does_not_hold_up_the_end(signal, caplog):
    thread = SignalThread()
    begun, gate = threading.Event(), threading.Event()

    def hang(**kwargs):
        begun.set()
        gate.wait(SECONDS)

    signal.connect(hang)
    thread.send(signal)
    assert begun.wait(SECONDS)
    thread.send(signal)
    asyncio.run(thread.close(0.01))
    gate.set()
    assert "1 signals have not reached their receivers" in caplog.text
    thread.send(signal)


def test_without_signals_there_is_no_thread():
    before = set(threading.enumerate())
    thread = SignalThread()
    asyncio.run(thread.close(SECONDS))
    assert set(threading.enumerate()) <= before  # those of other tests may end meanwhile
