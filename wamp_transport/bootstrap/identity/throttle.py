"""The login throttle. It counts failed logins by address, and by authid and method, in Django's cache.

Processes that share the cache share the counts. Failures of unknown authids are counted as well, so a lockout does not
reveal whether an authid exists.

Anybody can cause failures under somebody else's authid. Therefore, an address from which a login with an authid and a
method has succeeded is *trusted* for this authid and method. Only failures from the trusted address itself count
against it, so other clients can neither lock it out nor delay it.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any, Final

from django.core.cache import cache

from ...config.limits import Lockout
from ..threads import DatabaseBusy, in_thread

logger = logging.getLogger(__name__)

CACHE_KEY_PREFIX: Final = "wamp_transport.failed"
"""The prefix of all keys in the cache."""

TRUST_SECONDS: Final = 90 * 24 * 3600
"""The time in seconds for which an address stays trusted after a successful login."""

MAX_TRUSTED: Final = 10_000
"""The maximum number of trusted addresses that a process stores itself.

It does not rely on the cache alone, because a flood of failed logins can displace the cache's entries.
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to log in, with the properties by which failures are counted.

    ``address`` is None for a local socket.
    """

    limits: Lockout
    address: str | None
    method: str
    authid: str | None

    def trust_key(self) -> str | None:
        """Return the key that is in the cache while the address is trusted; None if the address cannot be trusted."""
        if self.address is None or self.authid is None or not self.limits.failures_per_authid:
            return None
        return _key("trusted", f"{self.method} {self.address} {self.authid}")

    def counters(self, *, is_trusted: bool) -> list[tuple[str, int]]:
        """Return the cache keys of the counters for a failure, each with its limit.

        The realm is not part of a key. A client can send any realm, and a principal need not be bound to a realm.
        """
        found = []
        if self.address is not None and self.limits.failures_per_address:
            found.append((_key("address", self.address), self.limits.failures_per_address))
        if self.authid is not None and self.limits.failures_per_authid:
            place = f"{self.address} " if is_trusted else ""
            found.append((_key("authid", f"{self.method} {place}{self.authid}"), self.limits.failures_per_authid))
        return found


class Throttle:
    """A counter of failed logins that decides when a client is locked out."""

    def __init__(self) -> None:
        self._is_failure_logged = False
        self._queues: dict[str, AttemptQueue] = {}
        self._trusted: dict[str, None] = {}
        """The keys of the addresses that most recently became trusted. Several threads use this dict, so each access
        must be a single, atomic operation.
        """

    async def seconds_to_wait(self, attempt: Attempt) -> int:
        """Return the number of seconds until the client may make this attempt; 0 if it is not locked out.

        Raises DatabaseBusy if too many database jobs are queued.
        """
        return int(await self._run(self._seconds_to_wait, attempt)) if attempt.limits.counts else 0

    async def count_failure(self, attempt: Attempt) -> None:
        """Count a failed login. Raises DatabaseBusy if too many database jobs are queued."""
        if attempt.limits.counts:
            await self._run(self._count_failure, attempt)

    async def trust(self, attempt: Attempt) -> None:
        """Record a successful login: from now on, its address is trusted for this authid and method.

        Raises DatabaseBusy if too many database jobs are queued.
        """
        key = attempt.trust_key()
        if key is None:
            return
        self._trusted.pop(key, None)
        self._trusted[key] = None
        if len(self._trusted) > MAX_TRUSTED:
            del self._trusted[next(iter(self._trusted))]
        await self._run(cache.set, key, 1, TRUST_SECONDS)

    @asynccontextmanager
    async def place_for(self, attempt: Attempt) -> AsyncIterator[None]:
        """Context manager for a login attempt: on entry, wait while too many attempts are running.

        For each counter in :meth:`Attempt.counters`, the number of running attempts is limited to the number of
        failures that the counter allows. Without this limit, an attacker could open many connections and try a secret
        on each of them before the first failure is counted.
        """
        counters = attempt.counters(is_trusted=False)
        if self._is_any_full(counters) and await self._run(self._is_trusted, attempt):
            counters = attempt.counters(is_trusted=True)
        async with AsyncExitStack() as stack:
            for key, limit in counters:
                queue = self._queues.setdefault(key, AttemptQueue(limit))
                stack.callback(self._leave, key, queue)
                queue.users += 1
                await stack.enter_async_context(queue.places)
            yield

    def _is_any_full(self, counters: list[tuple[str, int]]) -> bool:
        return any(key in self._queues and self._queues[key].places.locked() for key, _ in counters)

    def _leave(self, key: str, queue: "AttemptQueue") -> None:
        queue.users -= 1
        if not queue.users:
            del self._queues[key]

    def _is_trusted(self, attempt: Attempt) -> bool:
        key = attempt.trust_key()
        return key is not None and (key in self._trusted or key in cache)

    def _seconds_to_wait(self, attempt: Attempt) -> int:
        waits = _waits(attempt.counters(is_trusted=self._is_trusted(attempt)))
        return max(1, math.ceil(max(waits))) if waits else 0

    def _count_failure(self, attempt: Attempt) -> None:
        seconds = attempt.limits.period / 1000
        for key, _ in attempt.counters(is_trusted=self._is_trusted(attempt)):
            if cache.add(key, 1, seconds):
                cache.set(key + ".until", time.time() + seconds, seconds)
            else:
                try:
                    cache.incr(key)
                except ValueError:  # the key has just expired
                    cache.add(key, 1, seconds)

    async def _run(self, function: Any, *args: Any) -> int:
        """Call a function that uses the cache in a thread. Raises DatabaseBusy if too many database jobs are queued.

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
    """The queue of login attempts that share a counter.

    ``places`` is the number of attempts that can run at the same time. ``users`` is the number of attempts that are
    running or waiting.
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


def _key(kind: str, name: str) -> str:
    """Return the cache key for a name. Names are hashed, because clients choose them and caches restrict their keys."""
    return f"{CACHE_KEY_PREFIX}.{kind}.{sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _waits(counters: list[tuple[str, int]]) -> list[float]:
    """For each counter that has reached its limit, return the number of seconds until the counter is reset."""
    found = cache.get_many([name for key, _ in counters for name in (key, key + ".until")])
    now = time.time()
    return [found.get(key + ".until", now) - now for key, limit in counters if found.get(key, 0) >= limit]
