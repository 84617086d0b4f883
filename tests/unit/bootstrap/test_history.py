"""Durable history between a node and its database."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.db import DatabaseError
from msgspec import Raw

from wamp_transport.bootstrap import history as module
from wamp_transport.bootstrap import history_writer
from wamp_transport.bootstrap.history import DurableHistory
from wamp_transport.config.configuration import Configuration
from wamp_transport.node.node import Node
from wamp_transport.router.options import HistoryOptions, RealmOptions, RouterOptions, ServiceOptions
from wamp_transport.router.records import Publication, Session
from wamp_transport.wamp.messages import Publish, PublishOptions

DURABLE = HistoryOptions("com.x", limit=3, is_durable=True)
PREFIX = HistoryOptions("com.", "prefix", is_durable=True)
FLEETING = HistoryOptions("com.y")


CONFIGURATION = Configuration("", Path(), (), ())
"""What a configuration says of histories reaches them through the router."""


def options(*history, **realm):
    return RouterOptions(realms={"realm1": RealmOptions("realm1", history=history, **realm)})


def publication(number):
    return Publication(number, Publish(1, PublishOptions(), "com.x"), "json", 1, "", "", False)


class Store:
    """A database in memory. ``fails`` makes it not answer. ``kept`` has the ids of the events of all histories."""

    MAX_TRIMMED_ROWS = 2

    def __init__(self):
        self.fails = False
        self.attempts = 0
        self.kept = []
        self.batches = []
        self.written = threading.Semaphore(0)
        self.asked = []
        self.trimmed = []
        self.others = []
        self.listed = threading.Semaphore(0)

    def keep(self, batch):
        self.attempts += 1
        if self.fails:
            raise DatabaseError("no answer")
        self.batches.append([record.publication.id for record in batch])
        self.kept += self.batches[-1]
        self.written.release()

    def past(self, realm, wanted, max_size):
        self.asked.append((realm, wanted.uri))
        return [publication(number) for number in self.kept][-wanted.limit :]

    def find_all(self):
        self.listed.release()
        return [("realm1", "exact", "com.x"), *self.others]

    def trim(self, realm, match, uri, count):
        if self.fails:
            raise DatabaseError("no answer")
        surplus = self.kept[: max(0, len(self.kept) - count)][: self.MAX_TRIMMED_ROWS]
        self.trimmed.append((uri, count, len(surplus)))
        self.kept = self.kept[len(surplus) :]
        return len(surplus)


@pytest.fixture
def store(monkeypatch):
    store = Store()
    monkeypatch.setattr(module, "history", store)
    monkeypatch.setattr(history_writer, "store", store)
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
def apply(loop, durable):
    return lambda: loop.run_until_complete(durable.apply(CONFIGURATION, None))


@pytest.fixture
def flush(loop, durable):
    return lambda: loop.run_until_complete(durable.flush())


@pytest.fixture
def publish(node):
    """Publish events to com.x as the router does."""

    def publish(*numbers, size=0):
        broker = node.router.realms["realm1"].broker
        session = Session(7, ServiceOptions("test"), "json")
        session.authrole = "trusted"
        ids = iter(numbers)
        environment = replace(broker._environment, new_publication_id=lambda: next(ids))
        broker._environment, real = environment, broker._environment
        for _ in numbers:
            broker.on_publish(session, Publish(1, PublishOptions(acknowledge=True), "com.x", Raw(b"x" * size)))
        broker._environment = real
        node.flush_effects()

    return publish


def in_memory(node, uri="com.x", match="exact"):
    broker = node.router.realms["realm1"].broker
    return [each.id for each in broker.histories[broker.lookup(match, uri).id].publications()]


def test_recorded_events_are_written_together_in_order(flush, store, publish):
    publish(1, 2)
    assert store.kept == []
    flush()
    assert store.kept == [1, 2]
    flush()
    assert store.kept == [1, 2]


def test_durable_histories_are_put_back_at_the_start(apply, node, store):
    store.kept = [7, 8]
    apply()
    assert in_memory(node) == [7, 8]
    assert in_memory(node, "com.y") == []


def test_only_new_histories_are_put_back_later(apply, node, store):
    apply()
    apply()
    assert store.asked == [("realm1", "com.x")]
    store.kept = [7]
    node.configure(options(DURABLE, PREFIX))
    apply()
    assert store.asked == [("realm1", "com.x"), ("realm1", "com.")]
    assert in_memory(node, "com.", "prefix") == [7]
    assert in_memory(node) == []


@pytest.mark.expects_errors("Writing events of histories failed, and is retried; 1 are queued: no answer")
def test_database_that_does_not_answer_is_tried_again(flush, store, publish, caplog):
    store.fails = True
    publish(1)
    for _ in range(3):
        flush()
    assert [entry.getMessage() for entry in caplog.records] == [
        "Writing events of histories failed, and is retried; 1 are queued: no answer"
    ]
    publish(2)
    store.fails = False
    flush()
    assert store.kept == [1, 2]


@pytest.mark.expects_errors("Writing events of histories failed")
def test_queue_has_no_more_events_than_the_history(apply, flush, durable, node, store, publish):
    apply()
    store.fails = True
    for number in range(1, 20):
        publish(number)
        flush()
        assert len(durable._writer) <= DURABLE.limit
    store.fails = False
    flush()
    assert store.batches == [[17, 18, 19]]
    assert in_memory(node) == [17, 18, 19]


def test_events_that_leave_the_history_for_others_leave_the_queue(flush, durable, node, store, publish):
    node.configure(options(DURABLE, max_history_size=20_000))
    publish(1, 2, size=8000)
    node.configure(options(DURABLE, max_history_size=10_000))
    flush()
    assert store.batches == [[2]]


def test_events_of_bounded_size_are_written_in_one_transaction(flush, store, publish, monkeypatch):
    monkeypatch.setattr(history_writer, "MAX_BATCH_BYTES", 10_000)
    publish(1, 2, 3, size=6000)
    flush()
    assert store.batches == [[1, 2], [3]]


def test_busy_history_does_not_delay_others(flush, store, publish, node, monkeypatch):
    monkeypatch.setattr(history_writer, "MAX_BATCH_EVENTS", 2)
    other = HistoryOptions("com.x", "wildcard", is_durable=True)
    node.configure(options(replace(DURABLE, limit=9), replace(other, limit=1)))
    publish(1, 2, 3, 4, 5, 6)
    flush()
    assert store.batches == [[1, 2], [6, 3], [4, 5], [6]]


def test_stored_events_are_trimmed_at_the_start_slice_by_slice(apply, flush, node, store):
    store.kept = list(range(8))
    apply()
    assert store.trimmed == []
    flush()
    assert store.trimmed == [("com.x", 3, 2), ("com.x", 3, 2), ("com.x", 3, 1)]
    assert store.kept == in_memory(node) == [5, 6, 7]


def test_table_has_little_more_than_the_history_keeps(apply, flush, store, publish):
    apply()
    for number in range(1, 50):
        publish(number)
        flush()
        assert len(store.kept) <= 2 * DURABLE.limit
    assert store.kept[-3:] == [47, 48, 49]


def test_lower_limit_trims_the_table(apply, flush, node, store, publish):
    apply()
    publish(1, 2, 3)
    flush()
    node.configure(options(replace(DURABLE, limit=1)))
    apply()
    flush()
    assert store.kept == in_memory(node) == [3]


def test_stored_histories_that_are_not_kept_are_logged_once(loop, apply, durable, store, publish, caplog, monkeypatch):
    monkeypatch.setattr(module, "WRITE_INTERVAL_SECONDS", 0)
    store.kept, store.others = [1], [("realm1", "prefix", "com.old."), ("realm2", "exact", "com.x")]
    apply()

    async def scenario():
        running = asyncio.ensure_future(durable.run())
        assert await asyncio.to_thread(store.listed.acquire, timeout=10)
        publish(2)  # written in the next round
        assert await asyncio.to_thread(store.written.acquire, timeout=10)
        running.cancel()
        await asyncio.wait([running])

    loop.run_until_complete(scenario())
    (entry,) = caplog.records
    assert entry.getMessage().startswith(
        "Events of 2 histories that this node does not keep are in the database: com.old. (prefix, realm realm1), "
        "com.x (exact, realm realm2). Delete"
    )


@pytest.mark.expects_errors("Old events of the history of com.x cannot be deleted")
def test_fault_in_deleting_does_not_keep_events_from_being_written(apply, flush, store, publish):
    store.kept = [1, 2, 3, 4]
    apply()
    store.trim = Mock(side_effect=ValueError)
    publish(5)
    flush()
    assert store.kept == [1, 2, 3, 4, 5]


def test_history_whose_stored_events_are_not_loaded_is_not_trimmed(flush, node, store, publish):
    store.kept = [1, 2, 3, 4, 5]
    publish(6, 7, 8)
    flush()
    assert store.kept == [1, 2, 3, 4, 5, 6, 7, 8]
    assert store.trimmed == []


def test_replaced_history_is_not_trimmed_before_its_stored_events_are_loaded(apply, flush, node, store, publish):
    apply()
    publish(1, 2, 3)
    flush()
    node.configure(options(replace(DURABLE, limit=2)))
    publish(4)
    flush()
    assert store.kept[-3:] == [2, 3, 4]
    apply()
    flush()
    assert store.kept == in_memory(node) == [3, 4]


@pytest.mark.expects_errors("Writing events of histories failed, and is retried; 0 are queued: no answer")
def test_trim_that_fails_is_tried_again(apply, flush, store):
    store.kept = [1, 2, 3, 4]
    apply()
    store.fails = True
    flush()
    store.fails = False
    flush()
    assert store.kept == [2, 3, 4]


def test_events_displaced_by_the_limit_in_bytes_are_logged_once_a_minute(loop, durable, node, publish, caplog):
    node.configure(options(DURABLE, max_history_size=10_000))
    for number in range(1, 4):
        publish(number, size=6000)
        durable._log_displaced()
    assert [entry.getMessage() for entry in caplog.records] == [
        "Event histories of realm realm1 have lost their 1 oldest events: `max_history_size` is 10000 bytes"
    ]


def test_history_that_has_gone_in_between_is_put_back_again(apply, node, store):
    store.kept = [7]
    apply()
    node.configure(options())
    node.configure(options(DURABLE))
    apply()
    assert in_memory(node) == [7]


def test_what_the_database_did_not_give_is_asked_for_again(apply, node, durable, store):
    node.configure(options(DURABLE, PREFIX))
    store.kept = [7]
    store.past, past = Mock(side_effect=[[], DatabaseError("no answer")]), store.past
    with pytest.raises(DatabaseError):
        apply()
    store.past = past
    apply()
    assert store.asked == [("realm1", "com.")]
    assert in_memory(node, "com.", "prefix") == [7]


def test_writing_goes_on_until_cancelled(loop, durable, store, publish, monkeypatch):
    monkeypatch.setattr(module, "WRITE_INTERVAL_SECONDS", 0)

    async def scenario():
        running = asyncio.ensure_future(durable.run())
        for number in (1, 2):
            publish(number)
            await asyncio.wait_for(asyncio.to_thread(store.written.acquire), 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    loop.run_until_complete(scenario())
    assert store.kept == [1, 2]


@pytest.fixture
def reported(durable, monkeypatch):
    """The events reported to the router: their ids, and whether they are stored."""
    reported = []
    monkeypatch.setattr(
        durable._writer,
        "_on_recorded",
        lambda records, is_stored: reported.extend((one.publication.id, is_stored) for one in records),
    )
    return reported


def test_each_event_is_reported_when_it_is_stored_or_will_not_be(flush, publish, reported):
    publish(1, 2, 3, 4)
    assert reported == [(1, False)]
    flush()
    assert reported[1:] == [(2, True), (3, True), (4, True)]


@pytest.mark.expects_errors("1 events of histories are lost: they cannot be written")
def test_event_that_cannot_be_written_is_reported_and_does_not_block_others(flush, store, publish, reported):
    keep, store.keep = store.keep, Mock(side_effect=ValueError)
    publish(1)
    flush()
    assert reported == [(1, False)]
    store.keep = keep
    publish(2)
    flush()
    assert store.kept == [2]


@pytest.mark.expects_errors("Writing events of histories failed", "The process ends: 2 events of histories are lost")
def test_events_that_are_left_at_the_end_are_reported(loop, durable, store, publish, reported):
    store.fails = True
    publish(1, 2)
    loop.run_until_complete(durable.stop())
    assert reported == [(1, False), (2, False)]
    publish(3)
    assert reported[2:] == [(3, False)]


@pytest.mark.expects_errors("The process ends: 1 events of histories are lost")
def test_database_that_hangs_does_not_delay_the_end(loop, durable, store, publish, reported, monkeypatch):
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.05)
    may_go_on = threading.Event()
    store.keep = lambda batch: may_go_on.wait(10)
    publish(1)
    try:
        loop.run_until_complete(durable.stop())
    finally:
        may_go_on.set()
    assert reported == [(1, False)]


def test_synced_events_are_written_without_waiting_for_the_next_interval(loop, durable, node, store, publish):
    node.configure(options(replace(DURABLE, is_synced=True)))

    async def scenario():
        publish(1)
        await asyncio.wait_for(asyncio.to_thread(store.written.acquire), 10)
        await durable.flush()

    loop.run_until_complete(scenario())
    assert store.kept == [1]


@pytest.mark.expects_errors("Writing events of histories failed")
def test_failing_database_is_asked_once_in_each_interval(loop, flush, durable, node, store, publish):
    node.configure(options(replace(DURABLE, is_synced=True)))
    store.fails = True

    async def scenario():
        publish(1)
        await durable.flush()
        attempts = store.attempts
        for number in range(2, 4):
            publish(number)
            await asyncio.to_thread(int)
        assert store.attempts == attempts
        store.fails = False
        await durable.flush()

    loop.run_until_complete(scenario())
    assert store.kept == [1, 2, 3]


@pytest.mark.expects_errors("Writing events of histories failed")
def test_publishers_do_not_wait_for_a_failing_database(loop, durable, node, store, publish, reported):
    """More wait than fit into the batch that fails. Each gets one answer, also if its event is stored later."""
    node.configure(options(replace(DURABLE, limit=history_writer.MAX_BATCH_EVENTS + 3, is_synced=True)))
    store.fails = True
    numbers = range(1, history_writer.MAX_BATCH_EVENTS + 3)

    async def scenario():
        publish(*numbers)
        waiting = [record for queue in durable._writer._queues.values() for record in queue]
        assert all(record.confirmation is not None for record in waiting)
        await durable.flush()
        assert sorted(reported) == [(number, False) for number in numbers]
        assert all(record.confirmation is None for record in waiting)
        store.fails = False
        await durable.flush()

    loop.run_until_complete(scenario())
    assert store.kept == [*numbers]


def test_without_a_database_histories_are_in_memory_and_nobody_waits(node, store, publish, caplog, monkeypatch):
    monkeypatch.setattr(module, "has_database", lambda: False)
    node.configure(options(replace(DURABLE, is_synced=True)))
    durable = DurableHistory(node)
    answers = []
    monkeypatch.setattr(node.router, "on_recorded", lambda record, *, is_stored: answers.append(is_stored))
    asyncio.run(durable.apply(CONFIGURATION, None))
    publish(1)
    assert in_memory(node) == [1]
    assert answers[-1:] == [False]
    assert "keeps its event histories in memory only, because this project has no database" in caplog.text
