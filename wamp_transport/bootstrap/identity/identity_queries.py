"""Queries for identities. Queries that call hooks of the project run in their own threads.

A hook may be slow, for example if it fetches a key from another server. Then only logins wait, not other work with the
database.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeVar

from ...auth.principals import LoginDenied
from ...conf import app_settings
from ...stores.identity.hooks import running_hooks
from ...wamp import errors
from ...worker_threads import WorkersBusy, WorkerThreads
from ..threads import MAX_LOGIN_WAIT_SECONDS, MAX_QUEUED_LOGINS, in_thread, with_database

logger = logging.getLogger(__name__)

HOOK_THREADS: Final = 4
"""The number of queries with hooks that run at the same time. Each thread keeps a database connection."""

HOOK_SECONDS: Final = 8.0
"""The time limit for a query with hooks, including the wait for a thread.

It is less than the router's time limit for an authenticator, so that the slow hook can be named in the log.
"""

IDENTITIES_PER_QUERY: Final = 100
"""The number of identities per query if there are no hooks."""

Result = TypeVar("Result")


class Unanswered(LoginDenied):
    """The project's hooks did not return in time. The log names them."""

    def __init__(self) -> None:
        super().__init__(errors.UNAVAILABLE, "this login takes too long; try again later")


class IdentityQueries:
    """The queries of a node. ``seconds`` is the time limit if there are hooks."""

    def __init__(self, seconds: float = HOOK_SECONDS) -> None:
        self._seconds = seconds
        self._threads = WorkerThreads(
            "wamp-hook",
            HOOK_THREADS,
            max_queued=MAX_QUEUED_LOGINS,
            max_wait_seconds=MAX_LOGIN_WAIT_SECONDS,
            around=with_database,
        )

    @property
    def identities_per_query(self) -> int:
        """The number of identities per query: 1 with hooks, so that each has the full time limit."""
        return 1 if app_settings().hooks else IDENTITIES_PER_QUERY

    async def ask(self, function: Callable[..., Result], *args: object) -> Result:
        """Call ``function`` in a thread and return its result. Raises Unanswered and any exception of the function."""
        if not app_settings().hooks:
            return await in_thread(function, *args)
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                return await self._threads.run(function, *args)
        except WorkersBusy:
            pass
        except TimeoutError:
            if not limit.expired():
                raise  # the hook itself raised TimeoutError
        hooks = ", ".join(running_hooks()) or "none now"
        text = "Looking up a user or token timed out, and the login is denied: hooks are too slow (running: %s)"
        logger.error(text, hooks)
        raise Unanswered

    def close(self) -> None:
        """Stop the threads."""
        self._threads.close()
