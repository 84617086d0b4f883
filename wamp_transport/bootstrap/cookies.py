"""The cookie stores of this process: files, stores in memory, and stores in the database; see :func:`_place`."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..config.configuration import Configuration, PathService
from ..config.cookie import Cookie, CookieStoreSection
from ..config.websocket import WebSocketSection
from ..stores.connections import has_database
from ..stores.cookies.async_store import AsyncCookieStore
from ..stores.cookies.database import DatabaseCookies
from ..stores.cookies.file import FileCookies
from ..stores.cookies.memory import MemoryCookies
from ..stores.cookies.records import CookieStore, CookieStoreError
from ..transports.cookies import CookieTracker
from .plan import ConfigurationPart

logger = logging.getLogger(__name__)

PURGE_SECONDS: Final = 60.0
"""The interval between deletions of expired records."""


Place = tuple[Any, ...]


class CookieStores(ConfigurationPart):
    """The open cookie stores.

    A store is opened when the first service needs it, and closed when no service uses it. Expired records are deleted
    at intervals.

    ``trackers`` contains the cookie tracker of each service that has one, by the key of the service.
    """

    name = "cookies"

    def __init__(self) -> None:
        self._stores: dict[Place, AsyncCookieStore] = {}
        self._prepared: dict[Place, AsyncCookieStore] = {}
        """The new stores for a configuration that is being prepared and can still be refused.

        Their files are not open yet, because a store opens its file when it is first used.
        """
        self.trackers: dict[str, CookieTracker] = {}
        self._unpurged: list[AsyncCookieStore] = []
        self._failing: set[Place] = set()

    def tracker(self, service: PathService, configuration: Configuration) -> CookieTracker | None:
        """Build the cookie tracker of a service, to be passed to :meth:`use`.

        Return None if the service has no cookie.
        """
        cookie = _cookie(service)
        if cookie is None:
            return None
        place = _place(service, cookie, configuration)
        store = self._stores.get(place) or self._prepared.get(place)
        if store is None:
            if place[0] != cookie.store.type:
                logger.warning("%s keeps its cookies in memory, because this project has no database", service.path)
            store = self._prepared[place] = AsyncCookieStore(_store(cookie, place))
            if cookie.store.purge_on_startup or cookie.store.type == "file":
                self._unpurged.append(store)
        return CookieTracker(cookie, store, service.path)

    def use(self, trackers: Mapping[str, CookieTracker]) -> None:
        """Replace the trackers with ``trackers``, and close the stores that are no longer used."""
        self.trackers = dict(trackers)
        used = [one.store for one in trackers.values()]
        known, self._stores, self._prepared = {**self._stores, **self._prepared}, {}, {}
        for place, store in known.items():
            if store in used:
                self._stores[place] = store
            else:
                store.close()

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Delete the expired records of each new store that is a file or has the option ``purge_on_startup``.

        As a side effect, the files of new stores are opened.
        """
        for place, store in list(self._stores.items()):
            if store in self._unpurged:
                await self._purge(place, store)
                self._unpurged.remove(store)
        self._unpurged = [store for store in self._unpurged if store in self._stores.values()]

    async def run(self) -> None:
        """Delete expired records at intervals, until canceled."""
        while True:
            await asyncio.sleep(PURGE_SECONDS)
            await self.purge()

    async def purge(self) -> None:
        """Delete expired records from all stores."""
        for place, store in list(self._stores.items()):
            await self._purge(place, store)

    async def _purge(self, place: Place, store: AsyncCookieStore) -> None:
        try:
            await store.purge()
        except CookieStoreError as error:
            if place not in self._failing:
                logger.error("Purging a cookie store failed: %s", error)
            self._failing.add(place)
        else:
            self._failing.discard(place)

    def close(self) -> None:
        """Close all stores."""
        self.use({})


def _cookie(service: PathService) -> Cookie | None:
    return service.settings.cookie if isinstance(service.settings, WebSocketSection) else None


def _place(service: PathService, cookie: Cookie, configuration: Configuration) -> Place:
    """Return the key that identifies a service's store. It begins with the type of the store.

    Services share a store if they use the same file, or the database with the same limit. If the project has no
    database, a store in memory is used instead of the database.
    """
    section: CookieStoreSection = cookie.store
    if section.type == "memory" or (section.type == "database" and not has_database()):
        return "memory", service.key, section.max_cookies
    if section.type == "file":
        return "file", configuration.resolve(section.filename or "")
    return "database", section.max_cookies


def _store(cookie: Cookie, place: Place) -> CookieStore:
    section = cookie.store
    if place[0] == "memory":
        return MemoryCookies(section.max_cookies)
    if place[0] == "file":
        path: Path = place[1]
        return FileCookies(path, section.max_cookies, cookie.name)
    return DatabaseCookies(section.max_cookies)
