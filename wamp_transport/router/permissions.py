"""Decide what a role may do, with its permissions or with an authorizer, and cache the decisions."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.uris import describe_fault, is_uri
from .decisions import Answer, Deny, Permit
from .effects import AuthorizationRequest
from .matching import PatternIndex
from .options import Action, AuthorizerOptions, Match, Permission, RoleOptions
from .records import Session, session_details
from .suspension import MessageSuspended

MAX_CACHED_DECISIONS = 10_000
"""Maximum number of cached decisions per role and action; for decisions of an authorizer, per role.

Without a limit, clients could fill the memory with URIs.
"""
MAX_CACHED_URI_LENGTH = 255
"""Maximum length of a URI with a cached decision. For decisions of an authorizer, the encoded options are included."""

NEVER = float("inf")

_encode = msgspec.json.Encoder().encode

ALLOW_ALL = Permission(uri="", match="prefix", call=True, register=True, publish=True, subscribe=True)
DENY_ALL = Permission(uri="", match="prefix")


class Decision:
    """The decision whether a role may perform an action with a URI.

    - ``disclose``: whether the receiver of the call or event learns the identity of the caller or publisher
    - ``is_valid``: whether the URI is valid
    - ``failure``: the error URI and text to send if the URI is invalid, or if an authorizer failed or answered with
      Deny; otherwise None
    """

    __slots__ = ("allowed", "disclose", "failure", "is_valid")

    def __init__(self, allowed: bool, disclose: bool, is_valid: bool, failure: tuple[str, str] | None = None) -> None:
        self.failure = failure
        self.allowed = allowed
        self.disclose = disclose
        self.is_valid = is_valid


ALLOWED = Decision(allowed=True, disclose=False, is_valid=True)
DECISIONS = {
    (allowed, disclose): Decision(allowed, disclose, is_valid=True)
    for allowed in (False, True)
    for disclose in (False, True)
}
"""All decisions that permissions can make on a valid URI."""


class Rules:
    """The permissions of a role, in an index that finds the permission for a URI or a pattern.

    At most one permission decides on a URI: the permission for exactly this URI, else the longest matching prefix, else
    the matching wildcard with the most literal components. If several wildcards have the same number of literals, the
    one with a literal at the first component in which they differ decides.

    A permission can decide on a pattern only if it covers all URIs of the pattern. Permissions that cover only some of
    these URIs are applied later, to each event or call. If two permissions have the same match policy and URI, the
    later one replaces the earlier one.
    """

    __slots__ = ("_index",)

    def __init__(self, permissions: Iterable[Permission]) -> None:
        self._index: PatternIndex[Permission] = PatternIndex()
        for permission in permissions:
            self._index.put(permission.match, permission.uri, permission)

    def find(self, uri: str) -> Permission | None:
        """Return the permission that decides on a URI, or None. It is the first item of :meth:`find_all`."""
        exact = self._index.exact.get(uri)
        if exact is not None:
            return exact
        patterns = self._index.patterns(uri)
        return patterns[0] if len(patterns) == 1 else min(patterns, key=_rank, default=None)

    def find_all(self, uri: str, match: Match = "exact") -> list[Permission]:
        """Return the permissions that cover a URI or all URIs of a pattern. The first permission decides."""
        if match != "exact":
            return sorted(self._index.find_covering(match, uri), key=_rank)
        exact = self._index.exact.get(uri)
        patterns = sorted(self._index.patterns(uri), key=_rank)
        return patterns if exact is None else [exact, *patterns]


def _rank(permission: Permission) -> int:
    """Return the sort key of a permission for a prefix or wildcard; lower keys take precedence.

    All prefixes have the same key, because they are already sorted by length, and a stable sort keeps this order.
    """
    if permission.match == "prefix":
        return PREFIX_RANK
    return -sum(1 for component in permission.uri.split(".") if component)


PREFIX_RANK = -(1 << 30)
"""The rank of prefixes. It is lower than the rank of any wildcard, because no URI has that many components."""


class Question(NamedTuple):
    """A question to an authorizer: may a session perform this action? The answer is cached with the question as key.

    ``options`` are the encoded options of the session's message. The answer is not reused for messages with other
    options. ``authid`` is empty if the answer is valid for all sessions of the role.
    """

    action: Action
    uri: str
    match: Match
    options: bytes
    authid: str


class AuthorizerSuspension:
    """The suspension of a message until the role's authorizer has decided whether to allow its action."""

    __slots__ = ("_authorizer", "_options", "_role", "_session", "key")

    timeout_answer = Deny(errors.AUTHORIZATION_FAILED, "the authorizer did not answer in time")

    def __init__(
        self, role: "Role", authorizer: AuthorizerOptions, session: Session, question: Question, options: Any
    ) -> None:
        self._role = role
        self._authorizer = authorizer
        self._session = session
        self._options = options
        self.key = question

    @property
    def timeout(self) -> float:
        """Seconds to wait for the authorizer."""
        return self._authorizer.timeout

    def request(self, ticket: int) -> AuthorizationRequest:
        """Return the effect that makes the node ask the authorizer whether to allow the action.

        ``ticket`` identifies the request.
        """
        session = self._session
        return AuthorizationRequest(
            ticket,
            session.id,
            session.realm,
            session_details(session),
            self._authorizer.name,
            self.key.action,
            self.key.uri,
            self.key.match,
            self._options,
        )

    def resolve(self, answer: Answer) -> Decision:
        """Convert the authorizer's answer to a decision, and cache the decision if the answer permits caching.

        Any answer other than Permit refuses the action, so that a failing authorizer never allows anything.
        """
        if isinstance(answer, Permit):
            decision = Decision(answer.allow, answer.disclose, is_valid=True)
            if answer.cache:
                self._role.remember(self.key, decision)
            return decision
        if not isinstance(answer, Deny):
            answer = Deny(errors.AUTHORIZATION_FAILED, "the authorizer gave no valid answer")
        return Decision(False, False, is_valid=True, failure=(answer.reason, answer.message))


