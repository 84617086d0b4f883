"""Work of a node in threads beside its event loop: what waits for the database, and functions of the project."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError
from django.utils.module_loading import import_string

from ..config.configuration import Configuration
from ..project_code import call_guarded, run_guarded
from ..stores.connections import with_clean_connections, with_kept_connections
from ..worker_threads import WorkersBusy, WorkersClosed, WorkerThreads

Result = TypeVar("Result")

DATABASE_THREADS: Final = 2
"""Jobs for the database at the same time; others wait. It is also how many connections a node keeps to each database.

More would take the interpreter from the event loop, not get more done: with 8 a storm of logins by principals of the
database made other sessions' calls take 50 ms instead of 2, at the same number of logins (``make bench-logins``).
"""

MAX_QUEUED_DATABASE_JOBS: Final = 2_000
"""Jobs that may wait for the database; further ones fail immediately."""

MAX_DATABASE_WAIT_SECONDS: Final = 10.0
"""Seconds that a job may wait for a thread while the database does not answer those before it."""

MAX_QUEUED_LOGINS: Final = 200
"""Logins that may wait for a thread; further ones fail immediately."""

MAX_LOGIN_WAIT_SECONDS: Final = 5.0
"""Seconds that a login may wait for a thread: less than all of it may take, so that the client learns why it fails."""

FUNCTION_THREADS: Final = 8
"""Functions of the project that are no coroutine functions and run at the same time; others wait for their turn."""

MAX_QUEUED_FUNCTIONS: Final = 1_000
"""Calls of such functions that may wait for a thread; further ones fail immediately."""

_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, WorkerThreads] = WeakKeyDictionary()
"""The threads of each event loop; they end with it."""


class DatabaseBusy(DatabaseError):
    """Too much waits for the database already."""


def with_database(work: Callable[[], Result]) -> Result:
    """Do ``work`` with the connections that this thread keeps. Raises DatabaseError for all trouble with them."""
    try:
        return with_kept_connections(work)
    except InterfaceError as error:  # what some drivers raise for a lost connection
        raise DatabaseError(*error.args) from error


async def in_thread(function: Callable[..., Result], *args: object, **kwargs: object) -> Result:
    """Call ``function`` in a worker thread that keeps its database connection, and return what it returns.

    If the connection breaks the function is called once more. Raises what the function raises; DatabaseError for all
    trouble with the database, DatabaseBusy among it. Once the interpreter ends, the calling task is canceled.
    """
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = WorkerThreads(
            "wamp-node",
            DATABASE_THREADS,
            max_queued=MAX_QUEUED_DATABASE_JOBS,
            max_wait_seconds=MAX_DATABASE_WAIT_SECONDS,
            around=with_database,
        )
    try:
        return await pool.run(lambda: function(*args, **kwargs))
    except WorkersBusy as error:
        raise DatabaseBusy(*error.args) from error
    except WorkersClosed as error:  # the interpreter ends, as it does for a reload in development
        task = asyncio.current_task()
        if task is not None:
            task.cancel()  # a task that nobody canceled would be taken for one that failed
            await asyncio.sleep(0)
        raise asyncio.CancelledError from error


async def wait_for_jobs(seconds: float) -> None:
    """Wait up to ``seconds`` for what runs in the threads of this loop. It goes on when its task is canceled."""
    pool = _pools.pop(asyncio.get_running_loop(), None)
    if pool is not None:
        await pool.finish(seconds)


class Functions:
    """Functions that the configuration names by their dotted path.

    Coroutine functions run on the event loop, others in threads of their own.
    """

    def __init__(self) -> None:
        self._found: dict[str, Callable[..., Any]] = {}
        self._threads = WorkerThreads(
            "wamp-function",
            FUNCTION_THREADS,
            max_queued=MAX_QUEUED_FUNCTIONS,
            max_wait_seconds=MAX_LOGIN_WAIT_SECONDS,
            around=with_clean_connections,
        )

    def find(self, path: str) -> Callable[..., Any]:
        """Return the function at a dotted path; this can import its module.

        Raises ImportError, TypeError for other things than functions, and what the module raises.
        """
        function = self._found.get(path)
        if function is None:
            function = call_guarded(import_string, path)
            if not callable(function):
                raise TypeError(f"{path} is no function but {type(function).__name__}")
            self._found[path] = function
        return function

    async def run(self, path: str, *arguments: Any) -> Any:
        """Call a function and return what it returns. Raises what it raises, and WorkersBusy."""
        function = self._found.get(path)
        if function is None:
            function = await self._threads.run(self.find, path)
        if is_async(function):
            return await run_guarded(function(*arguments))
        outcome = await self._threads.run(function, *arguments)
        return await run_guarded(outcome) if inspect.isawaitable(outcome) else outcome

    def faults(self, configuration: Configuration) -> Iterator[str]:
        """Yield a sentence for each function of a configuration that cannot be used. This can import modules."""
        for realm in configuration.realms:
            for role in realm.roles:
                path = role.authorizer_function
                try:
                    if path is not None:
                        self.find(path)
                except Exception as fault:  # noqa: BLE001 - the module of a user may raise anything
                    yield (
                        f"The authorizer {path} of role {role.name} in realm {realm.name} cannot be used, so the role "
                        f"may do nothing: {type(fault).__name__}: {fault}"
                    )

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether a call of the function returns a coroutine."""
    call = getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is a coroutine function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
