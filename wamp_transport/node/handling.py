"""Runs the handlers of a session inside the process: functions at once, coroutines in a task each.

Whatever goes wrong in a handler is logged; a caller always gets an answer.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from msgspec import Struct

from ..project_code import contain, run_guarded
from ..wamp import errors
from ..wamp.errors import ApplicationError, PayloadError
from ..wamp.messages import CODES, Error, ErrorDetails, Message, Yield, YieldOptions
from ..wamp.messages import Invocation as InvocationMessage
from ..wamp.payload import ABSENT, positional
from .values import given

logger = logging.getLogger(__name__)

INVOCATION: Final = CODES[InvocationMessage]


class Result(Struct, frozen=True):
    """What a call has brought. ``details`` are those of RESULT; of a part of it they hold ``progress``."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}
    details: Mapping[str, Any] = {}

    @property
    def value(self) -> Any:
        """The first of ``args``; None where there is none."""
        return self.args[0] if self.args else None


class Event(Struct, frozen=True):
    """What a subscriber gets. ``details`` are those of EVENT."""

    topic: str
    args: list[Any]
    kwargs: dict[str, Any]
    details: dict[str, Any]


class Invocation(Struct, frozen=True):
    """What a procedure gets. ``details`` are those of INVOCATION; ``send`` is for :meth:`progress`."""

    id: int
    procedure: str
    args: list[Any]
    kwargs: dict[str, Any]
    details: dict[str, Any]
    send: Callable[[Message], Awaitable[None]]

    async def progress(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        """Send a part of the result, if the caller wants parts. Raises PayloadError, and SessionEnded."""
        if self.details.get("receive_progress"):
            await self.send(Yield(self.id, YieldOptions(progress=True), given(args), given(kwargs)))


EventHandler = Callable[[Event], object]
"""What it returns counts for nothing, but an awaitable is awaited, in a task of its own."""
Procedure = Callable[[Invocation], object]
"""What it returns, or the awaitable that it returns, is the result: a Result, or the only value of one."""


Work = asyncio.Future[Any]


class Handling:
    """The handlers of one session that run now. ``answer`` sends a message, ``shrunk`` is told when one has ended."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, answer: Callable[[Message], None], shrunk: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._answer = answer
        self._shrunk = shrunk
        self._tasks: set[Work] = set()
        self._invocations: dict[int, Work] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def handle_event(self, handler: EventHandler, event: Event) -> None:
        """Let a subscriber have an event."""
        try:
            outcome = handler(event)
        except BaseException as fault:  # noqa: BLE001 - one handler that fails must not harm the others
            report(event.topic, contain(fault))
        else:
            if inspect.isawaitable(outcome):
                self.start(outcome, partial(self._heard, event.topic))

    def handle_invocation(self, procedure: Procedure, invocation: Invocation) -> None:
        """Let a procedure carry out a call, and answer it."""
        try:
            outcome = procedure(invocation)
        except BaseException as fault:  # noqa: BLE001 - the caller is told
            self._fail(invocation, contain(fault))
        else:
            if inspect.isawaitable(outcome):
                self._invocations[invocation.id] = self.start(outcome, partial(self._carried_out, invocation))
            else:
                self._return(invocation, outcome)

    def interrupt(self, invocation_id: int) -> None:
        """The caller wants no answer any more."""
        task = self._invocations.get(invocation_id)
        if task is not None:
            task.cancel()

    def start(self, work: Awaitable[Any], done: Callable[[Work], None] | None = None) -> Work:
        """Run something until the session is over; ``done`` takes what comes of it, if anything can."""
        task = self._loop.create_task(run_guarded(work))
        self._tasks.add(task)
        if done is not None:
            task.add_done_callback(done)
        task.add_done_callback(partial(self._end, work))
        return task

    def stop(self) -> None:
        """The session is over: what runs is cancelled."""
        for task in list(self._tasks):
            task.cancel()

    def _end(self, work: Awaitable[Any], task: Work) -> None:
        self._tasks.discard(task)
        if inspect.iscoroutine(work):
            work.close()  # else Python warns of one that was canceled before it began
        self._shrunk()

    def _heard(self, topic: str, task: Work) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            report(topic, fault)

    def _carried_out(self, invocation: Invocation, task: Work) -> None:
        del self._invocations[invocation.id]
        if task.cancelled():
            self._fail(invocation, ApplicationError(errors.CANCELED, "the call was canceled"))
        elif (fault := task.exception()) is not None:
            self._fail(invocation, fault)
        else:
            self._return(invocation, task.result())

    def _return(self, invocation: Invocation, outcome: object) -> None:
        result = outcome if isinstance(outcome, Result) else Result([outcome])
        try:
            self._answer(Yield(invocation.id, YieldOptions(), given(result.args), given(result.kwargs)))
        except PayloadError as fault:
            self._fail(invocation, fault)

    def _fail(self, invocation: Invocation, fault: BaseException) -> None:
        """The caller learns what the handler meant to tell; of other faults the log alone knows more."""
        uri, args, kwargs = (
            errors.INTERNAL_ERROR,
            positional("the procedure failed: see the log of its process"),
            ABSENT,
        )
        if isinstance(fault, ApplicationError):
            try:
                uri, args, kwargs = fault.uri, given(fault.args), given(fault.kwargs)
            except PayloadError as second:
                report(invocation.procedure, second)
        else:
            if isinstance(fault, PayloadError):
                uri, args = fault.uri, positional(str(fault))
            report(invocation.procedure, fault)
        try:
            self._answer(Error(INVOCATION, invocation.id, ErrorDetails(), uri, args, kwargs))
        except PayloadError as second:
            report(invocation.procedure, second)
            self._answer(Error(INVOCATION, invocation.id, ErrorDetails(), uri))


def report(uri: str, fault: BaseException) -> None:
    """A handler has failed."""
    logger.error("The handler of %s failed", uri, exc_info=fault)
