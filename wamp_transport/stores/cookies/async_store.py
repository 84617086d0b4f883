"""Access to a cookie store from the event loop. Blocking stores run in threads with a timeout."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from wamp_transport.stores.cookies.records import (
    CookieLogin,
    CookieRecord,
    CookieStore,
    CookieStoreError,
    digest_of,
    new_record,
)
from wamp_transport.worker_threads import WorkersBusy, WorkersClosed, WorkerThreads

ANSWER_SECONDS: Final = 5.0
"""The maximum time for which a handshake waits for a store."""

MAX_QUEUED_REQUESTS: Final = 1000
"""The maximum number of calls to a store that are running or queued. Further calls fail immediately."""

Result = TypeVar("Result")


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class AsyncCookieStore:
    """A cookie store for asyncio.

    All coroutines raise CookieStoreError if the store fails, if too many calls wait for it, or if it does not return a
    result within ``patience`` seconds.
    """

    def __init__(
        self, store: CookieStore, *, patience: float = ANSWER_SECONDS, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._store = store
        self._patience = patience
        self._clock = clock
        self._pool = (
            WorkerThreads("wamp-cookies", store.threads, max_queued=MAX_QUEUED_REQUESTS - store.threads)
            if store.threads
            else None
        )

    async def admit(self, name: str, length: int, max_age: int, values: list[str]) -> tuple[CookieRecord, str | None]:
        """Return the record of a client, and the cookie value to send to the client if the record is new.

        ``values`` are the cookie values that the client sent. If one of them is valid, return its record and None.
        Otherwise, create a record for a cookie with this ``name``, ``length`` and ``max_age`` (in seconds).
        """
        return await self._ask(self._admit, name, length, max_age, values)

    async def login(self, id: str, service: str) -> CookieLogin | None:
        """Return the login that is stored for a client and a service; None if there is none.

        ``id`` is the client's public ID.
        """
        record = await self._ask(self._store.get, id, self._clock())
        login = record.login if record is not None else None
        return login if login is not None and login.service == service else None

    async def remember(self, id: str, login: CookieLogin) -> bool:
        """Store a login for the client with the public ID ``id``. Return False if there is no such client."""
        return await self._ask(self._store.remember, id, login)

    async def forget(self, id: str) -> bool:
        """Delete the record of a client that has logged out. Its cookie is then no longer valid.

        Return False if there is no such client.
        """
        return await self._ask(self._store.forget, id)

    async def purge(self) -> int:
        """Delete expired records, and others if there are too many. Return the number of deleted records."""
        return await self._ask(self._store.purge, self._clock())

    def close(self) -> None:
        """Close the store. If it uses threads, complete queued and running calls, and refuse further calls."""
        if self._pool is None:
            self._store.close()
        else:
            self._pool.close(last=self._store.close)

    def _admit(self, name: str, length: int, max_age: int, values: list[str]) -> tuple[CookieRecord, str | None]:
        now = self._clock()
        for value in values:
            record = self._store.find(digest_of(name, value), now)
            # If the lifetime has been shortened, the new one applies to existing cookies too.
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
            raise CookieStoreError(f"{MAX_QUEUED_REQUESTS} requests wait for it already") from error
        except WorkersClosed as error:
            raise CookieStoreError("it is closed") from error
        try:
            # Do not cancel the call when the wait is canceled: a started call takes effect, and it occupies a thread
            # until it ends.
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self._patience)
        except TimeoutError:
            raise CookieStoreError(f"no answer within {self._patience:g} seconds") from None
