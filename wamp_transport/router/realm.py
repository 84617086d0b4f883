"""One realm: who is in it, and which of its parts handles a message."""

from collections.abc import Callable
from typing import Any

from ..wamp.errors import PayloadError, ProtocolViolation, RequestRefused
from ..wamp.messages import (
    CODES,
    NAMES,
    Call,
    Cancel,
    Error,
    ErrorDetails,
    EventReceived,
    Invocation,
    Message,
    Publish,
    Register,
    Result,
    Subscribe,
    Unregister,
    Unsubscribe,
    Yield,
)
from ..wamp.payload import PYTHON, positional
from .broker import Broker
from .dealer import Dealer
from .effects import Effect, Send
from .options import RealmOptions
from .permissions import Role
from .records import Session

COUNTED = frozenset({Publish, Subscribe, Unsubscribe, Call, Register, Unregister})
"""The messages that open a request of their own."""


class Realm:
    """Sessions that reach each other, under one set of roles."""

    def __init__(self, options: RealmOptions, outbox: list[Effect], new_publication_id: Callable[[], int]) -> None:
        self.options = options
        self.roles: dict[str, Role] = {}
        self.sessions: dict[int, Session] = {}
        self._outbox = outbox
        self._last_requests: dict[int, int] = {}
        self.broker = Broker(options.name, self.roles, outbox, new_publication_id)
        self.dealer = Dealer(options.name, self.roles, outbox)
        self._handlers: dict[type[Message], Callable[[Session, Any], None]] = {
            Publish: self.broker.on_publish,
            Subscribe: self.broker.on_subscribe,
            Unsubscribe: self.broker.on_unsubscribe,
            EventReceived: _nothing,
            Call: self.dealer.on_call,
            Cancel: _nothing,
            Register: self.dealer.on_register,
            Unregister: self.dealer.on_unregister,
            Yield: self.dealer.on_yield,
            Error: self.dealer.on_error,
        }
        self.configure(options)

    def configure(self, options: RealmOptions) -> None:
        """Take new options: what sessions do from now on is decided by them."""
        self.options = options
        self._is_strict = options.strict_request_ids
        if not self._is_strict:
            self._last_requests.clear()
        self.roles.clear()
        for name, role in options.roles.items():
            self.roles[name] = Role(role, loose_uris=options.loose_uris)

    def join(self, session: Session) -> None:
        """``session`` is in the realm from now on."""
        self.sessions[session.id] = session
        if self._is_strict:
            self._last_requests[session.id] = 0

    def receive(self, session: Session, message: Message) -> None:
        """Handle one message of a session that has joined. Raises ProtocolViolation."""
        if self._is_strict and type(message) in COUNTED:
            self._count(session, message)
        try:
            self._handlers[type(message)](session, message)
        except RequestRefused as refusal:
            self._refuse(session, message, refusal)

    def detach(self, session: Session) -> None:
        """``session`` leaves: nothing of it remains in the realm."""
        if self.sessions.pop(session.id, None) is not None:
            self._last_requests.pop(session.id, None)
            self.broker.detach(session)
            self.dealer.detach(session)

    def undeliverable(self, session: Session, message: Message, fault: PayloadError) -> None:
        """A message could not be said to ``session``. Whoever waits for an answer gets one; an event is dropped."""
        if isinstance(message, Invocation | Result | Error):
            self.dealer.undeliverable(session, message, fault)

    def _count(self, session: Session, message: Any) -> None:
        """Request ids are 1, 2, 3 and so on (Basic Profile, "IDs").

        A session that was there before the realm became strict goes on from where it is.
        """
        request_id = message.request_id
        expected = self._last_requests.get(session.id, request_id - 1) + 1
        if request_id != expected:
            name = NAMES[type(message)]
            raise ProtocolViolation(f"{name}.request must be {expected}, the next in sequence, not {request_id}")
        self._last_requests[session.id] = request_id

    def _refuse(self, session: Session, message: Any, refusal: RequestRefused) -> None:
        if isinstance(message, Publish) and not message.options.acknowledge:
            return
        request_type = CODES[type(message)]
        error = Error(request_type, message.request_id, ErrorDetails(), refusal.uri, positional(str(refusal)))
        self._outbox.append(Send((session.id,), error, PYTHON))


def _nothing(session: Session, message: Message) -> None:
    """The message is legal, and the feature it belongs to is not announced."""
