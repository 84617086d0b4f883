"""Runs what a subcommand does in a session: joins, works, says goodbye, and makes failures of what goes wrong."""

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
"""How long the router may take to answer GOODBYE."""
TERMINATED: Final = 143


class Interrupted(Failure):
    """Somebody has ended the command: by Ctrl-C, or by SIGTERM."""

    def __init__(self, returncode: int) -> None:
        super().__init__("", returncode)


def speak(options: Mapping[str, Any], work: Callable[[Session], Awaitable[Outcome]]) -> Outcome:
    """What ``work`` returns, which is given a session at the router that the arguments mean.

    Raises Failure; Interrupted where it was ended from outside. The session has said goodbye by then.
    """
    target = target_of(options)
    return run(lambda: spoken(target, work))


async def spoken(target: Target, work: Callable[[Session], Awaitable[Outcome]]) -> Outcome:
    """What ``work`` returns, which is given a session at ``target``. Raises Failure."""
    session = await joined(target)
    try:
        return await work(session)
    except WampError as fault:
        raise failure_of(fault) from None
    finally:
        await parted(session)


async def joined(target: Target) -> Session:
    """A session. Raises Failure."""
    try:
        async with asyncio.timeout(target.join_seconds):
            return await connect(target.url, target.realm, target.credential, target.way)
    except WampError as fault:
        raise failure_of(fault, is_joining=True) from None
    except TimeoutError:
        waited = f"has not let you join the realm {target.realm} within {target.join_seconds:g} seconds"
        hint = "Its log may say what the login waits for; --join-timeout waits longer"
        raise Failure(f"The router at {printable_url(target.url)} {waited}. {hint}", UNREACHABLE) from None


async def parted(session: Session) -> None:
    """Say goodbye; a router that does not answer is not waited for long."""
    with suppress(WampError, TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS):
            await session.leave()


async def unless_ended(session: Session, work: Awaitable[Outcome]) -> Outcome:
    """What comes of ``work``. Raises SessionClosed as soon as the session is over."""
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
    """Run a coroutine to its end. Ctrl-C and SIGTERM cancel it and then raise Interrupted."""
    was_terminated = False

    async def watched() -> Outcome:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is this one

        def terminate() -> None:
            nonlocal was_terminated
            was_terminated = True
            task.cancel()

        with suppress(NotImplementedError, RuntimeError, ValueError):  # not on Windows, not outside the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        try:
            return await main()
        finally:
            # Sockets are being closed: what their transports still do must not be cut off.
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
