"""Run the handlers of a client session: functions immediately, coroutines in separate tasks.

Exceptions of handlers are logged. If a procedure fails, the caller gets an ERROR.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from ..project_code import contain, run_guarded
from ..wamp import errors, messages
from ..wamp.errors import ApplicationError, PayloadError
from ..wamp.payload import ABSENT, positional
from .client_types import Event, EventHandler, Invocation, Procedure, Result
from .payload_values import to_payload

logger = logging.getLogger(__name__)

INVOCATION: Final = messages.CODES[messages.Invocation]


Work = asyncio.Future[Any]
"""The task of a handler."""


class HandlerRunner:
    """The running handlers of a session.

    ``answer`` is a function that sends a message to the router. ``on_done`` is called when a task ends.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, answer: Callable[[messages.Message], None], on_done: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._answer = answer
        self._on_done = on_done
        self._tasks: set[Work] = set()
        self._invocations: dict[int, Work] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def handle_event(self, handler: EventHandler, event: Event) -> None:
        """Call the handler of a subscription with an event."""
        try:
            outcome = handler(event)
        except BaseException as fault:  # noqa: BLE001 - a failing handler must not affect the others
            report(event.topic, contain(fault))
        else:
            if inspect.isawaitable(outcome):
                self.start(outcome, partial(self._on_event_handled, event.topic))

    def handle_invocation(self, procedure: Procedure, invocation: Invocation) -> None:
        """Call a procedure, and send its result or an ERROR."""
        try:
            outcome = procedure(invocation)
        except BaseException as fault:  # noqa: BLE001 - the caller gets an ERROR
            self._fail(invocation, contain(fault))
        else:
            if inspect.isawaitable(outcome):
                self._invocations[invocation.id] = self.start(outcome, partial(self._on_invocation_handled, invocation))
            else:
                self._return(invocation, outcome)

    def interrupt(self, invocation_id: int) -> None:
        """Cancel the handler of a call, because the caller has canceled it."""
        task = self._invocations.get(invocation_id)
        if task is not None:
            task.cancel()

    def start(self, work: Awaitable[Any], done: Callable[[Work], None] | None = None) -> Work:
        """Run ``work`` in a task that is canceled when the session ends. ``done`` is called with the finished task."""
        task = self._loop.create_task(run_guarded(work))
        self._tasks.add(task)
        if done is not None:
            task.add_done_callback(done)
        task.add_done_callback(partial(self._end, work))
        return task

    def stop(self) -> None:
        """Cancel all running handlers, because the session has ended."""
        for task in list(self._tasks):
            task.cancel()

    def _end(self, work: Awaitable[Any], task: Work) -> None:
        self._tasks.discard(task)
        if inspect.iscoroutine(work):
            work.close()  # otherwise Python warns that a coroutine canceled before its first step was never awaited
        self._on_done()

    def _on_event_handled(self, topic: str, task: Work) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            report(topic, fault)

    def _on_invocation_handled(self, invocation: Invocation, task: Work) -> None:
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
            self._answer(
                messages.Yield(
                    invocation.id, messages.YieldOptions(), to_payload(result.args), to_payload(result.kwargs, "kwargs")
                )
            )
        except PayloadError as fault:
            self._fail(invocation, fault)

    def _fail(self, invocation: Invocation, fault: BaseException) -> None:
        """Answer a call with an ERROR.

        An ApplicationError is sent unchanged. For a PayloadError, its URI and text are sent. For any other exception,
        and for an ApplicationError whose payload cannot be sent, a general error is sent. Every exception is logged,
        except an ApplicationError that can be sent.
        """
        uri, args, kwargs = (
            errors.INTERNAL_ERROR,
            positional("the procedure failed: see the log of its process"),
            ABSENT,
        )
        if isinstance(fault, ApplicationError):
            try:
                uri, args, kwargs = fault.uri, to_payload(fault.args), to_payload(fault.kwargs, "kwargs")
            except PayloadError as second:
                report(invocation.procedure, second)
        else:
            if isinstance(fault, PayloadError):
                uri, args = fault.uri, positional(str(fault))
            report(invocation.procedure, fault)
        try:
            self._answer(messages.Error(INVOCATION, invocation.id, messages.ErrorDetails(), uri, args, kwargs))
        except PayloadError as second:
            report(invocation.procedure, second)
            self._answer(messages.Error(INVOCATION, invocation.id, messages.ErrorDetails(), uri))


def report(uri: str, fault: BaseException) -> None:
    """Log the exception of a handler."""
    logger.error("The handler of %s failed", uri, exc_info=fault)
