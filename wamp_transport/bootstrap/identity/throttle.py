"""Failed logins are counted by address and by authid, in Django's cache: where processes share it, for all of them.

Nothing tells whether an authid exists: failures of names that nobody has count the same.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any, Final

from django.core.cache import cache

from ...config.lockout import Lockout
from ..threads import DatabaseBusy, in_thread

logger = logging.getLogger(__name__)

PREFIX: Final = "wamp_transport.failed"


class Throttle:
    """Who has failed too often, and how long that holds."""

    def __init__(self) -> None:
        self._is_troubled = False
        self._turns: dict[str, Turns] = {}

    async def wait_for(self, limits: Lockout, address: str | None, authid: str | None) -> int:
        """Seconds until this address may try to log in under this authid; 0 for now."""
        return int(await self._ask(_wait_for, list(_counted(limits, address, authid)))) if limits.counts else 0

    async def failed(self, limits: Lockout, address: str | None, authid: str | None) -> None:
        """A login has failed."""
        if limits.counts:
            await self._ask(_failed, list(_counted(limits, address, authid)), limits.period / 1000)

    @asynccontextmanager
    async def turn(self, limits: Lockout, address: str | None, authid: str | None) -> AsyncIterator[None]:
        """A secret is checked within it. No more are at a time than may fail: the others wait until those are counted.

        Otherwise somebody with many connections could try one secret on each before the first failure is known.
        """
        async with AsyncExitStack() as stack:
            for key, limit in _counted(limits, address, authid):
                turns = self._turns.setdefault(key, Turns(limit))
                stack.callback(self._leave, key, turns)
                turns.users += 1
                await stack.enter_async_context(turns.places)
            yield

    def _leave(self, key: str, turns: "Turns") -> None:
        turns.users -= 1
        if not turns.users:
            del self._turns[key]

    async def _ask(self, function: Any, *args: Any) -> int:
        """Ask the cache. One that fails keeps nobody out: that is logged, and nothing is counted.

        Raises DatabaseBusy.
        """
        try:
            answer = await in_thread(function, *args)
        except DatabaseBusy:  # must not open the door: a flood of logins would then go uncounted
            raise
        except Exception:
            if not self._is_troubled:
                logger.exception("Failed logins are not counted: Django's cache does not answer")
            self._is_troubled = True
            return 0
        self._is_troubled = False
        return answer or 0


class Turns:
    """Who has a turn, and who waits for one: ``users`` are both."""

    def __init__(self, places: int) -> None:
        self.places = asyncio.Semaphore(places)
        self.users = 0


def address_of(transport: dict[str, Any]) -> str | None:
    """The address of a peer as it is counted: of IPv6 the network that one customer has; None for a local socket."""
    peer = str(transport.get("peer", ""))
    if not peer.startswith("tcp:"):
        return None
    text = peer[len("tcp:") :].rpartition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if address.version == 6 and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return text


def _counted(limits: Lockout, address: str | None, authid: str | None) -> Iterator[tuple[str, int]]:
    """The keys in the cache that a failure counts under, each with its limit.

    The realm is not among them: peers say what they like there, and a principal need not be bound to one.
    """
    if address is not None and limits.failures_per_address:
        yield _key("address", address), limits.failures_per_address
    if authid is not None and limits.failures_per_authid:
        yield _key("authid", authid), limits.failures_per_authid


def _key(kind: str, name: str) -> str:
    """Names are hashed: peers choose them, and caches limit their keys."""
    return f"{PREFIX}.{kind}.{sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _wait_for(counted: list[tuple[str, int]]) -> int:
    found = cache.get_many([name for key, _ in counted for name in (key, key + ".until")])
    now = time.time()
    waits = [found.get(key + ".until", now) - now for key, limit in counted if found.get(key, 0) >= limit]
    return max(1, math.ceil(max(waits))) if waits else 0


def _failed(counted: list[tuple[str, int]], seconds: float) -> None:
    for key, _ in counted:
        if cache.add(key, 1, seconds):
            cache.set(key + ".until", time.time() + seconds, seconds)
        else:
            try:
                cache.incr(key)
            except ValueError:  # it has ended in between
                cache.add(key, 1, seconds)
