"""Asks a cookie store from the event loop: what waits for a disk or a network does so in threads, and not for ever."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from wamp_transport.stores.cookies.records import (
    CookieRecord,
    CookieStore,
    CookieStoreError,
    Login,
    digest_of,
    new_record,
)
from wamp_transport.worker_threads import WorkersBusy, WorkersClosed, WorkerThreads

ANSWER_SECONDS: Final = 5.0
"""How long a handshake waits for a store."""

LONGEST_QUEUE: Final = 1000
"""Calls that may wait for a store; further ones fail at once."""

Result = TypeVar("Result")


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


class CookieKeeper:
    """A store for asyncio. Every method may raise CookieStoreError, within ``patience`` seconds."""

    def __init__(
        self, store: CookieStore, *, patience: float = ANSWER_SECONDS, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._store = store
        self._patience = patience
        self._clock = clock
        self._pool = (
            WorkerThreads("wamp-cookies", store.threads, max_queued=LONGEST_QUEUE - store.threads)
            if store.threads
            else None
        )

    async def admit(self, name: str, length: int, max_age: int, values: list[str]) -> tuple[CookieRecord, str | None]:
        """The record of a client that sent cookies with these values; for one unknown a new one, and its value."""
        return await self._ask(self._admit, name, length, max_age, values)

    async def login(self, id: str, service: str) -> Login | None:
        """What the client with a public id logged in with on a service before."""
        record = await self._ask(self._store.get, id, self._clock())
        login = record.login if record is not None else None
        return login if login is not None and login.service == service else None

    async def remember(self, id: str, login: Login) -> bool:
        """Keep a login for the client with a public id."""
        return await self._ask(self._store.remember, id, login)

    async def forget(self, id: str) -> bool:
        """The client with a public id has logged out: its cookie counts no more."""
        return await self._ask(self._store.forget, id)

    async def purge(self) -> int:
        """Drop what has expired and what is too much."""
        return await self._ask(self._store.purge, self._clock())

    def close(self) -> None:
        """Nothing more is asked; what was asked is still done."""
        if self._pool is None:
            self._store.close()
        else:
            self._pool.close(last=self._store.close)

    def _admit(self, name: str, length: int, max_age: int, values: list[str]) -> tuple[CookieRecord, str | None]:
        now = self._clock()
        for value in values:
            record = self._store.find(digest_of(name, value), now)
            # A life that was made shorter since holds for older cookies too.
            if record is not None and (now - record.created).total_seconds() < max_age:
                return record, None
        record, value = new_record(name, length, now, max_age)
        self._store.add(record)
        return record, value

    async def _ask(self, function: Callable[..., Result], *args: object) -> Result:
        if self._pool is None:
            return function(*args)
        try:
            future = self._pool.submit(function, *args)
        except WorkersBusy as error:
            raise CookieStoreError(f"{LONGEST_QUEUE} requests wait for it already") from error
        except WorkersClosed as error:
            raise CookieStoreError("it is closed") from error
        try:
            # Not cancelled with the wait: what was begun has its effect, and counts until it is through.
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self._patience)
        except TimeoutError:
            raise CookieStoreError(f"no answer within {self._patience:g} seconds") from None
