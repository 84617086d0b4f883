"""Queries for identities. Those that run hooks of the project have threads of their own.

A hook may take any time, for example to fetch a key from another server. Then only logins wait, not other database
work.
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
"""Queries with hooks that run at the same time. Each thread keeps a database connection."""

HOOK_SECONDS: Final = 8.0
"""Time limit for such a query, including the wait for a thread. It is less than the router gives an authenticator, so
that the log can name the slow hook.
"""

IDENTITIES_PER_QUERY: Final = 100
"""Identities that are queried together if there are no hooks."""

Result = TypeVar("Result")


class Unanswered(LoginDenied):
    """The project's hooks did not return in time, which has been logged."""

    def __init__(self) -> None:
        super().__init__(errors.UNAVAILABLE, "this login takes too long; try again later")


class IdentityQueries:
    """Runs functions of :mod:`...stores.identity.users`. ``seconds`` is the time limit if there are hooks."""

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
        """Identities to query together: with hooks only one, so that none uses up the time of another."""
        return 1 if app_settings().hooks else IDENTITIES_PER_QUERY

    async def ask(self, function: Callable[..., Result], *args: object) -> Result:
        """Run ``function`` in a thread and return its result. Raises Unanswered, and what the function raises."""
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
                raise  # the hook itself raised it
        hooks = ", ".join(running_hooks()) or "none any more"
        text = "A user or token cannot be looked up, and a login with it is denied: hooks take too long (running: %s)"
        logger.error(text, hooks)
        raise Unanswered

    def close(self) -> None:
        """Stop the threads."""
        self._threads.close()
