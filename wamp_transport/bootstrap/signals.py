"""What the runtime tells by Django's signals; nothing is made or kept where nobody listens."""

from collections.abc import Callable
from typing import Final

from ..node.local import METHOD as LOCAL
from ..node.node import Node
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
from .identity.throttle import address_of
from .signal_thread import SignalThread

LAST_SECONDS: Final = 2.0
"""How long receivers have when the process stops."""

UserKey = Callable[[int], str | None]
"""From the id of a session to the primary key of its Django user, where its login has kept that."""


class Signals:
    """The signals of one process."""

    def __init__(self) -> None:
        self._user_key: UserKey = lambda _: None
        self._thread = SignalThread()

    def watch(self, node: Node, user_key: UserKey) -> None:
        """Tell of the sessions of ``node``. ``user_key`` knows the Django user behind each."""
        self._user_key = user_key
        node.on_joined, node.on_left, node.on_slow = self._joined, self._left, self._slow

    def failed(self, failure: LoginFailure) -> None:
        """A login has failed."""
        if login_failed.has_listeners():
            self._thread.send(login_failed, failure=failure)

    def applied(self, configuration: AppliedConfiguration) -> None:
        """A configuration runs."""
        if configuration_applied.has_listeners():
            self._thread.send(configuration_applied, configuration=configuration)

    async def close(self) -> None:
        """The process ends; what was told until now is still heard."""
        await self._thread.close(LAST_SECONDS)

    def _joined(self, session: Session) -> None:
        if session_joined.has_listeners():
            self._thread.send(session_joined, session=self._info(session))

    def _left(self, session: Session, reason: str) -> None:
        if session_left.has_listeners():
            self._thread.send(session_left, session=self._info(session), reason=reason)

    def _slow(self, session: Session, queued_bytes: int | None) -> None:
        if slow_consumer_detected.has_listeners():
            self._thread.send(slow_consumer_detected, session=self._info(session), queued_bytes=queued_bytes)

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
            is_local=session.authmethod == LOCAL,
        )
