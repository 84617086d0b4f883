"""A guard around project code: handlers, hooks, authenticators, authorizers, signal receivers, views.

Project code may raise anything. Most exceptions end the request that they belong to, but some do more:

- ``SystemExit`` and ``KeyboardInterrupt`` leave the event loop through any task, and end the process.
- ``StopIteration`` cannot be set on a future before Python 3.13: whoever waits for the future waits forever.
- ``GeneratorExit``, ``CancelledError`` and other exceptions that are not an ``Exception`` pass every ``except
Exception``.

Call project code with :func:`call_guarded` or :func:`run_guarded`. They turn all of these into a
:class:`ProjectCodeError`, which is an ordinary failure. :class:`~.worker_threads.WorkerThreads` does so for its jobs.
:func:`guard_loop` is the second line of defense: it protects our event loop from tasks that project code starts itself.
"""

import asyncio
import logging
import signal
import threading
from asyncio import AbstractEventLoop, CancelledError
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

logger = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Outcome = TypeVar("Outcome")


class ProjectCodeError(Exception):
    """An ordinary error raised in place of an exception that would stop more than one request, such as SystemExit.

    The original exception is the ``__cause__``.
    """


def contain(fault: BaseException) -> Exception:
    """Return an ordinary exception for ``fault``, which project code raised: the same one, or a ProjectCodeError.

    A real Ctrl-C is raised again: it is not an error of the interrupted code.
    """
    if isinstance(fault, Exception) and not isinstance(fault, StopIteration):
        return fault
    if isinstance(fault, KeyboardInterrupt) and _can_be_interrupted():
        raise fault
    contained = ProjectCodeError(f"project code raised {type(fault).__name__}: {fault}".removesuffix(": "))
    contained.__cause__ = fault
    return contained


def call_guarded(
    function: Callable[Arguments, Outcome], /, *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Outcome:
    """Call a function of the project. Raises only subclasses of Exception, and never StopIteration."""
    try:
        return function(*args, **kwargs)
    except StopIteration as fault:
        raise contain(fault) from fault
    except Exception:
        raise
    except BaseException as fault:
        raise contain(fault) from fault


async def run_guarded(work: Awaitable[Outcome]) -> Outcome:
    """Await a coroutine of the project. Raises only subclasses of Exception, or CancelledError if it is canceled."""
    try:
        return await work
    except Exception:
        raise
    except BaseException as fault:
        if _comes_from_outside(fault):
            raise
        raise contain(fault) from fault


def _comes_from_outside(fault: BaseException) -> bool:
    """Return whether a coroutine was really canceled or closed. Its own code can raise the same exceptions."""
    if isinstance(fault, CancelledError):
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0
    if isinstance(fault, GeneratorExit):
        # Python closes what a coroutine awaits first, and then raises in the coroutine itself.
        return fault.__traceback__ is None or fault.__traceback__.tb_next is None
    return False


def _can_be_interrupted() -> bool:
    """Return whether Ctrl-C raises KeyboardInterrupt in this thread: not if a server handles the signal itself."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


# --- loops -------------------------------------------------------------------------------------------------------

GUARDED_ATTRIBUTE: Final = "_wamp_transport_is_guarded"
"""An attribute that marks guarded loops."""


def guard_loop(loop: AbstractEventLoop, is_wanted: Callable[[], bool]) -> None:
    """Keep ``loop`` running whatever a task or callback raises, as long as ``is_wanted`` returns True.

    Project code can start its own tasks, and Django runs each request in one. In addition, code that runs in threads
    (with ``sync_to_async`` or ``asyncio.to_thread``) can raise StopIteration without blocking its caller forever.
    """
    if getattr(loop, GUARDED_ATTRIBUTE, False):
        return
    run_forever, run_in_executor = loop.run_forever, loop.run_in_executor

    def run_on() -> None:
        while True:
            try:
                return run_forever()
            except (SystemExit, KeyboardInterrupt) as fault:
                contained = contain(fault)
                # The loop is intact: asyncio has taken the callback that raised off its queue, and kept the others.
                logger.error("A task or callback failed, and the event loop goes on: %s", contained, exc_info=fault)
                if not is_wanted():  # the exception has made the loop forget that it was to stop
                    return None

    def run_guarded_in_executor(executor: Executor | None, function: Callable[..., Any], *args: Any) -> Any:
        return run_in_executor(executor, partial(_call_in_executor, function, *args))

    for name, value in (
        ("run_forever", run_on),
        ("run_in_executor", run_guarded_in_executor),
        (GUARDED_ATTRIBUTE, True),
    ):
        setattr(loop, name, value)


def _call_in_executor(function: Callable[..., Outcome], *args: Any) -> Outcome:
    try:
        return call_guarded(function, *args)
    except ProjectCodeError as fault:
        if isinstance(fault.__cause__, CancelledError):  # of a coroutine that the function waited for
            raise fault.__cause__ from None
        raise
