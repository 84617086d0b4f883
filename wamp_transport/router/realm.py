"""One realm: who is in it, and which of its parts handles a message."""

from collections.abc import Callable
from typing import Any

from ..wamp.errors import PayloadError, RequestRefused
from ..wamp.messages import (
    CODES,
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


class Realm:
    """Sessions that reach each other, under one set of roles."""

    def __init__(self, options: RealmOptions, outbox: list[Effect], new_publication_id: Callable[[], int]) -> None:
        self.options = options
        self.roles: dict[str, Role] = {}
        self.sessions: dict[int, Session] = {}
        self._outbox = outbox
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
        self.roles.clear()
        for name, role in options.roles.items():
            self.roles[name] = Role(role, loose_uris=options.loose_uris)

    def join(self, session: Session) -> None:
        """``session`` is in the realm from now on."""
        self.sessions[session.id] = session

    def receive(self, session: Session, message: Message) -> None:
        """Handle one message of a session that has joined. Raises ProtocolViolation."""
        try:
            self._handlers[type(message)](session, message)
        except RequestRefused as refusal:
            self._refuse(session, message, refusal)

    def detach(self, session: Session) -> None:
        """``session`` leaves: nothing of it remains in the realm."""
        if self.sessions.pop(session.id, None) is not None:
            self.broker.detach(session)
            self.dealer.detach(session)

    def undeliverable(self, session: Session, message: Message, fault: PayloadError) -> None:
        """A message could not be said to ``session``. Whoever waits for an answer gets one; an event is dropped."""
        if isinstance(message, Invocation | Result | Error):
            self.dealer.undeliverable(session, message, fault)

    def _refuse(self, session: Session, message: Any, refusal: RequestRefused) -> None:
        if isinstance(message, Publish) and not message.options.acknowledge:
            return
        request_type = CODES[type(message)]
        error = Error(request_type, message.request_id, ErrorDetails(), refusal.uri, positional(str(refusal)))
        self._outbox.append(Send((session.id,), error, PYTHON))


def _nothing(session: Session, message: Message) -> None:
    """The message is legal, and the feature it belongs to is not announced."""
