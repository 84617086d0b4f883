"""The limit on failed logins. Failures are counted by address and by authid, in Django's cache.

Processes that share the cache share the counts. Failures of unknown authids are counted as well, so a lockout does not
reveal whether an authid exists.
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

CACHE_KEY_PREFIX: Final = "wamp_transport.failed"
"""The prefix of all keys in the cache."""


class Throttle:
    """A counter of failed logins that decides when a client is locked out."""

    def __init__(self) -> None:
        self._is_failure_logged = False
        self._queues: dict[str, AttemptQueue] = {}

    async def seconds_to_wait(self, limits: Lockout, address: str | None, authid: str | None) -> int:
        """Return the number of seconds before this address may try to log in with this authid; 0 if it may try now."""
        return (
            int(await self._run(_seconds_to_wait, list(_cache_keys(limits, address, authid)))) if limits.counts else 0
        )

    async def count_failure(self, limits: Lockout, address: str | None, authid: str | None) -> None:
        """Count a failed login."""
        if limits.counts:
            await self._run(_count_failure, list(_cache_keys(limits, address, authid)), limits.period / 1000)

    @asynccontextmanager
    async def attempt(self, limits: Lockout, address: str | None, authid: str | None) -> AsyncIterator[None]:
        """Wait until fewer attempts are running than failures are allowed. Then run the block, which is one attempt.

        Without this wait, an attacker could open many connections and try a secret on each of them before the first
        failure is counted.
        """
        async with AsyncExitStack() as stack:
            for key, limit in _cache_keys(limits, address, authid):
                queue = self._queues.setdefault(key, AttemptQueue(limit))
                stack.callback(self._leave, key, queue)
                queue.users += 1
                await stack.enter_async_context(queue.places)
            yield

    def _leave(self, key: str, queue: "AttemptQueue") -> None:
        queue.users -= 1
        if not queue.users:
            del self._queues[key]

    async def _run(self, function: Any, *args: Any) -> int:
        """Call a function that uses the cache, in a thread. Raises DatabaseBusy.

        A failure of the cache is logged. In this case, failed logins are not counted and no client is locked out.
        """
        try:
            answer = await in_thread(function, *args)
        except DatabaseBusy:
            # Do not ignore this as a failure of the cache: a flood of logins could then try secrets without being
            # counted.
            raise
        except Exception:
            if not self._is_failure_logged:
                logger.exception("Failed logins are not counted: Django's cache does not answer")
            self._is_failure_logged = True
            return 0
        self._is_failure_logged = False
        return answer or 0


class AttemptQueue:
    """The queue of login attempts for one cache key.

    ``places`` is the number of attempts that can run at the same time. ``users`` counts running and waiting attempts.
    """

    def __init__(self, places: int) -> None:
        self.places = asyncio.Semaphore(places)
        self.users = 0


def address_of(transport: dict[str, Any]) -> str | None:
    """Return the address under which a client is counted: the /64 network for IPv6, None for a local socket."""
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


def _cache_keys(limits: Lockout, address: str | None, authid: str | None) -> Iterator[tuple[str, int]]:
    """Yield the cache keys under which a failure is counted, each with its limit.

    The realm is not part of a key. A client can send any realm, and a principal need not be bound to a realm.
    """
    if address is not None and limits.failures_per_address:
        yield _key("address", address), limits.failures_per_address
    if authid is not None and limits.failures_per_authid:
        yield _key("authid", authid), limits.failures_per_authid


def _key(kind: str, name: str) -> str:
    """Return the cache key for a name. Names are hashed, because clients choose them and caches restrict their keys."""
    return f"{CACHE_KEY_PREFIX}.{kind}.{sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _seconds_to_wait(keys: list[tuple[str, int]]) -> int:
    found = cache.get_many([name for key, _ in keys for name in (key, key + ".until")])
    now = time.time()
    waits = [found.get(key + ".until", now) - now for key, limit in keys if found.get(key, 0) >= limit]
    return max(1, math.ceil(max(waits))) if waits else 0


def _count_failure(keys: list[tuple[str, int]], seconds: float) -> None:
    for key, _ in keys:
        if cache.add(key, 1, seconds):
            cache.set(key + ".until", time.time() + seconds, seconds)
        else:
            try:
                cache.incr(key)
            except ValueError:  # the key has just expired
                cache.add(key, 1, seconds)
