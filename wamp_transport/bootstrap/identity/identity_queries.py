"""Database queries for the identities of users and principals.

If the project has hooks, such as ``USER_ROLE``, the queries run in separate threads. A hook can be slow, for example if
it fetches a key from another server. The separate threads ensure that a slow hook delays only logins, and no other
database work.
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
"""The maximum number of queries that run at the same time if the project has hooks.

Each query runs in a thread, and each thread keeps a database connection open.
"""

HOOK_SECONDS: Final = 8.0
"""The time limit for each query if the project has hooks. It includes the wait for a thread.

It is shorter than the router's time limit for an authenticator, so that the log can name the slow hook.
"""

IDENTITIES_PER_QUERY: Final = 100
"""The maximum number of identities in one query if there are no hooks."""

Result = TypeVar("Result")


class Unanswered(LoginDenied):
    """Raised if a query is too slow because of the project's hooks. The names of the running hooks are logged."""

    def __init__(self) -> None:
        super().__init__(errors.UNAVAILABLE, "this login takes too long; try again later")


class IdentityQueries:
    """The identity queries of a node. ``seconds`` is the time limit for each query if the project has hooks."""

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
        """The maximum number of identities to look up with one call of :meth:`ask`.

        If the project has hooks, the maximum is 1, because the time limit of :meth:`ask` must suffice for all hook
        calls of a query.
        """
        return 1 if app_settings().hooks else IDENTITIES_PER_QUERY

    async def ask(self, function: Callable[..., Result], *args: object) -> Result:
        """Call ``function`` in a thread and return its result.

        Raises Unanswered if the project's hooks are too slow or too many queries are waiting for them. If there are no
        hooks, raises DatabaseBusy if too many jobs are queued. Also raises DatabaseError if the database fails, and the
        exceptions of the function. An exception such as SystemExit is raised as ProjectCodeError.
        """
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
        """Stop the threads of the hooks."""
        self._threads.close()
