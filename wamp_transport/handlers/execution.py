"""Runs what was declared: in a thread or as a task, with the parameters it wants, and tells what came of it."""

import asyncio
import inspect
import logging
import traceback
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from threading import Event as Flag
from typing import Any, Final, Protocol, cast

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError

from ..node.client_types import Event, Invocation, Result
from ..router.options import TRUSTED
from ..wamp import errors
from ..wamp.errors import ApplicationError, WampError
from .declarations import Declaration
from .parameters import Caller, Parameters, UnusableParameter
from .results import payload
from .threads import Threads

logger = logging.getLogger(__name__)

MAX_TASKS: Final = 50
"""Calls of one asynchronous procedure that run at the same time; others wait for their turn."""

Message = Invocation | Event
Parts = Generator[Any, None, Any]


class UnusableHandler(Exception):
    """A declaration cannot be carried out. ``faults`` are sentences."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


Failed = Callable[[Declaration, Exception], None]


class Users(Protocol):
    """Who callers are to Django."""

    def __call__(self, caller: Caller) -> Callable[[], Any]:
        """Called on the loop; what it returns is called in a thread.

        That returns the active Django user behind a session, or None where there is none.
        """
        ...


class Handler:
    """A declaration that can be carried out. Raises UnusableHandler."""

    def __init__(self, declaration: Declaration) -> None:
        faults = declaration.faults()
        self.declaration = declaration
        try:
            self.function = _bound(declaration)
            self.parameters = Parameters(self.function, declaration.kind)
        except (UnusableParameter, UnusableHandler) as fault:
            raise UnusableHandler([*faults, str(fault)]) from None
        if faults:
            raise UnusableHandler(faults)
        self.is_async = inspect.iscoroutinefunction(self.function) or inspect.isasyncgenfunction(self.function)

    @property
    def wants_caller(self) -> bool:
        """Whether the router has to tell who calls."""
        return bool(self.parameters.wanted or self.declaration.permissions)


_instances: dict[type, Any] = {}


def _bound(declaration: Declaration) -> Callable[..., Any]:
    """The function, or the method of the one instance of its class."""
    owner = declaration.owner
    if owner is None:
        return declaration.function
    if owner not in _instances:
        try:
            _instances[owner] = owner()
        except Exception as fault:  # noqa: BLE001 - the project's code: told, and the others go on
            text = f"{owner.__qualname__} cannot be made without arguments: {type(fault).__name__}: {fault}"
            raise UnusableHandler([text]) from None
    function: Callable[..., Any] = getattr(_instances[owner], declaration.attribute)
    return function


class Running:
    """Carries out one handler. ``procedure`` and ``subscriber`` are for a session inside the process.

    ``failed`` is told of whatever a handler does not mean to happen.
    """

    def __init__(self, handler: Handler, threads: Threads, users: Users, failed: Failed = lambda *_: None) -> None:
        self._failed = failed
        self._handler = handler
        self._threads = threads
        self._users = users
        declaration = handler.declaration
        bound = MAX_TASKS if handler.is_async else threads.share
        if declaration.kind == "subscriber":
            bound = min(declaration.concurrency or 1, bound)
        self._turns = asyncio.Semaphore(bound)

    async def procedure(self, invocation: Invocation) -> Result:
        """Carry out a call. Raises ApplicationError, and PayloadError where the result cannot be sent."""
        try:
            return await self._run(invocation)
        except WampError:
            raise
        except Exception as fault:  # noqa: BLE001 - the caller is told
            raise self._told(fault, invocation.procedure) from None

    async def subscriber(self, event: Event) -> None:
        """Hear an event. Whatever goes wrong is logged."""
        name = self._handler.declaration.name
        try:
            await self._run(event)
        except ApplicationError as fault:
            self._failed(self._handler.declaration, fault)
            logger.warning("An event on %s is not for %s: %s", event.topic, name, fault)
        except Exception as fault:
            self._failed(self._handler.declaration, fault)
            logger.exception("%s failed with an event on %s", name, event.topic)

    def _told(self, fault: Exception, uri: str) -> ApplicationError:
        """What the caller learns of an exception; the log has it all."""
        if isinstance(fault, PermissionDenied):
            return ApplicationError(errors.NOT_AUTHORIZED, str(fault) or "the user may not do this")
        if isinstance(fault, DjangoValidationError):
            return ApplicationError(errors.INVALID_ARGUMENT, "; ".join(fault.messages))
        self._failed(self._handler.declaration, fault)
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
                return await self._as_task(message)
            finally:
                # Only where the handler has asked the database (or other synchronous code), it has got a thread.
                if context in SyncToAsync.context_to_thread_executor:
                    await asyncio.shield(self._threads.close_connections())

    # --- synchronous -----------------------------------------------------------------------------------------------

    async def _in_thread(self, message: Message) -> Result:
        loop = asyncio.get_running_loop()
        is_over = Flag()
        admitted = self._admission(message)

        def work() -> Result:
            bound = self._bind(message, admitted())
            outcome: Any = self._handler.function(*bound.args, **bound.kwargs)
            if inspect.isgenerator(outcome):
                return self._drained(message, cast(Parts, outcome), loop, is_over)
            return payload(outcome)

        try:
            return await self._threads.run(work, self._turns)
        finally:
            is_over.set()

    def _drained(self, message: Message, parts: Parts, loop: asyncio.AbstractEventLoop, is_over: Flag) -> Result:
        """The result of a generator; its parts are sent as they come, or are the result where nobody wants parts."""
        collected: list[Any] = []
        has_parts = _has_parts(message)
        try:
            while not is_over.is_set():
                try:
                    part = next(parts)
                except StopIteration as end:
                    return _final(end.value, None if has_parts else collected)
                if not has_parts:
                    collected.append(part)
                else:
                    self._threads.wait_for(_progress(message, payload(part)), loop, is_over)
        finally:
            parts.close()
        raise ApplicationError(errors.CANCELED, "the call was canceled")

    # --- asynchronous ----------------------------------------------------------------------------------------------

    async def _as_task(self, message: Message) -> Result:
        user = await self._threads.run(self._admission(message)) if self._asks_for_user else None
        bound = self._bind(message, user)
        outcome: Any = self._handler.function(*bound.args, **bound.kwargs)
        if not inspect.isasyncgen(outcome):
            return payload(await outcome)
        collected: list[Any] = []
        has_parts = _has_parts(message)
        async with aclosing(cast(AsyncGenerator[Any, None], outcome)) as parts:
            async for part in parts:
                if has_parts:
                    await _progress(message, payload(part))
                else:
                    collected.append(part)
        return _final(None, None if has_parts else collected)

    # --- parameters and permission ---------------------------------------------------------------------------------

    @property
    def _asks_for_user(self) -> bool:
        return self._handler.parameters.wants_user or bool(self._handler.declaration.permissions)

    def _admission(self, message: Message) -> Callable[[], Any]:
        """What finds the user behind the message, if that is wanted, and whether the user may do this; for a thread.

        It raises ApplicationError where that is not so.
        """
        if not self._asks_for_user:
            return lambda: None
        caller = Caller.of(message)
        find_user = self._users(caller)
        wanted = self._handler.declaration.permissions
        needs_user = "user" in self._handler.parameters.wanted.values()

        def admitted() -> Any:
            user = find_user()
            if wanted and caller.authrole != TRUSTED and (user is None or not user.has_perms(wanted)):
                raise ApplicationError(errors.NOT_AUTHORIZED, f"this needs the permission {', '.join(wanted)}")
            if needs_user and user is None:
                raise ApplicationError(errors.NOT_AUTHORIZED, "this is for users who have logged in")
            return user

        return admitted

    def _bind(self, message: Message, user: Any) -> inspect.BoundArguments:
        given: dict[str, Any] = {}
        for name, wanted in self._handler.parameters.wanted.items():
            if wanted == "message":
                given[name] = message
            else:
                given[name] = Caller.of(message) if wanted == "caller" else user
        return self._handler.parameters.bind(message.args, message.kwargs, given)


def _has_parts(message: Message) -> bool:
    return isinstance(message, Invocation) and bool(message.details.get("receive_progress"))


async def _progress(message: Message, part: Result) -> None:
    assert isinstance(message, Invocation)  # noqa: S101 - events have no parts
    await message.progress(part.args, part.kwargs)


def _final(value: Any, collected: list[Any] | None) -> Result:
    """The end of a generator: what it returned, or else its parts where they were not sent."""
    if value is None:
        return Result() if collected is None else payload(collected)
    return payload(value)
