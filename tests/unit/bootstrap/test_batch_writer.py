"""Batches: in order, bounded by number and bytes, tried again, and never silent about what is lost."""

import asyncio
import logging

import pytest
from django.db import DatabaseError

from wamp_transport.bootstrap import log_limiter
from wamp_transport.bootstrap.batch_writer import BatchWriter

SECONDS = 10


class Store:
    """Where batches go. ``fault`` is raised instead; ``may_go_on`` holds a write up."""

    def __init__(self):
        self.batches = []
        self.fault = None
        self.has_begun = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def write(self, batch):
        self.has_begun.set()
        await self.may_go_on.wait()
        if self.fault is not None:
            raise self.fault
        self.batches.append(batch)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def make(store):
    def make(**options):
        return BatchWriter("things", store.write, **{"max_items": 5, "max_bytes": 100, "max_batch": 2, **options})

    return make


@pytest.fixture
def clock(monkeypatch):
    times = [1000.0]
    monkeypatch.setattr(log_limiter, "monotonic", lambda: times[0])
    return times


def put(writer, *items):
    return [writer.put(item) for item in items]


def texts(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_items_are_written_in_batches_in_order(make, store):
    async def scenario():
        writer = make()
        await writer.flush()
        assert put(writer, 1, 2, 3) == [True] * 3
        assert store.batches == []
        assert len(writer) == 3
        await writer.flush()
        assert store.batches == [[1, 2], [3]]
        assert len(writer) == 0

    asyncio.run(scenario())


def test_eager_writer_writes_by_itself(make, store):
    async def scenario():
        writer = make(is_eager=True)
        put(writer, 1)
        await store.has_begun.wait()
        put(writer, 2)
        await writer.flush()
        assert store.batches == [[1], [2]]

    asyncio.run(scenario())


def test_what_comes_meanwhile_is_written_as_well(make, store):
    async def scenario():
        writer = make()
        store.may_go_on.clear()
        put(writer, 1)
        flush = asyncio.ensure_future(writer.flush())
        await store.has_begun.wait()
        put(writer, 2)
        store.may_go_on.set()
        await flush
        assert store.batches == [[1], [2]]

    asyncio.run(scenario())


@pytest.mark.expects_errors("are queued already, and they are not written fast enough")
def test_too_many_items_or_bytes_are_dropped_and_counted(make, store, clock, caplog):
    async def scenario():
        writer = make()
        assert writer.put("large", 60)
        assert not writer.put("too large", 60)
        assert writer.put("small", 40)
        assert put(writer, 3, 4, 5, 6, 7) == [True, True, True, False, False]
        assert writer.dropped == 3
        assert texts(caplog) == ["1 things are lost: 1 are queued already, and they are not written fast enough"]
        clock[0] += log_limiter.LOG_INTERVAL_SECONDS
        await writer.flush()
        assert texts(caplog)[1:] == ["2 things are lost: 0 are queued already, and they are not written fast enough"]
        assert writer.put("large", 100)
        await writer.close(SECONDS)

    asyncio.run(scenario())
    assert [item for batch in store.batches for item in batch] == ["large", "small", 3, 4, 5, "large"]


@pytest.mark.expects_errors(
    "Writing 2 things failed, and is retried: away",
    "1 things are lost: 5 are queued already, and they are not written fast enough",
)
def test_what_the_database_does_not_take_is_tried_again_in_order(make, store, clock, caplog):
    async def scenario():
        writer = make()
        store.fault = DatabaseError("away")
        put(writer, 1, 2, 3)
        for _ in range(2):
            await writer.flush()
        assert texts(caplog) == ["Writing 2 things failed, and is retried: away"]
        clock[0] += log_limiter.LOG_INTERVAL_SECONDS
        await writer.flush()
        assert len(texts(caplog)) == 2
        # An odd number of failures: a batch put back in reverse an even number of times would be in order again.
        assert put(writer, 4, 5, 6) == [True, True, False]
        store.fault = None
        await writer.flush()
        assert store.batches == [[1, 2], [3, 4], [5]]

    asyncio.run(scenario())


@pytest.mark.expects_errors("2 things are lost: they cannot be written")
def test_what_cannot_be_written_at_all_is_dropped_and_the_rest_goes_on(make, store, caplog):
    async def scenario():
        writer = make()
        store.fault = LookupError("bug")
        put(writer, 1, 2)
        await writer.flush()
        store.fault = None
        put(writer, 3)
        await writer.flush()
        assert store.batches == [[3]]
        assert writer.dropped == 2

    asyncio.run(scenario())
    assert "2 things are lost: they cannot be written" in caplog.text


def test_batch_is_not_lost_when_nobody_waits_any_more(make, store):
    async def scenario():
        writer = make()
        store.may_go_on.clear()
        put(writer, 1)
        flush = asyncio.ensure_future(writer.flush())
        await store.has_begun.wait()
        flush.cancel()
        asyncio.get_running_loop().call_soon(store.may_go_on.set)
        await writer.close(SECONDS)
        assert store.batches == [[1]]

    asyncio.run(scenario())


LOST = pytest.mark.expects_errors("The process ends: 2 things are lost")


@pytest.mark.parametrize("hangs", [False, pytest.param(True, marks=LOST)])
def test_end_writes_what_waits_within_its_time_and_says_what_is_lost(make, store, caplog, hangs):
    async def scenario():
        writer = make(max_batch=1)
        put(writer, 1, 2, 3)
        if hangs:
            store.may_go_on.clear()
        await writer.close(0.01 if hangs else SECONDS)
        assert put(writer, 4) == [False]
        assert store.batches == ([] if hangs else [[1], [2], [3]])
        assert writer.dropped == (3 if hangs else 1)

    asyncio.run(scenario())
    assert texts(caplog) == (["The process ends: 2 things are lost"] if hangs else [])
