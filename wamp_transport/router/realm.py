"""One realm: who is in it, which of its parts handles a message, and what is told of its life."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ..wamp import errors
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
from .limits import Owner, SessionLimits
from .meta.context import Context
from .meta.procedures import built_in
from .meta.sessions import details_of
from .options import TRUSTED, Action, Match, Permission, RealmOptions, RoleOptions, ServiceOptions
from .permissions import ALLOWED, Role
from .ports import BuiltIn, Environment
from .records import PRESENT, RealmStats, Session
from .testaments import take_testaments
from .waiting import Undecided, Waiting

EVERYTHING = Permission("", "prefix", True, True, True, True, disclose_caller=True, disclose_publisher=True)
TRUSTED_ROLE = RoleOptions(TRUSTED, (EVERYTHING,))
"""The role of sessions from inside the process, in every realm. Who they are is always told, as Crossbar does."""

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
        self._limits: dict[tuple[str, ServiceOptions], SessionLimits] = {}
        self._leaving: deque[Iterator[None]] = deque()
        self._reviews: deque[Iterator[bool]] = deque()
        self._distrusted: set[str] = set()
        self._clock = environment.clock
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
            Cancel: self.dealer.calls.on_cancel,
            Register: self.dealer.on_register,
            Unregister: self.dealer.on_unregister,
            Yield: self.dealer.calls.on_yield,
            Error: self.dealer.on_error,
        }
        self.configure(options)

    def configure(self, options: RealmOptions) -> None:
        """Take new options: what sessions do from now on is decided by them, what they hold is reviewed."""
        for name, role in options.roles.items():
            old = self.options.roles.get(name, role)
            if role.authorizer is not None and (old.authorizer is None or old.authorizer.name != role.authorizer.name):
                self._distrusted.add(name)
        self.options = options
        if not options.strict_request_ids:
            self._last_requests.clear()
        self.roles.clear()
        for role in (*options.roles.values(), TRUSTED_ROLE):
            self.roles[role.name] = Role(role, loose_uris=options.loose_uris, clock=self._clock)
        self._limits.clear()
        for session in self.sessions.values():
            self.take_terms(session)
        self._reviews.clear()
        self._reviews.extend(self._review(session) for session in self.sessions.values())
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
        self.take_terms(session)
        if self.options.strict_request_ids:
            self._last_requests[session.id] = 0

    def joined(self, session: Session) -> None:
        """``session`` has got its WELCOME: tell who listens."""
        self._announce("wamp.session.on_join", "", details_of(session))

    def receive(self, session: Session, message: Message) -> None:
        """Handle one message of a session that has joined.

        Raises ProtocolViolation; and Undecided where an authorizer must be asked before it can be handled, once more.
        """
        if self.options.strict_request_ids and type(message) in COUNTED:
            self._count(session, message)
        try:
            self._handlers[type(message)](session, message)
        except RequestRefused as refusal:
            self._refuse(session, message, refusal)

    def owners(self, authrole: str, service: ServiceOptions) -> tuple[Owner, ...]:
        """Whose limits hold for a session of this role that comes through this service."""
        if authrole == TRUSTED:
            return ()
        name = self.options.name
        return (
            (f"realm {name!r}", self.options.limits),
            (f"role {authrole!r} of realm {name!r}", self.options.roles[authrole].limits),
            (f"service {service.key!r}", service.limits),
        )

    def take_terms(self, session: Session) -> None:
        """What realm, role and service say holds for ``session`` from now on."""
        key = (session.authrole, session.service)
        if key not in self._limits:
            self._limits[key] = SessionLimits(*self.owners(*key))
        session.limits = self._limits[key]
        session.trustlevel = self.roles[session.authrole].trustlevel

    def detach(self, session: Session, *, is_quiet: bool = False) -> bool:
        """``session`` leaves. Its calls end at once; its subscriptions and registrations follow by :meth:`work`.

        ``is_quiet``: without its testaments, and nobody is told. Returns whether it was still there.
        """
        if self.sessions.pop(session.id, None) is None:
            return False
        self._last_requests.pop(session.id, None)
        self.dealer.calls.detach(session)
        testaments = take_testaments(session)
        if not is_quiet:
            for publish in testaments:
                self._execute(session, publish)
            self._announce("wamp.session.on_leave", "", session.id, session.authid, session.authrole)
        self._leaving.append(self._taken_apart(session))
        if not self.sessions:
            self._limits.clear()
        return True

    def work(self, steps: int) -> int:
        """Take apart what left sessions held and what is no longer allowed, ``steps`` pieces at most.

        Returns how many steps are left over.
        """
        while steps and self._leaving:
            if next(self._leaving[0], True):
                self._leaving.popleft()
            else:
                steps -= 1
        while steps and self._reviews:
            if next(self._reviews[0], True):
                self._reviews.popleft()
            else:
                steps -= 1
        if not self._reviews:
            self._distrusted.clear()
        return steps

    def _taken_apart(self, session: Session) -> Iterator[None]:
        """Take what a left session held, one at a time, the oldest first.

        From lists: a dict finds its first item ever more slowly while first items go.
        """
        registrations = list(reversed(session.registrations.values()))
        while registrations:
            self.dealer.remove_callee(session, registrations.pop())
            yield
        subscriptions = list(reversed(session.subscriptions.values()))
        while subscriptions:
            self.broker.remove_subscriber(session, subscriptions.pop())
            yield

    @property
    def has_work(self) -> bool:
        """Whether :meth:`work` has something to do."""
        return bool(self._leaving or self._reviews)

    def stats(self) -> RealmStats:
        """Count what is in the realm now."""
        return RealmStats(
            sessions=len(self.sessions),
            subscriptions=len(self.broker.subscriptions),
            registrations=len(self.dealer.registrations),
            calls=sum(len(session.calls) for session in self.sessions.values()),
            retained=len(self.broker.retained),
        )

    def undeliverable(self, session: Session, message: Message, fault: PayloadError) -> None:
        """A message could not be said to ``session``. Whoever waits for an answer gets one; an event is dropped."""
        if isinstance(message, Invocation | Result | Error):
            self.dealer.undeliverable(session, message, fault)

    def _announce(self, topic: str, about: str, *args: Any) -> None:
        if self.options.enable_meta_api and not is_reserved(about):
            self.broker.publish_own(topic, *args)

    def _review(self, session: Session) -> Iterator[bool]:
        """Revoke what the role of ``session`` allows no longer, a piece at each step.

        What an authorizer has allowed stays; where there was none, or another one, nobody has allowed it.
        """
        for registration in list(session.registrations.values()):
            if registration.id in session.registrations:
                if not self._may_keep(session, "register", registration.procedure, registration.match):
                    self.dealer.revoke(session, registration, errors.NOT_AUTHORIZED)
                yield False
        for subscription in list(session.subscriptions.values()):
            if subscription.id in session.subscriptions:
                if not self._may_keep(session, "subscribe", subscription.topic, subscription.match):
                    self.broker.revoke(session, subscription, errors.NOT_AUTHORIZED)
                yield False
        if session.authrole in self._distrusted:
            for wills in session.testaments.values():
                wills.clear()

    def _may_keep(self, session: Session, action: Action, uri: str, match: Match) -> bool:
        if session.state not in PRESENT:
            return True  # it is taken apart anyway
        role = self.roles[session.authrole]
        if role.authorizer is not None:
            return session.authrole not in self._distrusted
        return role.decide(action, uri, match).allowed

    def _execute(self, session: Session, publish: Publish) -> None:
        """Publish a testament as if the session still did. What its role may no longer publish is dropped.

        An authorizer was asked when the testament was left; there is nobody to wait for another answer.
        """
        payload_format, session.payload_format = session.payload_format, PYTHON
        session.waiting = Waiting()
        try:
            try:
                self.broker.on_publish(session, publish)
            except Undecided as undecided:
                session.waiting.decisions[undecided.question] = ALLOWED
                self.broker.on_publish(session, publish)
        except (RequestRefused, ProtocolViolation):
            pass
        finally:
            session.payload_format = payload_format
            session.waiting = None

    def _count(self, session: Session, message: Any) -> None:
        """Request ids are 1, 2, 3 and so on (Basic Profile, "IDs"); further parts of a progressive call repeat its id.

        A session that was there before the realm became strict goes on from where it is.
        """
        request_id = message.request_id
        if session.waiting is not None and session.waiting.message is message:
            return  # it was counted before it had to wait
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


def has_role(options: RealmOptions, name: str) -> bool:
    """Whether a session may have this role in a realm."""
    return name in options.roles or name == TRUSTED


def _nothing(session: Session, message: Message) -> None:
    """The message is legal, and the feature it belongs to is not announced."""
