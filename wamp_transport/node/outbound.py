"""Send messages to connections: encode each message once per encoder, and write consecutive events together."""

import logging
from collections.abc import Callable, Mapping, Sequence

from ..router.effects import Send
from ..wamp import errors
from ..wamp.errors import PayloadError
from ..wamp.messages import Error, Event, Invocation, Message
from ..wamp.payload import PYTHON
from .connection import Connection, MessageEncoder

logger = logging.getLogger(__name__)

OnUndeliverable = Callable[[int, Message, Exception], None]
"""A callback for messages that cannot be encoded. Its arguments are the session's id, the message and the exception."""


class Outbound:
    """The sender of a node's messages. It carries out the core's :class:`~wamp_transport.router.effects.Send` effects.

    Consecutive events for the same receivers are queued, and written to each receiver with one call, because each write
    has a cost. Any other message for one of these receivers is written after the queued events. Each session therefore
    gets its messages in order. ``on_refused`` is called with the session's id and the ERROR when the router itself
    refuses a request.
    """

    def __init__(
        self,
        connections: Mapping[int, Connection],
        on_undeliverable: OnUndeliverable,
        on_refused: Callable[[int, Error], None],
    ) -> None:
        self._connections = connections
        self._on_undeliverable = on_undeliverable
        self._on_refused = on_refused
        self._receivers: Sequence[int] = ()
        self._events: list[Send] = []
        self.congested = 0
        """The number of connections to which events and calls are currently not sent."""
        self.events_dropped = 0
        """The number of events not sent because the receiver read too slowly, counted once for each receiver."""
        self.undelivered_events = 0
        """The number of events not sent because they could not be encoded, counted once for each receiver."""

    # Hot path.

    def send(self, effect: Send) -> None:
        """Write a message, or queue it until the next :meth:`flush_events`."""
        recipients = effect.recipients
        if len(recipients) == 1:
            session_id = recipients[0]
            if self._events and session_id in self._receivers:
                self.flush_events()  # otherwise this message would overtake the queued events
            if effect.payload_format is PYTHON and type(effect.message) is Error:
                self._on_refused(session_id, effect.message)
            if self.congested and not self._can_receive(session_id, effect.message):
                return
            connection = self._connections.get(session_id)
            if connection is None:
                return
            try:
                data = connection.encoder.encode(effect.message, effect.payload_format)
            except Exception as fault:  # noqa: BLE001 - a session that waits for this message must get an answer
                self._on_undeliverable(session_id, effect.message, fault)
                self.undelivered_events += type(effect.message) is Event
            else:
                connection.transport.write(data)
        elif recipients is self._receivers:  # the same list object means the same receivers in the same order
            self._events.append(effect)
        else:
            if self._events:
                self.flush_events()
            self._receivers = recipients
            self._events.append(effect)

    # End of the hot path.

    def encode_for(self, connection: Connection, effect: Send) -> bytes | None:
        """Return an effect's message as bytes for one connection. If encoding fails, report this and return None."""
        session_id, message = connection.session_id, effect.message
        if effect.payload_format is PYTHON and type(message) is Error:
            self._on_refused(session_id, message)
        try:
            return connection.encoder.encode(message, effect.payload_format)
        except Exception as fault:  # noqa: BLE001 - a session that waits for this message must get an answer
            self._on_undeliverable(session_id, message, fault)
            self.undelivered_events += type(message) is Event
        return None

    # Hot path.

    def flush_events(self) -> None:
        """Write the queued events."""
        # Empty the queue first: writing can end sessions, and the effects of this can queue events and flush again.
        events, self._events = self._events, []
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
                self.events_dropped += len(events)
                continue
            if connection.encoder is not encoder:
                encoder = connection.encoder
                if encoder not in encoded:
                    encoded[encoder] = self._encode(encoder, events, session_id)
                pieces, failed = encoded[encoder]
            self.undelivered_events += failed
            try:
                for data in pieces:
                    connection.transport.write(data)
            except Exception:  # a bug in the code for one receiver must not affect the others
                logger.exception("Writing to session %s failed", session_id)

    # End of the hot path.

    def _encode(self, encoder: MessageEncoder, events: Sequence[Send], session_id: int) -> tuple[Sequence[bytes], int]:
        """Encode events, and return the bytes to write and the number of events that could not be encoded.

        The bytes are joined if the encoder allows it. ``session_id`` is the id of the first receiver, for reports of
        messages that cannot be encoded.
        """
        pieces: list[bytes] = []
        for effect in events:
            try:
                pieces.append(encoder.encode(effect.message, effect.payload_format))
            except Exception as fault:  # noqa: BLE001 - the other events must be sent
                self._on_undeliverable(session_id, effect.message, fault)
        failed = len(events) - len(pieces)
        return [b"".join(pieces)] if encoder.is_framed and len(pieces) > 1 else pieces, failed

    def _can_receive(self, session_id: int, message: Message) -> bool:
        """Return whether to send a message. Events and calls are not sent to a peer that reads too slowly."""
        connection = self._connections.get(session_id)
        if connection is None or not connection.is_congested:
            return True
        if type(message) is Event:
            self.events_dropped += 1
        elif type(message) is Invocation:
            fault = PayloadError("the callee reads too slowly", errors.UNAVAILABLE)
            self._on_undeliverable(session_id, message, fault)
        else:
            return True
        return False
