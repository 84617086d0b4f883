"""Execution of handlers.

Functions run in threads, coroutine functions in tasks. The payload of a message is converted to the parameters of the
function, and the return value is converted to a payload.
"""

import asyncio
import inspect
import logging
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from typing import Any, Final, Protocol, cast

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError

from ..compat.asgiref import has_thread
from ..node.client_types import Event, Invocation, Result
from ..project_code import call_guarded, run_guarded
from ..router.options import TRUSTED
from ..wamp import errors
from ..wamp.errors import ApplicationError, WampError
from .declarations import Declaration
from .parameters import Caller, Parameters, UnusableParameter
from .results import to_result
from .threads import HandlerThreads

logger = logging.getLogger(__name__)

MAX_TASKS: Final = 50
"""The maximum number of concurrent calls of an async procedure. Further calls wait."""

Message = Invocation | Event
Parts = Generator[Any, None, Any]


class UnusableHandler(Exception):
    """Raised for an invalid declaration. ``faults`` contains a description of each error."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


OnFailure = Callable[[Declaration, Exception], None]


class UserLookup(Protocol):
    """A function that prepares the lookup of a caller's Django user. The lookup itself queries the database."""

    def __call__(self, caller: Caller) -> Callable[[], Any]:
        """Return a function that returns the active Django user of the caller's session, or None.

        This method is called on the event loop; the returned function is called in a thread.
        """
        ...


class Handler:
    """A handler that can be run.

    The constructor raises UnusableHandler if the declaration is invalid.
    """

    def __init__(self, declaration: Declaration) -> None:
        faults = declaration.faults()
        self.declaration = declaration
        try:
            self.function = _function_of(declaration)
            self.parameters = Parameters(self.function, declaration.kind)
        except (UnusableParameter, UnusableHandler) as fault:
            raise UnusableHandler([*faults, str(fault)]) from None
        if faults:
            raise UnusableHandler(faults)
        self.is_async = inspect.iscoroutinefunction(self.function) or inspect.isasyncgenfunction(self.function)

    @property
    def wants_caller(self) -> bool:
        """Whether the handler needs the router to disclose the caller."""
        return bool(self.parameters.sources or self.declaration.permissions)


_instances: dict[type, Any] = {}


def _function_of(declaration: Declaration) -> Callable[..., Any]:
    """Return the function of a declaration. A method is bound to the only instance of its class."""
    owner = declaration.owner
    if owner is None:
        return declaration.function
    if owner not in _instances:
        try:
            _instances[owner] = call_guarded(owner)
        except Exception as fault:  # noqa: BLE001 - the project's code may raise anything
            text = f"{owner.__qualname__} cannot be instantiated without arguments: {type(fault).__name__}: {fault}"
            raise UnusableHandler([text]) from None
    function: Callable[..., Any] = getattr(_instances[owner], declaration.attribute)
    return function


