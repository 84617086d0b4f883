"""The Django signals of a node. Receivers run in a thread, one after the other.

A signal without receivers is not queued.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from django.dispatch import Signal

from ..config.auth_methods import LOCAL
from ..node.node import Node
from ..node.observers import NodeObserver
from ..project_code import ProjectCodeError, call_guarded
from ..router.records import Session
from ..signals import (
    AppliedConfiguration,
    LoginFailure,
    SessionInfo,
    configuration_applied,
    login_failed,
    session_joined,
    session_left,
    slow_consumer_detected,
)
from ..stores.connections import with_clean_connections
from ..worker_threads import WorkerThreads
from .batch_writer import BatchWriter
from .identity.throttle import address_of

logger = logging.getLogger(__name__)

MAX_QUEUED_SIGNALS: Final = 10_000
"""The maximum number of queued signals. Further signals are dropped, counted and logged."""

MAX_QUEUED_BYTES: Final = 16 * 1024 * 1024
"""The maximum total size of the queued signals. Without this limit, long authids could use too much memory."""

MAX_BATCH_SIGNALS: Final = 100
"""The number of signals after which the thread closes its old database connections."""

SIGNAL_OVERHEAD_BYTES: Final = 1_000
"""The approximate size of a signal without the text in its arguments."""

SLOW_RECEIVER_SECONDS: Final = 1.0
"""A warning is logged if the receivers of one signal take longer than this."""

CLOSE_SECONDS: Final = 2.0
"""The time limit for running the receivers of queued signals when the process stops."""

UserKey = Callable[[int], str | None]
"""A function that returns the primary key of a session's Django user, as text; None if there is no such user."""


class Signals(NodeObserver):
    """Sends a node's signals. Call its methods on the node's event loop. Only :meth:`close` waits for the receivers."""

    def __init__(self) -> None:
        self._user_key: UserKey = lambda _: None
        self._threads = WorkerThreads("wamp-signals", 1, around=with_clean_connections)
        self._writer: BatchWriter[tuple[Signal, dict[str, Any]]] = BatchWriter(
            "signals",
            self._write,
            max_items=MAX_QUEUED_SIGNALS,
            max_bytes=MAX_QUEUED_BYTES,
            max_batch=MAX_BATCH_SIGNALS,
            is_eager=True,
        )

    def watch(self, node: Node, user_key: UserKey) -> None:
        """Send signals for the sessions of ``node``.

        ``user_key`` returns the primary key of a session's Django user.
        """
        self._user_key = user_key
        node.observers.add(self)

    def send_login_failed(self, failure: LoginFailure) -> None:
        """Queue the signal ``login_failed`` if it has receivers."""
        if login_failed.has_listeners():
            self._send(login_failed, failure=failure)

    def send_configuration_applied(self, configuration: AppliedConfiguration) -> None:
        """Queue the signal ``configuration_applied`` if it has receivers."""
        if configuration_applied.has_listeners():
            self._send(configuration_applied, configuration=configuration)

    async def close(self) -> None:
        """Wait up to :data:`CLOSE_SECONDS` for the receivers of queued signals, before the process ends."""
        await self._writer.close(CLOSE_SECONDS)
        self._threads.close()

    def _send(self, signal: Signal, **named: Any) -> None:
        """Queue a signal. Receivers run in the order in which the signals were queued."""
        self._writer.put((signal, named), SIGNAL_OVERHEAD_BYTES + sum(map(_text_size, named.values())))

    async def _write(self, batch: list[tuple[Signal, dict[str, Any]]]) -> None:
        await self._threads.run(_send_all, batch)

    def session_joined(self, session: Session) -> None:
        """Queue the signal ``session_joined`` if it has receivers."""
        if session_joined.has_listeners():
            self._send(session_joined, session=self._info(session))

    def session_left(self, session: Session, reason: str) -> None:
        """Queue the signal ``session_left`` if it has receivers."""
        if session_left.has_listeners():
            self._send(session_left, session=self._info(session), reason=reason)

    def slow_consumer_detected(self, session: Session, queued_bytes: int | None) -> None:
        """Queue the signal ``slow_consumer_detected`` if it has receivers."""
        if slow_consumer_detected.has_listeners():
            self._send(slow_consumer_detected, session=self._info(session), queued_bytes=queued_bytes)

    def _info(self, session: Session) -> SessionInfo:
        return SessionInfo(
            id=session.id,
            realm=session.realm,
            authid=session.authid,
            authrole=session.authrole,
            authmethod=session.authmethod,
            authprovider=session.authprovider,
            service=session.service.key,
            address=address_of(session.transport),
            user_pk=self._user_key(session.id),
            is_local=session.authmethod == LOCAL.name,
        )


def _send_all(batch: list[tuple[Signal, dict[str, Any]]]) -> None:
    for signal, named in batch:
        began_at = time.monotonic()
        try:
            call_guarded(signal.send_robust, None, **named)  # Django logs ordinary exceptions of receivers
        except ProjectCodeError:
            logger.exception("A receiver of a signal failed; the receivers after it were not called")
        seconds = time.monotonic() - began_at
        if seconds > SLOW_RECEIVER_SECONDS:
            logger.warning("The receivers of a signal of %s took %.1f seconds", ", ".join(named), seconds)


def _text_size(value: Any) -> int:
    """Return the total length of the text in a signal's argument."""
    texts = (
        [getattr(value, field.name) for field in fields(value)] if hasattr(value, "__dataclass_fields__") else [value]
    )
    return sum(len(text) for text in texts if isinstance(text, str))
