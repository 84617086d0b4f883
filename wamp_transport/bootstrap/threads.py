"""The worker threads of a node, for database jobs and for the project's functions."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.utils.module_loading import import_string

from ..config.configuration import Configuration
from ..project_code import call_guarded, run_guarded
from ..stores.connections import NoDatabase, has_database, with_clean_connections, with_kept_connections
from ..worker_threads import WorkersBusy, WorkersClosed, WorkerThreads

Result = TypeVar("Result")

DATABASE_THREADS: Final = 2
"""The number of database threads. Each keeps one connection to each database.

More threads would take time from the event loop without doing more work. With 8 threads, many simultaneous logins of
stored principals slowed down calls of other sessions from 2 to 50 ms, and the logins were not faster (``make
bench-logins``).
"""

MAX_QUEUED_DATABASE_JOBS: Final = 2_000
"""The maximum number of queued database jobs. Further jobs fail immediately."""

MAX_DATABASE_WAIT_SECONDS: Final = 10.0
"""The maximum time that a database job stays in the queue, for example while the database does not respond."""

MAX_QUEUED_LOGINS: Final = 200
"""The maximum number of logins that are queued for a thread. Further logins fail immediately."""

MAX_LOGIN_WAIT_SECONDS: Final = 5.0
"""The maximum time that a login stays in the queue.

It is shorter than the login timeout, so that the client receives the reason.
"""

FUNCTION_THREADS: Final = 8
"""The maximum number of the project's synchronous functions that run at the same time."""

MAX_QUEUED_FUNCTIONS: Final = 1_000
"""The maximum number of queued calls of functions. Further calls fail immediately."""

_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, WorkerThreads] = WeakKeyDictionary()
"""The database threads of each event loop."""


class DatabaseBusy(DatabaseError):
    """Raised if the database queue is full, or if a job has waited in the queue for too long."""


def with_database(work: Callable[[], Result]) -> Result:
    """Call ``work`` with this thread's database connections.

    Raises DatabaseError if a connection fails, and NoDatabase if the project has no database.
    """
    try:
        return with_kept_connections(work)
    except ImproperlyConfigured:
        if not has_database():
            raise NoDatabase from None
        raise
    except InterfaceError as error:  # some drivers raise it for a lost connection
        raise DatabaseError(*error.args) from error


async def in_thread(function: Callable[..., Result], *args: object, **kwargs: object) -> Result:
    """Call ``function`` in a worker thread with a database connection, and return its result.

    If the connection is lost, the function is called a second time. Raises the exceptions of the function,
    DatabaseError if the database fails, and DatabaseBusy if too many jobs are queued. If the interpreter exits, the
    calling task is canceled.
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
    except WorkersClosed as error:  # the interpreter exits, for example for a reload in development
        task = asyncio.current_task()
        if task is not None:
            task.cancel()  # otherwise the task would seem to have failed
            await asyncio.sleep(0)
        raise asyncio.CancelledError from error


async def wait_for_jobs(seconds: float) -> None:
    """Close the database threads of this event loop. Wait up to ``seconds`` for their jobs."""
    pool = _pools.pop(asyncio.get_running_loop(), None)
    if pool is not None:
        await pool.finish(seconds)


class Functions:
    """The project's authorizer functions, which the configuration names by dotted path.

    Coroutine functions run on the event loop. Other functions run in a separate thread pool.
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
        """Return the function at a dotted path. Call it in a thread, because it can import a module.

        Raises ImportError if nothing is found at the path, TypeError if the object is not a function, and any exception
        that the module raises.
        """
        function = self._found.get(path)
        if function is None:
            function = call_guarded(import_string, path)
            if not callable(function):
                raise TypeError(f"{path} is no function but {type(function).__name__}")
            self._found[path] = function
        return function

    async def run(self, path: str, *arguments: Any) -> Any:
        """Call the function at a dotted path and return its result.

        Raises WorkersBusy if too many calls are queued, and any exception of :meth:`find` or the function.
        """
        function = self._found.get(path)
        if function is None:
            function = await self._threads.run(self.find, path)
        if is_async(function):
            return await run_guarded(function(*arguments))
        outcome = await self._threads.run(function, *arguments)
        return await run_guarded(outcome) if inspect.isawaitable(outcome) else outcome

    def faults(self, configuration: Configuration) -> Iterator[str]:
        """Check the authorizer functions in a configuration. Yield a message for each one that cannot be used.

        Call this in a thread, because it can import modules.
        """
        for realm in configuration.realms:
            for role in realm.roles:
                path = role.authorizer_function
                try:
                    if path is not None:
                        self.find(path)
                except Exception as fault:  # noqa: BLE001 - the project's module can raise anything
                    yield (
                        f"The authorizer {path} of role {role.name} in realm {realm.name} cannot be used, so the role "
                        f"may do nothing: {type(fault).__name__}: {fault}"
                    )

    def close(self) -> None:
        """Stop accepting calls. Running calls continue."""
        self._threads.close()


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether calling the function returns a coroutine."""
    call = getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is a coroutine function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
