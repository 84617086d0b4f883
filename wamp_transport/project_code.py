"""Protection against exceptions of project code: handlers, hooks, authenticators, authorizers, receivers and views.

Project code can raise any exception. Most exceptions end only the current request. Others do more harm:

- ``SystemExit`` and ``KeyboardInterrupt`` propagate out of any task, stop the event loop and end the process.
- ``StopIteration`` cannot be set on a future before Python 3.13, so a task that awaits the future waits forever.
- ``GeneratorExit``, ``CancelledError`` and other subclasses of ``BaseException`` are not caught by ``except
  Exception``.

Call project code with :func:`call_guarded` or :func:`run_guarded`. These functions convert such exceptions to a
:class:`ProjectCodeError`, which is an ordinary exception. :class:`~.worker_threads.WorkerThreads` does the same for its
jobs. In addition, :func:`guard_loop` protects an event loop from tasks that project code starts itself.
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
    """Raised in place of an exception from project code that would affect more than the current request.

    The original exception is the ``__cause__``.
    """


def contain(fault: BaseException) -> Exception:
    """Return an ordinary exception of project code unchanged; convert any other to a ProjectCodeError.

    A KeyboardInterrupt that was caused by Ctrl-C is raised again, because it is not an error of project code.
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
    """Call a function of the project.

    Raises only subclasses of Exception, and never StopIteration. The only other exception that can be raised is a
    KeyboardInterrupt that was caused by Ctrl-C.
    """
    try:
        return function(*args, **kwargs)
    except StopIteration as fault:
        raise contain(fault) from fault
    except Exception:
        raise
    except BaseException as fault:
        raise contain(fault) from fault


async def run_guarded(work: Awaitable[Outcome]) -> Outcome:
    """Await a coroutine of the project.

    Raises only subclasses of Exception, except if the coroutine is canceled or closed, or interrupted with Ctrl-C.
    """
    try:
        return await work
    except Exception:
        raise
    except BaseException as fault:
        if _comes_from_outside(fault):
            raise
        raise contain(fault) from fault


def _comes_from_outside(fault: BaseException) -> bool:
    """Return whether an exception means that a coroutine was canceled or closed from outside.

    Code inside the coroutine can also raise CancelledError or GeneratorExit itself. In this case, return False.
    """
    if isinstance(fault, CancelledError):
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0
    if isinstance(fault, GeneratorExit):
        # When Python closes a coroutine, it first closes the object that the coroutine awaits, and then raises the
        # exception in the coroutine itself: the traceback has only one entry.
        return fault.__traceback__ is None or fault.__traceback__.tb_next is None
    return False


def _can_be_interrupted() -> bool:
    """Return whether Ctrl-C raises KeyboardInterrupt in this thread.

    It does so only in the main thread, and only if no server has installed its own handler for SIGINT.
    """
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


# --- event loops -----------------------------------------------------------------------------------------------------

GUARDED_ATTRIBUTE: Final = "_wamp_transport_is_guarded"
"""The attribute that :func:`guard_loop` sets on a loop."""


def guard_loop(loop: AbstractEventLoop, is_wanted: Callable[[], bool]) -> None:
    """Keep ``loop`` running after a task or callback has raised SystemExit or KeyboardInterrupt.

    In this case, the loop ends only if ``is_wanted`` returns False, or if the KeyboardInterrupt was caused by Ctrl-C.
    This is necessary because project code can start tasks, and Django runs each request in a task. The loop also guards
    functions that project code runs in threads (with ``sync_to_async`` or ``asyncio.to_thread``), because a
    StopIteration in such a function would make the caller wait forever.
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
                # The loop can continue: asyncio has removed only the failed callback from its queue.
                logger.error("A task or callback failed; the event loop continues: %s", contained, exc_info=fault)
                if not is_wanted():  # the exception has cleared the flag that loop.stop() sets
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
        if isinstance(fault.__cause__, CancelledError):  # raised by a coroutine that the function awaited
            raise fault.__cause__ from None
        raise
