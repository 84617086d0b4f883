"""What a role may do with a URI: the rule that decides, and decisions remembered until the rules change."""

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.uris import is_uri
from .matching import PatternIndex
from .options import Action, Match, Permission, RoleOptions

REMEMBERED = 10_000
"""How many decisions a role remembers per action; clients choose the URIs, so it has to end somewhere."""
REMEMBERED_LENGTH = 255
"""The longest URI that a decision is remembered for."""

ALLOW_ALL = Permission(uri="", match="prefix", call=True, register=True, publish=True, subscribe=True)
DENY_ALL = Permission(uri="", match="prefix")


class Decision:
    """May the role do it? ``disclose``: the receiver is told who it was. ``is_valid``: the URI keeps the rules."""

    __slots__ = ("allowed", "disclose", "is_valid")

    def __init__(self, allowed: bool, disclose: bool, is_valid: bool) -> None:
        self.allowed = allowed
        self.disclose = disclose
        self.is_valid = is_valid


class Role:
    """A role of a running realm. ``calls`` and ``publications`` hold the decisions of the hot path, by URI."""

    __slots__ = ("_default", "_loose", "_rules", "calls", "name", "publications", "registers", "subscribes")

    def __init__(self, options: RoleOptions, *, loose_uris: bool) -> None:
        self.name = options.name
        self._loose = loose_uris
        self._default = ALLOW_ALL if options.allow_by_default else DENY_ALL
        self._rules: PatternIndex[Permission] = PatternIndex()
        for permission in options.permissions:
            self._rules.put(permission.match, permission.uri, permission)
        self.calls: dict[str, Decision] = {}
        self.publications: dict[str, Decision] = {}
        self.registers: dict[str, Decision] = {}
        self.subscribes: dict[str, Decision] = {}

    def decide(self, action: Action, uri: str, match: Match = "exact") -> Decision:
        """The decision for one action on one URI, or on a pattern of URIs.

        Exact rules come before prefix rules (longest first), those before wildcard rules. A pattern is never decided
        by an exact rule: what it covers is checked again, topic by topic and procedure by procedure, in use.
        """
        if match != "exact":
            return self._decide(action, uri, match)
        remembered = self._remembered(action)
        decision = remembered.get(uri)
        if decision is None:
            decision = self._decide(action, uri, match)
            if len(uri) <= REMEMBERED_LENGTH:
                if len(remembered) >= REMEMBERED:
                    remembered.clear()
                remembered[uri] = decision
        return decision

    def _remembered(self, action: Action) -> dict[str, Decision]:
        return {
            "call": self.calls,
            "publish": self.publications,
            "register": self.registers,
            "subscribe": self.subscribes,
        }[action]

    def _decide(self, action: Action, uri: str, match: Match) -> Decision:
        if not is_uri(uri, match, loose=self._loose):
            return Decision(allowed=False, disclose=False, is_valid=False)
        rule = self._rule(uri, match)
        disclose = {"call": rule.disclose_caller, "publish": rule.disclose_publisher}.get(action, False)
        return Decision(allowed=getattr(rule, action), disclose=disclose, is_valid=True)

    def _rule(self, uri: str, match: Match) -> Permission:
        if match == "exact":
            return self._rules.best(uri) or self._default
        covering = self._rules.patterns(uri)
        return self._rules.get(match, uri) or (covering[0] if covering else self._default)


def refusal(decision: Decision, action: str, uri: str) -> RequestRefused:
    """Why a session may not do ``action`` with ``uri``."""
    if not decision.is_valid:
        return RequestRefused(errors.INVALID_URI, f"invalid URI {uri!r}")
    if not decision.allowed:
        return RequestRefused(errors.NOT_AUTHORIZED, f"not authorized to {action} {uri!r}")
    return RequestRefused(errors.INVALID_URI, f"cannot {action} {uri!r}: URIs below 'wamp.' are the router's own")
