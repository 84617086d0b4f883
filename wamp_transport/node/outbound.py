"""Messages on their way to connections: encoded once per encoder, written together where they follow each other."""

import logging
from collections.abc import Callable, Mapping, Sequence

from ..router.effects import Send
from ..wamp import errors
from ..wamp.errors import PayloadError
from ..wamp.messages import Error, Event, Invocation, Message
from ..wamp.payload import PYTHON
from .connection import Connection, MessageEncoder

logger = logging.getLogger(__name__)

Undeliverable = Callable[[int, Message, Exception], None]
"""Told of a message that could not be encoded: for which session, which, and why."""


class Outbound:
    """Carries out the core's :class:`~wamp_transport.router.effects.Send`.

    Events for the same receivers that follow each other are held back until something else comes, and go to each
    receiver as one piece: what a receiver costs is paid once for all of them. What goes to a session keeps its order.
    ``refused`` is told of errors that the router itself answers a session with.
    """

    def __init__(
        self, connections: Mapping[int, Connection], undeliverable: Undeliverable, refused: Callable[[int, Error], None]
    ) -> None:
        self._connections = connections
        self._undeliverable = undeliverable
        self._refused = refused
        self._receivers: Sequence[int] = ()
        self._held: list[Send] = []
        self.congested = 0
        """Connections whose peers are left out for now."""
        self.events_dropped = 0
        """Events that a receiver did not get as it reads too slowly, once for each receiver."""
        self.undelivered_events = 0
        """Events that a receiver's serialization could not say, once for each receiver."""

    # Hot path.

    def send(self, effect: Send) -> None:
        """Write a message, now or with the next :meth:`release`."""
        recipients = effect.recipients
        if len(recipients) == 1:
            session_id = recipients[0]
            if self._held and session_id in self._receivers:
                self.release()
            if effect.payload_format is PYTHON and type(effect.message) is Error:
                self._refused(session_id, effect.message)
            if self.congested and not self._is_able(session_id, effect.message):
                return
            connection = self._connections.get(session_id)
            if connection is None:
                return
            try:
                data = connection.encoder.encode(effect.message, effect.payload_format)
            except Exception as fault:  # noqa: BLE001 - whoever waits for this message must not wait forever
                self._undeliverable(session_id, effect.message, fault)
                self.undelivered_events += type(effect.message) is Event
            else:
                connection.transport.write(data)
        elif recipients is self._receivers:
            self._held.append(effect)
        else:
            if self._held:
                self.release()
            self._receivers = recipients
            self._held.append(effect)

    def release(self) -> None:
        """Write what was held back."""
        held, self._held = self._held, []
        connections, receivers, self._receivers = self._connections, self._receivers, ()
        encoder: MessageEncoder | None = None
        encoded: dict[MessageEncoder, tuple[Sequence[bytes], int]] = {}
        pieces: Sequence[bytes] = ()
        failed = 0
        for session_id in receivers:
            connection = connections.get(session_id)
            if connection is None:
                continue
            if connection.is_congested:
                self.events_dropped += len(held)
                continue
            if connection.encoder is not encoder:
                encoder = connection.encoder
                if encoder not in encoded:
                    encoded[encoder] = self._encode(encoder, held, session_id)
                pieces, failed = encoded[encoder]
            self.undelivered_events += failed
            try:
                for data in pieces:
                    connection.transport.write(data)
            except Exception:  # a bug of ours with one receiver must not keep the others from theirs
                logger.exception("Session %s cannot be written to", session_id)

    # End of the hot path.

    def _encode(self, encoder: MessageEncoder, events: Sequence[Send], session_id: int) -> tuple[Sequence[bytes], int]:
        """Return what an encoder makes of events, in one piece if it can be, and how many events it cannot express.

        ``session_id`` is the first who gets it.
        """
        pieces: list[bytes] = []
        for effect in events:
            try:
                pieces.append(encoder.encode(effect.message, effect.payload_format))
            except Exception as fault:  # noqa: BLE001 - the others must not miss theirs
                self._undeliverable(session_id, effect.message, fault)
        failed = len(events) - len(pieces)
        return [b"".join(pieces)] if encoder.is_framed and len(pieces) > 1 else pieces, failed

    def _is_able(self, session_id: int, message: Message) -> bool:
        """Whether a session's peer is not left out of a message as it reads too slowly."""
        connection = self._connections.get(session_id)
        if connection is None or not connection.is_congested:
            return True
        if type(message) is Event:
            self.events_dropped += 1
        elif type(message) is Invocation:
            fault = PayloadError("the callee reads too slowly", errors.UNAVAILABLE)
            self._undeliverable(session_id, message, fault)
        else:
            return True
        return False
