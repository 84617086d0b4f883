"""Looks identities up. Where hooks of the project have a say it is not in the threads of the database.

Who runs a hook may wait: for a key of somebody else's server, or for ever. Then logins are held up, and nothing else.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeVar

from ...auth.principals import LoginDenied
from ...conf import app_settings
from ...stores.identity.hooks import those_running
from ...wamp import errors
from ...worker_threads import WorkersBusy, WorkerThreads
from ..threads import LOGIN_PATIENCE, MAX_LOGINS, in_thread, with_database

logger = logging.getLogger(__name__)

HOOK_THREADS: Final = 4
"""Look-ups with hooks at the same time; each thread keeps a connection to the database, too."""

HOOK_SECONDS: Final = 8.0
"""How long such a look-up may take, with the wait for a thread: less than the router gives an authenticator, so that it
can be told what it was that did not answer."""

CHUNK: Final = 100
"""Identities that are looked up in one go where there are no hooks."""

Found = TypeVar("Found")


class Unanswered(LoginDenied):
    """The hooks of the project have not returned in time. This was logged."""

    def __init__(self) -> None:
        super().__init__(errors.UNAVAILABLE, "this login takes too long; try again later")


class Lookups:
    """What asks :mod:`...stores.identity.users`. ``seconds``: how long it may take where there are hooks."""

    def __init__(self, seconds: float = HOOK_SECONDS) -> None:
        self._seconds = seconds
        self._threads = WorkerThreads(
            "wamp-hook", HOOK_THREADS, max_queued=MAX_LOGINS, patience=LOGIN_PATIENCE, around=with_database
        )

    @property
    def at_a_time(self) -> int:
        """How many identities should be asked for at once, so that no hook takes the time of another."""
        return 1 if app_settings().hooks else CHUNK

    async def ask(self, function: Callable[..., Found], *args: object) -> Found:
        """What ``function`` returns, in a thread. Raises Unanswered, and what it raises."""
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
                raise  # the hook's own
        hooks = ", ".join(those_running()) or "none any more"
        text = "A user or token cannot be looked up, and a login with it is denied: hooks take too long (running: %s)"
        logger.error(text, hooks)
        raise Unanswered

    def close(self) -> None:
        """Nothing more is looked up."""
        self._threads.close()
