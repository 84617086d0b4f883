"""Functions that run the work of a subcommand in a session.

The functions join a realm of the router, run the work, and leave the realm. Exceptions are converted to Failure.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from wamp_transport.management.client.failures import INTERRUPTED, UNREACHABLE, Failure, failure_of
from wamp_transport.management.client.targets import Target, target_of
from wamp_transport.node.remote import connect, printable_url
from wamp_transport.node.session import Session
from wamp_transport.wamp.errors import WampError

Outcome = TypeVar("Outcome")

LEAVE_SECONDS: Final = 3.0
"""The time limit for the reply to GOODBYE, in seconds."""
TERMINATED: Final = 143


class Interrupted(Failure):
    """Raised if the command was stopped with Ctrl-C or SIGTERM."""

    def __init__(self, returncode: int) -> None:
        super().__init__("", returncode)


def run_with_session(options: Mapping[str, Any], work: Callable[[Session], Awaitable[Outcome]]) -> Outcome:
    """Join the router that the options select, run ``work`` in the session, leave, and return the result.

    Raises Failure if the login or an operation of ``work`` fails, and Interrupted if the command is stopped. In both
    cases, the session is closed.
    """
    target = target_of(options)
    return run(lambda: run_in_session(target, work))


async def run_in_session(target: Target, work: Callable[[Session], Awaitable[Outcome]]) -> Outcome:
    """Join ``target``, run ``work`` in the session, leave, and return the result.

    Raises Failure if the login fails, or if ``work`` raises WampError. Other exceptions of ``work`` propagate.
    """
    session = await join(target)
    try:
        return await work(session)
    except WampError as fault:
        raise failure_of(fault) from None
    finally:
        await leave_quietly(session)


async def join(target: Target) -> Session:
    """Open a session on ``target``.

    Raises Failure if the router cannot be reached, refuses the login, or does not complete it in time.
    """
    try:
        async with asyncio.timeout(target.join_seconds):
            return await connect(target.url, target.realm, target.credential, target.connect_options)
    except WampError as fault:
        raise failure_of(fault, is_joining=True) from None
    except TimeoutError:
        waited = f"did not complete the login to realm {target.realm} within {target.join_seconds:g} seconds"
        hint = "See its log for the cause; --join-timeout sets a longer time"
        raise Failure(f"The router at {printable_url(target.url)} {waited}. {hint}", UNREACHABLE) from None


async def leave_quietly(session: Session) -> None:
    """Leave the session, waiting up to LEAVE_SECONDS for the router's reply. A missing reply is not an error."""
    with suppress(WampError, TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS):
            await session.leave()


async def run_until_session_closes(session: Session, work: Awaitable[Outcome]) -> Outcome:
    """Run ``work`` and return its result. If the session closes first, cancel ``work`` and raise SessionClosed."""
    working = asyncio.ensure_future(work)
    ending = asyncio.ensure_future(session.wait_ended())
    try:
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ending.result()
    finally:
        working.cancel()
        ending.cancel()


def run(main: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Run a coroutine and return its result. Ctrl-C and SIGTERM cancel the coroutine and raise Interrupted."""
    was_terminated = False

    async def watched() -> Outcome:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - we are inside a task

        def terminate() -> None:
            nonlocal was_terminated
            was_terminated = True
            task.cancel()

        with suppress(
            NotImplementedError, RuntimeError, ValueError
        ):  # unavailable on Windows and outside the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        try:
            return await main()
        finally:
            # Wait for the other tasks, such as those that close connections.
            rest = asyncio.all_tasks() - {task}
            if rest:
                await asyncio.wait(rest, timeout=LEAVE_SECONDS)
            await asyncio.sleep(0)

    try:
        return asyncio.run(watched())
    except KeyboardInterrupt:
        raise Interrupted(INTERRUPTED) from None
    except asyncio.CancelledError:
        if was_terminated:
            raise Interrupted(TERMINATED) from None
        raise
