"""The count of failed logins by address and by authid, in Django's cache. Processes that share the cache share it.

It does not reveal whether an authid exists: failures of unknown names count the same.
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

from ...config.limits import Lockout
from ..threads import DatabaseBusy, in_thread

logger = logging.getLogger(__name__)

PREFIX: Final = "wamp_transport.failed"


class Throttle:
    """The failed logins, and the lockouts that follow from them."""

    def __init__(self) -> None:
        self._is_troubled = False
        self._queues: dict[str, AttemptQueue] = {}

    async def wait_for(self, limits: Lockout, address: str | None, authid: str | None) -> int:
        """Return the seconds until this address may try to log in under this authid; 0 for no wait."""
        return int(await self._ask(_wait_for, list(_counted(limits, address, authid)))) if limits.counts else 0

    async def failed(self, limits: Lockout, address: str | None, authid: str | None) -> None:
        """Count a failed login."""
        if limits.counts:
            await self._ask(_failed, list(_counted(limits, address, authid)), limits.period / 1000)

    @asynccontextmanager
    async def attempt(self, limits: Lockout, address: str | None, authid: str | None) -> AsyncIterator[None]:
        """Limit the secrets that are checked at the same time to the number that may fail. Others wait until those are
        counted.

        Otherwise somebody with many connections could try one secret on each before the first failure is counted.
        """
        async with AsyncExitStack() as stack:
            for key, limit in _counted(limits, address, authid):
                queue = self._queues.setdefault(key, AttemptQueue(limit))
                stack.callback(self._leave, key, queue)
                queue.users += 1
                await stack.enter_async_context(queue.places)
            yield

    def _leave(self, key: str, queue: "AttemptQueue") -> None:
        queue.users -= 1
        if not queue.users:
            del self._queues[key]

    async def _ask(self, function: Any, *args: Any) -> int:
        """Run a function on the cache. If the cache fails, nothing is counted and nobody is locked out, which is
        logged. Raises DatabaseBusy.
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


class AttemptQueue:
    """The attempts that run or wait for one key of the cache. ``users`` counts both."""

    def __init__(self, places: int) -> None:
        self.places = asyncio.Semaphore(places)
        self.users = 0


def address_of(transport: dict[str, Any]) -> str | None:
    """Return the address of a peer as it is counted: for IPv6 the network of one customer; None for a local socket."""
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
    """Yield the keys in the cache under which a failure counts, each with its limit.

    The realm is not part of them: peers can send any realm, and a principal need not be bound to one.
    """
    if address is not None and limits.failures_per_address:
        yield _key("address", address), limits.failures_per_address
    if authid is not None and limits.failures_per_authid:
        yield _key("authid", authid), limits.failures_per_authid


def _key(kind: str, name: str) -> str:
    """Return the key in the cache. Names are hashed, since peers choose them and caches restrict their keys."""
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
            except ValueError:  # it expired in between
                cache.add(key, 1, seconds)
