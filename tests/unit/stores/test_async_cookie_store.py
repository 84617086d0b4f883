"""Cookie records of clients, and a store asked from the event loop: in time, and never too much of it."""

import asyncio
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wamp_transport.stores.cookies import async_store
from wamp_transport.stores.cookies.async_store import AsyncCookieStore
from wamp_transport.stores.cookies.memory import MemoryCookies
from wamp_transport.stores.cookies.records import CookieLogin, CookieStoreError, digest_of, new_record

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOGIN = CookieLogin("tcp:8080/ws", "realm1", "joe", "user", "ticket", "static")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class SlowCookies(MemoryCookies):
    """A store that waits until it is let go; one call at a time."""

    threads = 1

    def __init__(self) -> None:
        super().__init__(10)
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.fault: Exception | None = None

    def find(self, digest: str, now: datetime) -> Any:
        self.begun.set()
        assert self.gate.wait(10)
        if self.fault is not None:
            raise self.fault
        return super().find(digest, now)


@pytest.mark.parametrize("length", [6, 7, 22, 24, 64])
def test_value_is_of_its_length_and_never_the_same(length: int) -> None:
    values = {new_record("cbtid", length, NOW, 60)[1] for _ in range(1000)}
    assert len(values) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", value) and len(value) == length for value in values)


def test_record_holds_the_hash_of_name_and_value_and_an_id_of_its_own() -> None:
    record, value = new_record("cbtid", 24, NOW, 60)
    assert value not in repr(record)
    assert record.digest == digest_of("cbtid", value) != digest_of("other", value)
    assert record.id not in record.digest
    assert record.expires == NOW + timedelta(seconds=60)


def test_new_client_gets_a_value_that_is_known_from_then_on() -> None:
    async def scenario() -> None:
        cookies = AsyncCookieStore(MemoryCookies(10), clock=Clock())
        record, value = await cookies.admit("cbtid", 24, 60, [])
        assert value is not None
        assert await cookies.admit("cbtid", 24, 60, ["x" * 24, value]) == (record, None)
        other, another = await cookies.admit("other", 24, 60, [value])
        assert other != record
        assert another not in (None, value)

    asyncio.run(scenario())


def test_expired_cookie_is_replaced_though_the_browser_still_sends_it() -> None:
    async def scenario() -> None:
        clock = Clock()
        cookies = AsyncCookieStore(MemoryCookies(10), clock=clock)
        first, value = await cookies.admit("cbtid", 24, 60, [])
        assert value is not None
        clock.now += timedelta(seconds=59)
        assert await cookies.admit("cbtid", 24, 60, [value]) == (first, None)
        assert (await cookies.admit("cbtid", 24, 59, [value]))[0] != first  # configured to be shorter meanwhile
        clock.now += timedelta(seconds=1)
        assert (await cookies.admit("cbtid", 24, 60, [value]))[0] != first

    asyncio.run(scenario())


def test_login_counts_on_its_own_service_until_it_is_forgotten() -> None:
    async def scenario() -> None:
        clock = Clock()
        cookies = AsyncCookieStore(MemoryCookies(10), clock=clock)
        record, value = await cookies.admit("cbtid", 24, 60, [])
        assert value is not None
        assert await cookies.login(record.id, LOGIN.service) is None
        assert await cookies.remember(record.id, LOGIN)
        assert await cookies.login(record.id, LOGIN.service) == LOGIN
        assert await cookies.login(record.id, "tcp:8080/other") is None
        assert await cookies.login("nobody", LOGIN.service) is None
        clock.now += timedelta(seconds=60)
        assert await cookies.login(record.id, LOGIN.service) is None
        clock.now = NOW
        assert await cookies.forget(record.id)
        assert not await cookies.forget(record.id)
        assert await cookies.login(record.id, LOGIN.service) is None
        assert (await cookies.admit("cbtid", 24, 60, [value]))[0] != record

    asyncio.run(scenario())


def test_purge_drops_what_has_expired() -> None:
    async def scenario() -> None:
        clock = Clock()
        store = MemoryCookies(10)
        cookies = AsyncCookieStore(store, clock=clock)
        await cookies.admit("cbtid", 24, 60, [])
        assert await cookies.purge() == 0
        clock.now += timedelta(seconds=60)
        assert await cookies.purge() == 1
        assert len(store) == 0
        cookies.close()

    asyncio.run(scenario())


def test_store_that_waits_does_not_hold_up_the_loop_and_fails_in_time() -> None:
    async def scenario() -> None:
        store = SlowCookies()
        cookies = AsyncCookieStore(store, patience=0.05)
        with pytest.raises(CookieStoreError, match="no answer within"):
            await cookies.admit("cbtid", 24, 60, ["x" * 24])
        cookies.close()
        store.gate.set()
        patient = AsyncCookieStore(store)
        assert (await patient.admit("cbtid", 24, 60, ["x" * 24]))[1] is not None
        patient.close()

    asyncio.run(scenario())


def test_no_more_than_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_store, "MAX_QUEUED_REQUESTS", 3)

    async def scenario() -> None:
        store = SlowCookies()
        cookies = AsyncCookieStore(store)
        waiting = [asyncio.ensure_future(cookies.admit("cbtid", 24, 60, ["x" * 24])) for _ in range(3)]
        assert await asyncio.to_thread(store.begun.wait, 10)
        with pytest.raises(CookieStoreError, match="3 requests wait"):
            await cookies.admit("cbtid", 24, 60, [])
        store.gate.set()
        assert len({record.id for record, _ in await asyncio.gather(*waiting)}) == 3
        await cookies.admit("cbtid", 24, 60, [])
        cookies.close()

    asyncio.run(scenario())


def test_error_of_a_store_reaches_the_caller_and_the_next_call_works() -> None:
    async def scenario() -> None:
        store = SlowCookies()
        store.gate.set()
        cookies = AsyncCookieStore(store)
        store.fault = CookieStoreError("disk gone")
        with pytest.raises(CookieStoreError, match="disk gone"):
            await cookies.admit("cbtid", 24, 60, ["x" * 24])
        store.fault = None
        await cookies.admit("cbtid", 24, 60, ["x" * 24])
        cookies.close()
        with pytest.raises(CookieStoreError, match="closed"):
            await cookies.admit("cbtid", 24, 60, [])

    asyncio.run(scenario())
