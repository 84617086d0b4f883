"""One realm: who is in it, which of its parts handles a message, and what is told of its life."""

from collections import deque
from collections.abc import Callable
from typing import Any

from ..wamp.errors import PayloadError, ProtocolViolation, RequestRefused
from ..wamp.features import router_roles
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
from ..wamp.uris import is_reserved
from .broker import Broker
from .dealer import Dealer
from .effects import Effect, Send
from .meta.context import Context
from .meta.procedures import built_in
from .meta.sessions import details_of
from .options import RealmOptions
from .permissions import Role
from .ports import BuiltIn, Environment
from .records import Session
from .testaments import take_testaments

Leave = Callable[..., None]
"""Ends a session: id, reason, message, is_quiet=False."""

NEEDS_META_API = ("_meta_api", "event_history")
"""How the names of features end that are nothing without meta procedures and events."""

COUNTED = frozenset({Publish, Subscribe, Unsubscribe, Call, Register, Unregister})
"""The messages that open a request of their own."""


class Realm:
    """Sessions that reach each other, under one set of roles. ``leave`` ends a session."""

    def __init__(self, options: RealmOptions, outbox: list[Effect], environment: Environment, leave: Leave) -> None:
        self.options = options
        self.roles: dict[str, Role] = {}
        self.sessions: dict[int, Session] = {}
        self._outbox = outbox
        self._last_requests: dict[int, int] = {}
        self._leaving: deque[Session] = deque()
        self._built_in: dict[str, BuiltIn] = {}
        self.broker = Broker(options.name, self.roles, outbox, environment, self._announce)
        self.dealer = Dealer(options.name, self.roles, outbox, environment, self._announce, self._built_in)
        self._context = Context(self.sessions, self.broker, self.dealer, environment, leave)
        self._handlers: dict[type[Message], Callable[[Session, Any], None]] = {
            Publish: self.broker.on_publish,
            Subscribe: self.broker.on_subscribe,
            Unsubscribe: self.broker.on_unsubscribe,
            EventReceived: _nothing,
            Call: self.dealer.on_call,
            Cancel: self.dealer.on_cancel,
            Register: self.dealer.on_register,
            Unregister: self.dealer.on_unregister,
            Yield: self.dealer.on_yield,
            Error: self.dealer.on_error,
        }
        self.configure(options)

    def configure(self, options: RealmOptions) -> None:
        """Take new options: what sessions do from now on is decided by them."""
        self.options = options
        if not options.strict_request_ids:
            self._last_requests.clear()
        self.roles.clear()
        for name, role in options.roles.items():
            self.roles[name] = Role(role, loose_uris=options.loose_uris)
        for session in self.sessions.values():
            session.trustlevel = options.roles[session.authrole].trustlevel
        self._built_in.clear()
        if options.enable_meta_api:
            self._built_in.update(built_in(self._context, self._outbox))
        self.broker.configure(options)
        self.dealer.configure(options)

    def announced(self) -> dict[str, dict[str, dict[str, bool]]]:
        """``WELCOME.Details.roles``: all features, without the meta API those that do without it."""
        roles = router_roles()
        if not self.options.enable_meta_api:
            for role in roles.values():
                features = role["features"]
                role["features"] = {name: True for name in features if not name.endswith(NEEDS_META_API)}
        return roles

    def join(self, session: Session) -> None:
        """``session`` is in the realm from now on."""
        self.sessions[session.id] = session
        session.trustlevel = self.options.roles[session.authrole].trustlevel
        if self.options.strict_request_ids:
            self._last_requests[session.id] = 0

    def joined(self, session: Session) -> None:
        """``session`` has got its WELCOME: tell who listens."""
        self._announce("wamp.session.on_join", "", details_of(session))

    def receive(self, session: Session, message: Message) -> None:
        """Handle one message of a session that has joined. Raises ProtocolViolation."""
        if self.options.strict_request_ids and type(message) in COUNTED:
            self._count(session, message)
        try:
            self._handlers[type(message)](session, message)
        except RequestRefused as refusal:
            self._refuse(session, message, refusal)

    def detach(self, session: Session, *, is_quiet: bool = False) -> None:
        """``session`` leaves. Its calls end at once; its subscriptions and registrations follow by :meth:`work`.

        ``is_quiet``: without its testaments, and nobody is told.
        """
        if self.sessions.pop(session.id, None) is None:
            return
        self._last_requests.pop(session.id, None)
        self.dealer.calls.detach(session)
        testaments = take_testaments(session)
        if not is_quiet:
            for publish in testaments:
                self._execute(session, publish)
            self._announce("wamp.session.on_leave", "", session.id, session.authid, session.authrole)
        self._leaving.append(session)

    def work(self, steps: int) -> int:
        """Take apart what left sessions held, ``steps`` pieces at most; how many steps are left over."""
        while steps and self._leaving:
            session = self._leaving[0]
            if session.registrations:
                self.dealer.remove_callee(session, next(iter(session.registrations.values())))
            elif session.subscriptions:
                self.broker.remove_subscriber(session, next(iter(session.subscriptions.values())))
            else:
                self._leaving.popleft()
                continue
            steps -= 1
        return steps

    @property
    def has_work(self) -> bool:
        """Whether :meth:`work` has something to do."""
        return bool(self._leaving)

    def undeliverable(self, session: Session, message: Message, fault: PayloadError) -> None:
        """A message could not be said to ``session``. Whoever waits for an answer gets one; an event is dropped."""
        if isinstance(message, Invocation | Result | Error):
            self.dealer.undeliverable(session, message, fault)

    def _announce(self, topic: str, about: str, *args: Any) -> None:
        if self.options.enable_meta_api and not is_reserved(about):
            self.broker.publish_own(topic, *args)

    def _execute(self, session: Session, publish: Publish) -> None:
        """Publish a testament as if the session still did. What its role may no longer publish is dropped."""
        payload_format, session.payload_format = session.payload_format, PYTHON
        try:
            self.broker.on_publish(session, publish)
        except (RequestRefused, ProtocolViolation):
            pass
        finally:
            session.payload_format = payload_format

    def _count(self, session: Session, message: Any) -> None:
        """Request ids are 1, 2, 3 and so on (Basic Profile, "IDs"); further parts of a progressive call repeat its id.

        A session that was there before the realm became strict goes on from where it is.
        """
        request_id = message.request_id
        if type(message) is Call and (request_id in session.calls or request_id in session.ended_streams):
            return
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
