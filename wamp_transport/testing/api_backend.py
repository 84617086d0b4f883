"""The sessions of ``wamp_transport.api`` while the router of a test is in place; what they do is recorded."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from ..api.backends import NodeHome
from ..node.client_types import Result
from ..node.local import METHOD, LocalLine
from ..node.node import Node
from ..node.session import Session
from ..router.answers import Admit
from ..wamp.errors import ApplicationError
from ..wamp.messages import CallOptions, PublishOptions
from .loop import MemoryLoop
from .recording import Recording
from .records import Call, Publication, plain

_PUBLISH_OPTIONS: Final = PublishOptions()
_CALL_OPTIONS: Final = CallOptions()


class RecordedSession(Session):
    """A session that tells ``recording`` what is done with it."""

    def __init__(self, node: Node, principal: Admit, recording: Recording) -> None:
        super().__init__(principal.realm or "", lambda inbox: LocalLine(node, principal, inbox))
        self._recording = recording

    async def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: PublishOptions | None = None,
    ) -> int | None:
        """See :class:`Session`. The router is always asked whether it took the event, so that the record is true."""
        options = options or _PUBLISH_OPTIONS
        refusal: ApplicationError | None = None
        publication = None
        try:
            publication = await super().publish(topic, args, kwargs, options=replace(options, acknowledge=True))
        except ApplicationError as fault:
            refusal = fault
        self._recording.published(
            Publication(
                topic,
                plain(list(args)),
                plain(dict(kwargs or {})),
                _said(options),
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
        """See :class:`Session`."""
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
        """See :class:`Session`. Of the record ``result`` is the last part."""
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
        self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: CallOptions | None
    ) -> Call:
        record = Call(
            procedure,
            plain(list(args)),
            plain(dict(kwargs or {})),
            _said(options or _CALL_OPTIONS),
            self.realm,
            self.authrole,
        )
        self._recording.called(record)
        return record


class MemoryHome(NodeHome):
    """Where ``wamp_transport.api`` finds its sessions. ``ready`` is awaited before one of this realm and role opens."""

    def __init__(
        self, node: Node, loop: MemoryLoop, recording: Recording, ready: Callable[[str, str], Awaitable[None]]
    ) -> None:
        super().__init__(node, loop)
        self._recording = recording
        self._ready = ready

    async def open_session(self, realm: str, authid: str, role: str) -> Session:
        """See :class:`NodeHome`."""
        await self._ready(realm, role)
        session = RecordedSession(self.node, Admit(realm, authid, role, METHOD, METHOD), self._recording)
        await session.open()
        return session


def _said(options: PublishOptions | CallOptions) -> dict[str, Any]:
    said = msgspec.to_builtins(options)
    return {name: value for name, value in said.items() if value is not None}