class Role:
    """A role of a realm. ``calls`` and ``publications`` cache decisions by URI; the hot path reads them directly."""

    __slots__ = (
        "_authorizer_cache", "_cache", "_clock", "_default", "_loose_uris", "_rules", "authorizer", "calls", "name",
        "publications", "registrations", "subscriptions", "trustlevel",
    )  # fmt: skip

    def __init__(self, options: RoleOptions, *, loose_uris: bool, clock: Callable[[], float] = float) -> None:
        self.name = options.name
        self.trustlevel = options.trustlevel
        self.authorizer = options.authorizer
        self._clock = clock
        self._authorizer_cache: dict[tuple[Any, ...], tuple[Decision, float]] = {}
        self._loose_uris = loose_uris
        self._default = ALLOW_ALL if options.allow_by_default else DENY_ALL
        self._rules = Rules(options.permissions)
        self.calls: dict[str, Decision] = {}
        self.publications: dict[str, Decision] = {}
        self.registrations: dict[str, Decision] = {}
        self.subscriptions: dict[str, Decision] = {}
        self._cache: dict[Action, dict[str, Decision]] = {
            "call": self.calls,
            "publish": self.publications,
            "register": self.registrations,
            "subscribe": self.subscriptions,
        }

    def check(self, session: Session, action: Action, uri: str, options: Any, match: Match = "exact") -> Decision:
        """Return the decision whether a session may perform an action. ``options`` are the options of its message.

        Raises MessageSuspended if the role's authorizer must decide first. Call this method before changing any state,
        because the same message is handled again after the authorizer's decision.
        """
        authorizer = self.authorizer
        if authorizer is None:
            return self.decide(action, uri, match)
        # A plain tuple equals a Question with the same values, and is created in a quarter of the time.
        question = (action, uri, match, _encode(options), session.authid if authorizer.is_per_authid else "")
        if session.pending is not None and question in session.pending.answers:
            decision: Decision = session.pending.answers[question]
            return decision
        remembered = self._authorizer_cache.get(question)
        if remembered is not None and (remembered[1] == NEVER or self._clock() < remembered[1]):
            return remembered[0]
        if not is_uri(uri, match, loose=self._loose_uris):
            return self._invalid(uri, match)
        raise MessageSuspended(AuthorizerSuspension(self, authorizer, session, Question(*question), options))

    def covers(self, action: Action, uri: str) -> bool:
        """Return whether a role that was allowed to use a pattern may also use this URI, which matches the pattern.

        The decision of an authorizer on a pattern applies to all URIs of the pattern.
        """
        return self.authorizer is not None or self.decide(action, uri).allowed

    def remember(self, question: Question, decision: Decision) -> None:
        """Cache an authorizer's decision for ``remember_for`` seconds, or without a time limit if this is 0.

        Do not cache it if the URI and the options are too long.
        """
        if self.authorizer is None or len(question.uri) + len(question.options) > MAX_CACHED_URI_LENGTH:
            return
        if len(self._authorizer_cache) >= MAX_CACHED_DECISIONS:
            self._authorizer_cache.clear()
        seconds = self.authorizer.remember_for
        self._authorizer_cache[question] = (decision, self._clock() + seconds if seconds else NEVER)

    def decide(self, action: Action, uri: str, match: Match = "exact") -> Decision:
        """Return the decision that follows from the role's permissions for a URI or a pattern; see :class:`Rules`.

        A pattern that is allowed can match URIs that other permissions deny. Therefore, events and calls that reach a
        session through a pattern must be checked again, each with its own URI.
        """
        if match != "exact":
            return self._decide(action, uri, match)
        remembered = self._cache[action]
        decision = remembered.get(uri)
        if decision is None:
            decision = self._decide(action, uri, match)
            if len(uri) <= MAX_CACHED_URI_LENGTH:
                if len(remembered) >= MAX_CACHED_DECISIONS:
                    remembered.clear()
                remembered[uri] = decision
        return decision

    def _decide(self, action: Action, uri: str, match: Match) -> Decision:
        if not is_uri(uri, match, loose=self._loose_uris):
            return self._invalid(uri, match)
        if match == "exact":
            rule = self._rules.find(uri) or self._default
        else:
            rule = next(iter(self._rules.find_all(uri, match)), self._default)
        if action == "publish":
            return DECISIONS[rule.publish, rule.disclose_publisher]
        if action == "call":
            return DECISIONS[rule.call, rule.disclose_caller]
        return DECISIONS[rule.register if action == "register" else rule.subscribe, False]

    def _invalid(self, uri: str, match: Match) -> Decision:
        text = describe_fault(uri, match, loose=self._loose_uris)
        return Decision(False, False, is_valid=False, failure=(errors.INVALID_URI, text))


def refusal(decision: Decision, action: str, uri: str) -> RequestRefused:
    """Return the error to send to a session that is not allowed to perform ``action`` with ``uri``."""
    if decision.failure is not None:
        return RequestRefused(*decision.failure)
    if not decision.allowed:
        return RequestRefused(errors.NOT_AUTHORIZED, f"not authorized to {action} {uri!r}")
    return RequestRefused(errors.INVALID_URI, f"cannot {action} {uri!r}: URIs below 'wamp.' are the router's own")