class HandlerExecutor:
    """The executor of one handler.

    Pass its method ``procedure`` to ``register()``, or its method ``subscriber`` to ``subscribe()``, of a session in
    this process. ``on_failure(declaration, exception)`` is called with each unexpected exception of a procedure, and
    with each exception of a subscriber.
    """

    def __init__(
        self, handler: Handler, threads: HandlerThreads, users: UserLookup, on_failure: OnFailure = lambda *_: None
    ) -> None:
        self._on_failure = on_failure
        self._handler = handler
        self._threads = threads
        self._users = users
        declaration = handler.declaration
        bound = MAX_TASKS if handler.is_async else threads.share
        if declaration.kind == "subscriber":
            bound = min(declaration.concurrency or 1, bound)
        self._turns = asyncio.Semaphore(bound)

    async def procedure(self, invocation: Invocation) -> Result:
        """Handle a call. Raises ApplicationError if the call fails, and PayloadError if the result cannot be sent."""
        try:
            return await self._run(invocation)
        except WampError:
            raise
        except Exception as fault:  # noqa: BLE001 - the caller gets an error
            raise self._error_for_caller(fault, invocation.procedure) from None

    async def subscriber(self, event: Event) -> None:
        """Handle an event. Exceptions are logged."""
        name = self._handler.declaration.name
        try:
            await self._run(event)
        except ApplicationError as fault:
            self._on_failure(self._handler.declaration, fault)
            logger.warning("%s has refused an event on %s: %s", name, event.topic, fault)
        except Exception as fault:
            self._on_failure(self._handler.declaration, fault)
            logger.exception("%s failed with an event on %s", name, event.topic)

    def _error_for_caller(self, fault: Exception, uri: str) -> ApplicationError:
        """Return the error for the caller.

        For PermissionDenied and ValidationError, the error contains the text of the exception. Any other exception is
        logged, and the error contains its details only if DEBUG is on.
        """
        if isinstance(fault, PermissionDenied):
            return ApplicationError(errors.NOT_AUTHORIZED, str(fault) or "the user is not allowed to do this")
        if isinstance(fault, DjangoValidationError):
            return ApplicationError(errors.INVALID_ARGUMENT, "; ".join(fault.messages))
        self._on_failure(self._handler.declaration, fault)
        logger.error("%s failed with a call of %s", self._handler.declaration.name, uri, exc_info=fault)
        if settings.DEBUG:
            text = f"{type(fault).__name__}: {fault}"
            return ApplicationError(errors.RUNTIME_ERROR, text, traceback=traceback.format_exception(fault))
        return ApplicationError(errors.RUNTIME_ERROR, "the procedure failed: see the log of its process")

    async def _run(self, message: Message) -> Result:
        if not self._handler.is_async:
            return await self._in_thread(message)
        async with self._turns, ThreadSensitiveContext() as context:
            try:
                return await run_guarded(self._as_task(message))
            finally:
                # The handler's context has an asgiref thread only if the handler used the database or other synchronous
                # code.
                if has_thread(context):
                    await asyncio.shield(self._threads.close_connections())

    # --- sync handlers ----------------------------------------------------------------------------------------------

    async def _in_thread(self, message: Message) -> Result:
        loop = asyncio.get_running_loop()
        is_over = threading.Event()
        find_user = self._admission(message)

        def work() -> Result:
            bound = self._bind(message, find_user())
            outcome: Any = self._handler.function(*bound.args, **bound.kwargs)
            if inspect.isgenerator(outcome):
                return self._drain(message, cast(Parts, outcome), loop, is_over)
            return to_result(outcome)

        try:
            return await self._threads.run(work, self._turns)
        finally:
            is_over.set()

    def _drain(
        self, message: Message, parts: Parts, loop: asyncio.AbstractEventLoop, is_over: threading.Event
    ) -> Result:
        """Run a generator and return the final result.

        Each item is sent as a progressive result. If the caller does not accept progressive results, the final result
        is the generator's return value or, if this is None, the list of all items.
        """
        collected: list[Any] = []
        sends_progress = _sends_progress(message)
        try:
            while not is_over.is_set():
                try:
                    part = next(parts)
                except StopIteration as end:
                    return _final(end.value, None if sends_progress else collected)
                if not sends_progress:
                    collected.append(part)
                else:
                    self._threads.wait_for(_progress(message, to_result(part)), loop, is_over)
        finally:
            parts.close()
        raise ApplicationError(errors.CANCELED, "the call was canceled")

    # --- async handlers --------------------------------------------------------------------------------------------

    async def _as_task(self, message: Message) -> Result:
        user = await self._threads.run(self._admission(message)) if self._asks_for_user else None
        bound = self._bind(message, user)
        outcome: Any = self._handler.function(*bound.args, **bound.kwargs)
        if not inspect.isasyncgen(outcome):
            return to_result(await outcome)
        collected: list[Any] = []
        sends_progress = _sends_progress(message)
        async with aclosing(cast(AsyncGenerator[Any, None], outcome)) as parts:
            async for part in parts:
                if sends_progress:
                    await _progress(message, to_result(part))
                else:
                    collected.append(part)
        return _final(None, None if sends_progress else collected)

    # --- parameters and permission ---------------------------------------------------------------------------------

    @property
    def _asks_for_user(self) -> bool:
        return self._handler.parameters.wants_user or bool(self._handler.declaration.permissions)

    def _admission(self, message: Message) -> Callable[[], Any]:
        """Return a function that looks up and returns the Django user of a message's sender.

        Call the returned function in a thread. It raises ApplicationError if the sender has no user but the handler
        requires one, or if the user lacks a required permission. A sender with the role ``trusted`` needs no
        permissions. If the handler needs no user, the function returns None.
        """
        if not self._asks_for_user:
            return lambda: None
        caller = Caller.of(message)
        look_up = self._users(caller)
        permissions = self._handler.declaration.permissions
        needs_user = "user" in self._handler.parameters.sources.values()

        def find_user() -> Any:
            user = look_up()
            if permissions and caller.authrole != TRUSTED and (user is None or not user.has_perms(permissions)):
                raise ApplicationError(errors.NOT_AUTHORIZED, f"this needs the permission {', '.join(permissions)}")
            if needs_user and user is None:
                raise ApplicationError(errors.NOT_AUTHORIZED, "this is only for users who are logged in")
            return user

        return find_user

    def _bind(self, message: Message, user: Any) -> inspect.BoundArguments:
        others: dict[str, Any] = {}
        for name, source in self._handler.parameters.sources.items():
            if source == "message":
                others[name] = message
            else:
                others[name] = Caller.of(message) if source == "caller" else user
        return self._handler.parameters.bind(message.args, message.kwargs, others)


def _sends_progress(message: Message) -> bool:
    return isinstance(message, Invocation) and bool(message.details.get("receive_progress"))


async def _progress(message: Message, part: Result) -> None:
    assert isinstance(message, Invocation)  # noqa: S101 - events have no progress
    await message.progress(part.args, part.kwargs)


def _final(value: Any, collected: list[Any] | None) -> Result:
    """Return the final result of a generator: its return value or, if this is None, the list of collected items.

    ``collected`` is None if the items were sent as progressive results.
    """
    if value is None:
        return Result() if collected is None else to_result(collected)
    return to_result(value)
