"""Explain a role's permissions: which rule decides, where it is configured, and which rules it overrides.

The decision is made by the same code that the router uses, for a role that is built from the configuration.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from wamp_transport.config.realm import FUNCTION_PREFIX, RealmSection, RoleSection
from wamp_transport.router.options import ACTIONS, Action, Match
from wamp_transport.router.permissions import Role, Rules, refusal
from wamp_transport.wamp.uris import is_reserved

Outcome = Literal["allowed", "denied", "asked"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A permission rule and its JSON path in the configuration. ``allows`` contains the actions that it allows."""

    path: str
    uri: str
    match: Match
    allows: tuple[Action, ...]

    def __str__(self) -> str:
        allows = ", ".join(self.allows) or "nothing"
        return f'{self.path}: {self.match} "{self.uri}" allows {allows}'


@dataclass(frozen=True, slots=True)
class Explanation:
    """An explained decision. ``error`` is the URI of the error if the action is denied.

    The outcome ``asked`` means that an authorizer decides at run time. ``rule`` is the rule that decides; None if no
    rule covers the URI or if the decision does not depend on rules. ``beaten`` contains the other rules that cover the
    URI, in order of precedence.
    """

    realm: str
    role: str
    action: Action
    uri: str
    match: Match
    outcome: Outcome
    reason: str
    error: str = ""
    disclose: bool = False
    rule: Rule | None = None
    beaten: tuple[Rule, ...] = ()

    def __str__(self) -> str:
        kind = "" if self.match == "exact" else f"{self.match} "
        verb = {"allowed": "may", "denied": "may not", "asked": "may perhaps"}[self.outcome]
        lines = [f'Role {self.role} of realm {self.realm} {verb} {self.action} {kind}"{self.uri}": {self.reason}.']
        if self.disclose:
            lines.append("Receivers learn who it was.")
        if self.rule is not None:
            lines.append(f"  decides  {self.rule}")
        lines += [f"  beaten   {rule}" for rule in self.beaten]
        return "\n".join(lines)

    def as_mapping(self) -> dict[str, Any]:
        """Return the explanation as JSON data."""
        return asdict(self)


def explain(
    realm: RealmSection, place: str, role_name: str, action: Action, uri: str, match: Match = "exact"
) -> Explanation:
    """Explain whether a role may perform an action. ``place`` is the JSON path of the realm.

    Raises KeyError if the role does not exist.
    """
    sections = {section.name: (index, section) for index, section in enumerate(realm.roles)}
    index, section = sections[role_name]
    rules = list(_rules(section, uri, match, f"{place}.roles[{index}].permissions"))

    def explained(outcome: Outcome, reason: str, **more: Any) -> Explanation:
        return Explanation(realm.name, role_name, action, uri, match, outcome, reason, **more)

    options = section.role_options()
    role = Role(options, loose_uris=realm.options.uri_check == "loose")
    decision = role.decide(action, uri, match)
    if not decision.is_valid:
        return explained("denied", f"the realm refuses such URIs, as its uri_check is {realm.options.uri_check}",
                         error=refusal(decision, action, uri).uri)  # fmt: skip
    if action in ("register", "publish") and is_reserved(uri):
        error = refusal(decision, action, uri).uri if decision.allowed else "wamp.error.not_authorized"
        return explained(
            "denied", "URIs that start with wamp. are the router's own, whatever the rules allow", error=error
        )
    if options.authorizer is not None:
        name = options.authorizer.name
        kind = "function" if name.startswith(FUNCTION_PREFIX) else "procedure"
        return explained("asked", f"the {kind} {name.removeprefix(FUNCTION_PREFIX)} decides")
    if not rules:
        reason = "no rule covers it, and allow-by-default is true" if decision.allowed else "no rule covers it"
    else:
        covers = {"exact": "is for exactly this URI", "prefix": "is the longest prefix that covers it"}
        of_wildcards = "is the wildcard that covers it with the most literal components"
        reason = f"the rule that decides {covers.get(rules[0].match, of_wildcards)}"
    return explained(
        "allowed" if decision.allowed else "denied",
        reason,
        error="" if decision.allowed else refusal(decision, action, uri).uri,
        disclose=decision.allowed and decision.disclose,
        rule=rules[0] if rules else None,
        beaten=tuple(rules[1:]),
    )


def _rules(section: RoleSection, uri: str, match: Match, place: str) -> Iterator[Rule]:
    """Yield the rules that cover a URI or pattern, in order of precedence.

    If several rules have the same pattern, the last one in the configuration comes first.
    """
    permissions = [entry.permission() for entry in section.permissions or ()]
    for covering in Rules(permissions).find_all(uri, match):
        pattern = (covering.match, covering.uri)
        same = [index for index, each in enumerate(permissions) if (each.match, each.uri) == pattern]
        for index in reversed(same):
            allows = tuple(action for action in ACTIONS if getattr(permissions[index], action))
            yield Rule(f"{place}[{index}]", covering.uri, covering.match, allows)
