"""Functions that the configuration names by their dotted path, run so that they hold up nobody."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from django.utils.module_loading import import_string

from ..config.configuration import Configuration
from ..stores.connections import clean_connections

THREADS: Final = 8
"""Functions that are no coroutine functions and run at the same time; others wait for their turn."""


class Functions:
    """Finds functions and runs them: coroutine functions on the loop, others in threads of their own."""

    def __init__(self) -> None:
        self._found: dict[str, Callable[..., Any]] = {}
        self._threads = ThreadPoolExecutor(THREADS, "wamp-function")

    def find(self, path: str) -> Callable[..., Any]:
        """The function at a dotted path; it may import a module. Raises ImportError, and TypeError for other things."""
        function = self._found.get(path)
        if function is None:
            function = import_string(path)
            if not callable(function):
                raise TypeError(f"{path} is no function but {type(function).__name__}")
            self._found[path] = function
        return function

    async def run(self, path: str, *arguments: Any) -> Any:
        """What the function returns. Raises what it raises."""
        function = self._found.get(path) or await self._in_thread(partial(self.find, path))
        if is_async(function):
            return await function(*arguments)
        outcome = await self._in_thread(partial(function, *arguments))
        return await outcome if inspect.isawaitable(outcome) else outcome

    def faults(self, configuration: Configuration) -> Iterator[str]:
        """Which functions that a configuration names cannot be used, and why. It may import modules."""
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
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, with_clean_connections, work)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine at once."""
    call = getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is a coroutine function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def with_clean_connections(work: Callable[[], Any]) -> Any:
    """Run ``work`` as Django does a request: without database connections that are old or broken, before and after."""
    with clean_connections():
        return work()
