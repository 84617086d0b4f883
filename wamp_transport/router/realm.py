"""Manage a realm's sessions, route their messages to the broker and dealer, and publish the realm's meta events."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
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
from ..wamp.uris import is_reserved, is_uri
from .broker import Broker
from .dealer import Dealer
from .effects import Effect, Send, SilentRefusal
from .environment import Environment, RouterProcedure
from .limits import Owner, SessionLimits
from .meta.context import Context
from .meta.gathering import answer_question, bind_shared_procedures
from .meta.procedures import bind_procedures
from .open_questions import OpenQuestions
from .options import TRUSTED, Action, Match, Permission, RealmOptions, RoleOptions, ServiceOptions
from .pending import PendingMessages
from .permissions import ALLOWED, Role
from .records import ACTIVE_STATES, REQUEST_KEY, RealmStats, Session, session_details
from .relay import Cluster
from .suspension import MessageSuspended
from .testaments import Testaments

ALLOW_EVERYTHING = Permission("", "prefix", True, True, True, True, disclose_caller=True, disclose_publisher=True)
TRUSTED_ROLE = RoleOptions(TRUSTED, (ALLOW_EVERYTHING,))
"""The role ``trusted``, which every realm has. As in Crossbar, it always discloses the identity of its sessions."""

Leave = Callable[..., None]
"""A function that ends a session. It has the parameters of :meth:`.Router.leave`."""

META_API_FEATURES = ("_meta_api", "event_history")
"""A feature requires the meta API if its name ends with one of these suffixes."""

SEQUENCED_REQUESTS = frozenset({Publish, Subscribe, Unsubscribe, Call, Register, Unregister})
"""The messages whose request ids must be 1, 2, 3, ... in a realm with ``strict_request_ids``."""


class Realm:
    """A realm: sessions that can communicate with each other, and the roles that they can have.

    ``leave`` is the router's function that ends a session. The methods put their effects, such as messages to send,
    into ``outbox``. Messages are handled one at a time: :meth:`receive` is never called while a message is handled.
    """

    def __init__(self, options: RealmOptions, outbox: list[Effect], environment: Environment, leave: Leave) -> None:
        self.options = options
        self.roles: dict[str, Role] = {}
        self.sessions: dict[int, Session] = {}
        self._outbox = outbox
        self._last_requests: dict[int, int] = {}
        self._limits: dict[tuple[str, ServiceOptions], SessionLimits] = {}
        self._leaving: deque[Iterator[None]] = deque()
        self._reviews: deque[Iterator[bool]] = deque()
        self._reauthorize: set[str] = set()
        self._clock = environment.clock
        self._router_procedures: dict[str, RouterProcedure] = {}
        self.broker = Broker(options.name, self.roles, outbox, environment, self._announce)
        self.dealer = Dealer(options.name, self.roles, outbox, environment, self._announce, self._router_procedures)
        self.testaments = Testaments()
        self._questions: OpenQuestions | None = None
        self._context = Context(self.sessions, self.broker, self.dealer, self.testaments, environment, leave)
        self._handlers: dict[type[Message], Callable[[Session, Any], None]] = {
            Publish: self.broker.on_publish,
            Subscribe: self.broker.on_subscribe,
            Unsubscribe: self.broker.on_unsubscribe,
            EventReceived: _ignore,
            Call: self.dealer.on_call,
            Cancel: self.dealer.calls.on_cancel,
            Register: self.dealer.on_register,
            Unregister: self.dealer.on_unregister,
            Yield: self.dealer.calls.on_yield,
            Error: self.dealer.on_error,
        }
        self.configure(options)

    def configure(self, options: RealmOptions) -> None:
        """Apply new options.

        :meth:`run_cleanup` revokes subscriptions and registrations that the options no longer allow.
        """
        for name, role in options.roles.items():
            old = self.options.roles.get(name, role)
            if role.authorizer is not None and (old.authorizer is None or old.authorizer.name != role.authorizer.name):
                self._reauthorize.add(name)
        self.options = options
        if not options.strict_request_ids:
            self._last_requests.clear()
        self.roles.clear()
        for role in (*options.roles.values(), TRUSTED_ROLE):
            self.roles[role.name] = Role(role, loose_uris=options.loose_uris, clock=self._clock)
        self._limits.clear()
        for session in self.sessions.values():
            self.apply_role(session)
        self._reviews.clear()
        self._reviews.extend(self._review(session) for session in self.sessions.values())
        self._bind_meta_procedures()
        self.testaments.options = options
        self.broker.configure(options)
        self.dealer.configure(options)

    def share_meta_api(self, cluster: Cluster) -> None:
        """Answer calls of meta procedures on behalf of all nodes, and answer the questions of other nodes."""
        self._questions = cluster.questions
        cluster.realm(self.options.name).answer_question = partial(answer_question, self._context)
        self._bind_meta_procedures()

    def welcome_roles(self) -> dict[str, dict[str, dict[str, bool]]]:
        """Return ``WELCOME.Details.roles``. If the meta API is disabled, omit the features that require it."""
        roles = router_roles()
        if not self.options.enable_meta_api:
            for role in roles.values():
                features = role["features"]
                role["features"] = {name: True for name in features if not name.endswith(META_API_FEATURES)}
        return roles

    def join(self, session: Session) -> None:
        """Add a session to the realm."""
        self.sessions[session.id] = session
        self.apply_role(session)
        if self.options.strict_request_ids:
            self._last_requests[session.id] = 0

    def announce_join(self, session: Session) -> None:
        """Publish the meta event for a session that has joined.

        Call this after sending WELCOME, because the session may receive the event.
        """
        self._announce("wamp.session.on_join", "", session_details(session))

    def goodbye_reason(self, reason: str) -> str:
        """Return the reason to send in the answer to a client's GOODBYE.

        In Crossbar's dialect, this is the client's own reason, provided that it is a valid URI.
        """
        is_repeated = self.options.dialect == "crossbar" and is_uri(reason, loose=True)
        return reason if is_repeated else errors.CLOSE_GOODBYE_AND_OUT

    def receive(self, session: Session, message: Message) -> None:
        """Handle one message of a session of the realm.

        If the realm refuses a request, send an ERROR to the session. Raises ProtocolViolation if the message is
        invalid, and MessageSuspended if it must be handled again after a decision has arrived.
        """
        if self.options.strict_request_ids and type(message) in SEQUENCED_REQUESTS:
            self._count(session, message)
        try:
            self._handlers[type(message)](session, message)
        except RequestRefused as refusal:
            self._refuse(session, message, refusal)

    def limit_owners(self, authrole: str, service: ServiceOptions) -> tuple[Owner, ...]:
        """Return the name and the limits of a session's realm, role and service.

        The result is empty for the role ``trusted``, which has no limits.
        """
        if authrole == TRUSTED:
            return ()
        name = self.options.name
        return (
            (f"realm {name!r}", self.options.limits),
            (f"role {authrole!r} of realm {name!r}", self.options.roles[authrole].limits),
            (f"service {service.key!r}", service.limits),
        )

    def apply_role(self, session: Session) -> None:
        """Set the limits and the trust level of a session, as its realm, role and service define them."""
        key = (session.authrole, session.service)
        if key not in self._limits:
            self._limits[key] = SessionLimits(*self.limit_owners(*key))
        session.limits = self._limits[key]
        session.trustlevel = self.roles[session.authrole].trustlevel

    def detach(self, session: Session, *, is_quiet: bool = False) -> bool:
        """Remove a session from the realm. Return False if the session was already removed.

        The session's calls end immediately. :meth:`run_cleanup` removes its subscriptions and registrations later. If
        ``is_quiet`` is true, its testaments and the meta event are not published. Change the session's state before
        calling this method, because a removed session must not be in an active state.
        """
        if self.sessions.pop(session.id, None) is None:
            return False
        self._last_requests.pop(session.id, None)
        self.dealer.calls.detach(session)
        testaments = self.testaments.take(session)
        if not is_quiet:
            for publish in testaments:
                self._publish_testament(session, publish)
            identity = () if self.options.dialect == "crossbar" else (session.authid, session.authrole)
            self._announce("wamp.session.on_leave", "", session.id, *identity)
        self._leaving.append(self._teardown_steps(session))
        if not self.sessions:
            self._limits.clear()
        return True

    def run_cleanup(self, steps: int) -> int:
        """Clean up after sessions that have left and after a change of options, in at most ``steps`` steps.

        Each step handles one subscription or registration: it is removed if its session has left, and revoked if the
        session's role no longer allows it. Return the number of unused steps.
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
            self._reauthorize.clear()
        return steps

    def _teardown_steps(self, session: Session) -> Iterator[None]:
        """Remove the registrations and subscriptions of a session that left, one per step, oldest first.

        Items that were removed since the first step, such as a registration that another session has replaced, take no
        step. Iterate over lists, because finding the first item of a dict becomes slower with each removed item.
        """
        registrations = list(reversed(session.registrations.values()))
        while registrations:
            registration = registrations.pop()
            if registration.id in session.registrations:
                self.dealer.remove_callee(session, registration)
                yield
        subscriptions = list(reversed(session.subscriptions.values()))
        while subscriptions:
            subscription = subscriptions.pop()
            if subscription.id in session.subscriptions:
                self.broker.remove_subscriber(session, subscription)
                yield

    @property
    def has_cleanup(self) -> bool:
        """Whether :meth:`run_cleanup` has anything left to do."""
        return bool(self._leaving or self._reviews)

    def stats(self) -> RealmStats:
        """Return how many sessions, subscriptions and other objects the realm has."""
        return RealmStats(
            sessions=len(self.sessions),
            subscriptions=len(self.broker.subscriptions),
            registrations=len(self.dealer.registrations),
            calls=sum(len(session.calls) for session in self.sessions.values()),
            retained=len(self.broker.retained),
        )

    def on_undeliverable(self, session: Session, message: Message, fault: PayloadError) -> None:
        """Handle a message that could not be encoded for ``session``: end its call with an ERROR, or drop it."""
        if isinstance(message, Invocation | Result | Error):
            self.dealer.on_undeliverable(session, message, fault)

    def _bind_meta_procedures(self) -> None:
        self._router_procedures.clear()
        if self.options.enable_meta_api:
            self._router_procedures.update(bind_procedures(self._context, self._outbox))
            if self._questions is not None:
                self._router_procedures.update(bind_shared_procedures(self._context, self._outbox, self._questions))

    def _announce(self, topic: str, about: str, *args: Any) -> None:
        if self.options.enable_meta_api and not is_reserved(about):
            self.broker.publish_own(topic, *args)

    def _review(self, session: Session) -> Iterator[bool]:
        """After a change of options, revoke subscriptions and registrations that a session's role no longer allows.

        If the role has a new authorizer, revoke all subscriptions and registrations, and delete the session's
        testaments. If the role has the same authorizer as before, revoke none. Yield False after reviewing each
        subscription or registration.
        """
        for registration in list(session.registrations.values()):
            if registration.id in session.registrations:
                if not self._is_still_allowed(session, "register", registration.procedure, registration.match):
                    self.dealer.revoke(session, registration, errors.NOT_AUTHORIZED)
                yield False
        for subscription in list(session.subscriptions.values()):
            if subscription.id in session.subscriptions:
                if not self._is_still_allowed(session, "subscribe", subscription.topic, subscription.match):
                    self.broker.revoke(session, subscription, errors.NOT_AUTHORIZED)
                yield False
        if session.authrole in self._reauthorize:
            self.testaments.take(session)

    def _is_still_allowed(self, session: Session, action: Action, uri: str, match: Match) -> bool:
        if session.state not in ACTIVE_STATES:
            return True  # The session has left, and _teardown_steps removes everything that it has.
        role = self.roles[session.authrole]
        if role.authorizer is not None:
            return session.authrole not in self._reauthorize
        return role.decide(action, uri, match).allowed

    def _publish_testament(self, session: Session, publish: Publish) -> None:
        """Publish a testament on behalf of its session, unless the session's role may no longer do this.

        If the role has an authorizer, the publication is allowed without asking again. The authorizer was asked when
        the testament was added, and a session that has ended cannot wait for another decision.
        """
        payload_format, session.payload_format = session.payload_format, PYTHON
        session.pending = PendingMessages()
        try:
            try:
                self.broker.on_publish(session, publish)
            except MessageSuspended as suspended:
                session.pending.answers[suspended.suspension.key] = ALLOWED
                self.broker.on_publish(session, publish)
        except (RequestRefused, ProtocolViolation):
            pass
        finally:
            session.payload_format = payload_format
            session.pending = None

    def _count(self, session: Session, message: Any) -> None:
        """Check that a session's request ids are 1, 2, 3, ... (Basic Profile, "IDs"). Raises ProtocolViolation.

        All CALL messages of a progressive call have the same id. If ``strict_request_ids`` was enabled after the
        session joined, the sequence begins with the id of the session's next request.
        """
        request_id = message.request_id
        if session.pending is not None and session.pending.message is message:
            return  # The message was counted before it was suspended.
        if type(message) is Call and (request_id ^ REQUEST_KEY in session.calls or request_id in session.ended_streams):
            return
        expected = self._last_requests.get(session.id, request_id - 1) + 1
        if request_id != expected:
            name = NAMES[type(message)]
            raise ProtocolViolation(f"{name}.request must be {expected}, the next in sequence, not {request_id}")
        self._last_requests[session.id] = request_id

    def _refuse(self, session: Session, message: Any, refusal: RequestRefused) -> None:
        request_type = CODES[type(message)]
        error = Error(request_type, message.request_id, ErrorDetails(), refusal.uri, positional(str(refusal)))
        if isinstance(message, Publish) and not message.options.acknowledge:
            self._outbox.append(SilentRefusal(session.id, error))
        else:
            self._outbox.append(Send((session.id,), error, PYTHON))


def has_role(options: RealmOptions, name: str) -> bool:
    """Return whether a realm has a role of this name."""
    return name in options.roles or name == TRUSTED


def _ignore(session: Session, message: Message) -> None:
    """Ignore a valid message that belongs to a feature which the router does not announce."""
