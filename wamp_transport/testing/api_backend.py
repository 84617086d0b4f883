"""The backend of ``wamp_transport.api`` in tests. It records what its sessions publish and call."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from ..api.backends import AsyncHandler, Handler, InProcessBackend
from ..api.threads import awaitable
from ..auth.providers import AuthProvider
from ..config.auth_methods import LOCAL
from ..node.client_types import Result
from ..node.local import LocalClientTransport
from ..node.node import Node
from ..node.payload_values import to_payload
from ..node.session import Session
from ..router.decisions import Admit
from ..wamp.errors import ApplicationError
from ..wamp.messages import CallOptions, PublishOptions
from ..wamp.payload import ABSENT
from .loop import MemoryLoop, MemoryLoopBridge
from .recording import Recording
from .records import RecordedCall, RecordedPublication

_PUBLISH_OPTIONS: Final = PublishOptions()
_CALL_OPTIONS: Final = CallOptions()


class RecordedSession(Session):
    """A session that records its publications and calls in ``recording``."""

    def __init__(self, node: Node, principal: Admit, recording: Recording) -> None:
        super().__init__(principal.realm or "", lambda inbox: LocalClientTransport(node, principal, inbox))
        self._recording = recording

    async def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: PublishOptions | None = None,
    ) -> int | None:
        """Publish an event and record it.

        The session always requests an acknowledgment, so that a refusal is recorded. ApplicationError is raised for a
        refusal only if ``options`` request an acknowledgment.
        """
        options = options or _PUBLISH_OPTIONS
        args, kwargs = _sent(args, kwargs)
        refusal: ApplicationError | None = None
        publication = None
        try:
            publication = await super().publish(topic, args, kwargs, options=replace(options, acknowledge=True))
        except ApplicationError as fault:
            refusal = fault
        self._recording.add_publication(
            RecordedPublication(
                topic,
                args,
                kwargs,
                _as_dict(options),
                self.realm,
                self.authrole,
                None if refusal is None else refusal.uri,
            )
        )
        if not options.acknowledge:
            return None
        if refusal is not None:
            raise refusal
        return publication

    async def call(
        self,
        procedure: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as in Session
        options: CallOptions | None = None,
    ) -> Result:
        """Call a procedure and record the call."""
        args, kwargs = _sent(args, kwargs)
        record = self._recorded(procedure, args, kwargs, options)
        try:
            record.result = await super().call(procedure, args, kwargs, timeout=timeout, options=options)
        except BaseException as fault:
            record.error = fault
            raise
        return record.result

    async def stream(
        self,
        procedure: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as in Session
        options: CallOptions | None = None,
    ) -> AsyncGenerator[Result, None]:
        """Call a procedure, yield its results, and record the call.

        The attribute ``result`` of the record is the last result that has arrived.
        """
        args, kwargs = _sent(args, kwargs)
        record = self._recorded(procedure, args, kwargs, options)
        parts = super().stream(procedure, args, kwargs, timeout=timeout, options=options)
        try:
            async for part in parts:
                record.result = part
                yield part
        except BaseException as fault:
            record.error = fault
            raise
        finally:
            await parts.aclose()

    def _recorded(
        self, procedure: str, args: list[Any], kwargs: dict[str, Any], options: CallOptions | None
    ) -> RecordedCall:
        record = RecordedCall(
            procedure,
            args,
            kwargs,
            _as_dict(options or _CALL_OPTIONS),
            self.realm,
            self.authrole,
        )
        self._recording.add_call(record)
        return record


class InMemoryBackend(InProcessBackend):
    """A backend that opens the sessions of ``wamp_transport.api`` on a test's router.

    ``prepare(realm, role)`` is awaited before each session is opened.
    """

    def __init__(
        self, node: Node, loop: MemoryLoop, recording: Recording, prepare: Callable[[str, str], Awaitable[None]]
    ) -> None:
        super().__init__(node, MemoryLoopBridge(loop))
        self._recording = recording
        self._prepare = prepare

    async def open_session(self, realm: str, authid: str, role: str) -> Session:
        """Open a session that records its publications and calls."""
        await self._prepare(realm, role)
        admit = Admit(realm, authid, role, LOCAL.name, AuthProvider.LOCAL.value)
        session = RecordedSession(self.node, admit, self._recording)
        await session.open()
        return session

    def prepare_handler(self, handler: Handler, *, in_order: bool = False) -> AsyncHandler:
        """Return ``handler`` as a coroutine function. Synchronous handlers use the test's database connections."""
        return awaitable(handler, in_order=in_order, clean=False)


def _sent(args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> tuple[list[Any], dict[str, Any]]:
    """Return copies of the arguments in the form in which receivers get them.

    Raises PayloadError if a value cannot be sent. Callers must both send and record these copies, because an iterator
    in the original arguments can be read only once.
    """
    sent_args, sent_kwargs = to_payload(args), to_payload(kwargs, "kwargs")
    return [] if sent_args is ABSENT else sent_args, {} if sent_kwargs is ABSENT else sent_kwargs


def _as_dict(options: PublishOptions | CallOptions) -> dict[str, Any]:
    values = msgspec.to_builtins(options)
    return {name: value for name, value in values.items() if value is not None}
