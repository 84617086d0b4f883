"""The cookie stores of this process: one for each place that the configuration names, shared by its services."""

import asyncio
import logging
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Final

from ..config.configuration import Configuration, PathService
from ..config.cookie import Cookie
from ..config.cookie import CookieStore as StoreSection
from ..config.websocket import WebSocketSection
from ..stores.cookies.database import DatabaseCookies
from ..stores.cookies.file import FileCookies
from ..stores.cookies.keeper import CookieKeeper
from ..stores.cookies.memory import MemoryCookies
from ..stores.cookies.records import CookieStore, CookieStoreError
from ..transports.cookies import CookieTracker
from .plan import ConfigurationPart

logger = logging.getLogger(__name__)

PURGE_SECONDS: Final = 60.0
"""How often expired records are dropped."""


class CookieStores(ConfigurationPart):
    """Opens stores as services need them, purges them, and closes those that no service has any more.

    ``trackers`` are those of the services that have a cookie, by the service's key.
    """

    name = "cookies"

    def __init__(self) -> None:
        self._keepers: dict[Hashable, CookieKeeper] = {}
        self._prepared: dict[Hashable, CookieKeeper] = {}
        """Stores of a configuration that may still be refused: nobody uses them, so they open no file."""
        self.trackers: dict[str, CookieTracker] = {}
        self._fresh: list[CookieKeeper] = []
        self._troubled: set[Hashable] = set()

    def tracker(self, service: PathService, configuration: Configuration) -> CookieTracker | None:
        """Return what tracks the clients of a service, if its configuration has a cookie; :meth:`use` begins that."""
        cookie = _cookie(service)
        if cookie is None:
            return None
        place = _place(service, cookie, configuration)
        keeper = self._keepers.get(place) or self._prepared.get(place)
        if keeper is None:
            keeper = self._prepared[place] = CookieKeeper(_store(cookie, place))
            if cookie.store.purge_on_startup or cookie.store.type == "file":
                self._fresh.append(keeper)
        return CookieTracker(cookie, keeper, service.path)

    def use(self, trackers: Mapping[str, CookieTracker]) -> None:
        """From now on these are the trackers of the services. Close the stores that none of them has."""
        self.trackers = dict(trackers)
        used = [one.keeper for one in trackers.values()]
        known, self._keepers, self._prepared = {**self._keepers, **self._prepared}, {}, {}
        for place, keeper in known.items():
            if keeper in used:
                self._keepers[place] = keeper
            else:
                keeper.close()

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Open and purge the stores that are new."""
        for place, keeper in list(self._keepers.items()):
            if keeper in self._fresh:
                await self._purge(place, keeper)
                self._fresh.remove(keeper)
        self._fresh = [keeper for keeper in self._fresh if keeper in self._keepers.values()]

    async def run(self) -> None:
        """Purge regularly, until cancelled."""
        while True:
            await asyncio.sleep(PURGE_SECONDS)
            await self.purge()

    async def purge(self) -> None:
        """Drop what has expired from all stores."""
        for place, keeper in list(self._keepers.items()):
            await self._purge(place, keeper)

    async def _purge(self, place: Hashable, keeper: CookieKeeper) -> None:
        try:
            await keeper.purge()
        except CookieStoreError as error:
            if place not in self._troubled:
                logger.error("A cookie store fails: %s", error)
            self._troubled.add(place)
        else:
            self._troubled.discard(place)

    def close(self) -> None:
        """The process ends."""
        self.use({})


def _cookie(service: PathService) -> Cookie | None:
    return service.settings.cookie if isinstance(service.settings, WebSocketSection) else None


def _place(service: PathService, cookie: Cookie, configuration: Configuration) -> Hashable:
    """What tells stores apart: memory is a service's own, a file or the database is shared."""
    section: StoreSection = cookie.store
    if section.type == "memory":
        return "memory", service.key, section.max_cookies
    if section.type == "file":
        return "file", configuration.resolve(section.filename or "")
    return "database", section.max_cookies


def _store(cookie: Cookie, place: Hashable) -> CookieStore:
    section = cookie.store
    if section.type == "memory":
        return MemoryCookies(section.max_cookies)
    if section.type == "file":
        assert isinstance(place, tuple)  # noqa: S101 - as _place makes it
        path: Path = place[1]
        return FileCookies(path, section.max_cookies, cookie.name)
    return DatabaseCookies(section.max_cookies)
