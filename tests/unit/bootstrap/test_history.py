"""Durable history between a node and its database."""

import asyncio
import logging
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.db import DatabaseError

from wamp_transport.bootstrap import history as module
from wamp_transport.bootstrap.history import DurableHistory
from wamp_transport.config.configuration import Configuration
from wamp_transport.node.node import Node
from wamp_transport.router.effects import Record
from wamp_transport.router.options import HistoryOptions, RealmOptions, RouterOptions
from wamp_transport.router.records import Publication
from wamp_transport.wamp.messages import Publish, PublishOptions

DURABLE = HistoryOptions("com.x", limit=3, is_durable=True)
PREFIX = HistoryOptions("com.", "prefix", is_durable=True)
FLEETING = HistoryOptions("com.y")


CONFIGURATION = Configuration("", Path(), (), ())
"""What a configuration says of histories reaches them through the router."""


def options(*history):
    return RouterOptions(realms={"realm1": RealmOptions("realm1", history=history)})


def publication(number):
    return Publication(number, Publish(1, PublishOptions(), "com.x"), "json", 1, "", "", False)


class Store:
    """A database in memory. ``fails`` makes it not answer."""

    def __init__(self):
        self.fails = False
        self.kept = []
        self.written = threading.Semaphore(0)
        self.asked = []
        self.trimmed = []

    def keep(self, batch):
        if self.fails:
            raise DatabaseError("no answer")
        self.kept += [record.publication.id for record in batch]
        self.written.release()

    def past(self, realm, wanted):
        self.asked.append((realm, wanted.uri))
        return [publication(number) for number in self.kept]

    def trim(self, realm, wanted):
        self.trimmed.append((realm, wanted.uri))


@pytest.fixture
def store(monkeypatch):
    store = Store()
    monkeypatch.setattr(module, "history", store)
    return store


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def node(loop):
    return Node(options(DURABLE, FLEETING), loop)


@pytest.fixture
def durable(node, store):
    return DurableHistory(node)


@pytest.fixture
def record(node, durable):
    def record(*numbers):
        for number in numbers:
            node.observers.event_recorded(Record("realm1", "exact", "com.x", publication(number)))

    return record


def in_memory(node, uri="com.x", match="exact"):
    broker = node.router.realms["realm1"].broker
    return [each.id for each in broker.histories[broker.lookup(match, uri).id].publications()]


def test_recorded_events_are_written_together_in_order(loop, durable, store, record):
    record(1, 2)
    assert store.kept == []
    loop.run_until_complete(durable.flush())
    assert store.kept == [1, 2]
    loop.run_until_complete(durable.flush())
    assert store.kept == [1, 2]


def test_durable_histories_are_put_back_at_the_start(loop, node, durable, store):
    store.kept = [7, 8]
    loop.run_until_complete(durable.apply(CONFIGURATION, None))
    assert in_memory(node) == [7, 8]
    assert in_memory(node, "com.y") == []


def test_only_new_histories_are_put_back_later(loop, node, durable, store):
    loop.run_until_complete(durable.apply(CONFIGURATION, None))
    loop.run_until_complete(durable.apply(CONFIGURATION, CONFIGURATION))
    assert store.asked == [("realm1", "com.x")]
    store.kept = [7]
    node.configure(options(DURABLE, PREFIX))
    loop.run_until_complete(durable.apply(CONFIGURATION, CONFIGURATION))
    assert store.asked == [("realm1", "com.x"), ("realm1", "com.")]
    assert in_memory(node, "com.", "prefix") == [7]
    assert in_memory(node) == []


@pytest.mark.expects_errors("Writing 1 events of histories failed, and is retried: no answer")
def test_database_that_does_not_answer_is_tried_again(loop, durable, store, record, caplog):
    store.fails = True
    record(1)
    loop.run_until_complete(durable.flush())
    assert "Writing 1 events of histories failed, and is retried: no answer" in caplog.text
    record(2)
    store.fails = False
    loop.run_until_complete(durable.flush())
    assert store.kept == [1, 2]


@pytest.mark.expects_errors("1 events of histories are lost: 2 are queued already, and they are not written")
def test_events_beyond_the_backlog_are_lost_and_that_is_logged_once(loop, durable, store, record, caplog, monkeypatch):
    monkeypatch.setattr(durable._writer, "max_items", 2)
    caplog.set_level(logging.ERROR)
    record(1, 2, 3, 4)
    loop.run_until_complete(durable.flush())
    assert store.kept == [1, 2]
    assert [entry.getMessage() for entry in caplog.records] == [
        "1 events of histories are lost: 2 are queued already, and they are not written fast enough"
    ]


def test_rows_that_no_history_keeps_are_looked_for_now_and_then(loop, durable, store, record, monkeypatch):
    monkeypatch.setattr(module, "BATCHES_PER_TRIM", 2)
    loop.run_until_complete(durable.apply(CONFIGURATION, None))
    for number in range(4):
        record(number)
        loop.run_until_complete(durable.flush())
    assert store.trimmed == [("realm1", "com.x")] * 2


def test_history_that_has_gone_in_between_is_put_back_again(loop, node, durable, store):
    store.kept = [7]
    loop.run_until_complete(durable.apply(CONFIGURATION, None))
    node.configure(options())
    node.configure(options(DURABLE))
    loop.run_until_complete(durable.apply(CONFIGURATION, CONFIGURATION))
    assert in_memory(node) == [7]


def test_what_the_database_did_not_give_is_asked_for_again(loop, node, durable, store):
    node.configure(options(DURABLE, PREFIX))
    store.kept = [7]
    store.past, past = Mock(side_effect=[[], DatabaseError("no answer")]), store.past
    with pytest.raises(DatabaseError):
        loop.run_until_complete(durable.apply(CONFIGURATION, None))
    store.past = past
    loop.run_until_complete(durable.apply(CONFIGURATION, None))
    assert store.asked == [("realm1", "com.")]
    assert in_memory(node, "com.", "prefix") == [7]


def test_writing_goes_on_until_cancelled(loop, durable, store, record, monkeypatch):
    monkeypatch.setattr(module, "WRITE_INTERVAL_SECONDS", 0)

    async def scenario():
        running = asyncio.ensure_future(durable.run())
        for number in (1, 2):
            record(number)
            await asyncio.wait_for(asyncio.to_thread(store.written.acquire), 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    loop.run_until_complete(scenario())
    assert store.kept == [1, 2]
