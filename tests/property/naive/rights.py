"""Matching and permissions, by looking at every pattern in turn."""

from wamp_transport.router.options import Permission, RealmOptions

MALFORMED = {
    ("exact", ""), ("exact", "a..b"), ("exact", "a b"), ("prefix", "a..b"), ("wildcard", "a. .b"),
    ("prefix", "a." * 64), ("wildcard", "." * 64),
}  # fmt: skip
"""The malformed URIs that the machine uses. The last two are patterns with 65 components."""
LOOSE = {("exact", "A.b"), ("wildcard", "A.b"), ("wildcard", "A."), ("prefix", "A")}
"""Those that are malformed only where the realm is strict."""


def is_malformed(options: RealmOptions, uri: str, match: str = "exact") -> bool:
    return (match, uri) in MALFORMED or ((match, uri) in LOOSE and not options.loose_uris)


def covers(match: str, pattern: str, uri: str) -> bool:
    if match == "exact":
        return pattern == uri
    if match == "prefix":
        return uri.startswith(pattern)
    parts, components = pattern.split("."), uri.split(".")
    return len(parts) == len(components) and all(
        component and part in ("", component) for part, component in zip(parts, components, strict=True)
    )


def contains(match: str, pattern: str, inner_match: str, inner: str) -> bool:
    """Whether a prefix or wildcard covers all that another one does: it covers what the other must have in common."""
    if match == "exact":
        return False
    if inner_match == "prefix":
        return match == "prefix" and inner.startswith(pattern)
    parts = inner.split(".")
    if match == "prefix":
        literal = ""
        for part in parts:
            if not part:
                return literal.startswith(pattern)
            literal += part + "."
        return inner.startswith(pattern)
    own = pattern.split(".")
    return len(own) == len(parts) and all(one in ("", other) for one, other in zip(own, parts, strict=True))


def precedence(match: str, pattern: str) -> tuple:
    if match == "prefix":
        return (1, -len(pattern))
    return (0,) if match == "exact" else (2, [part == "" for part in pattern.split(".")])


def rank(match: str, pattern: str) -> tuple:
    """As precedence, but of wildcards that with the most literal components comes first."""
    if match != "wildcard":
        return precedence(match, pattern)
    empty = [part == "" for part in pattern.split(".")]
    return (2, -empty.count(False), empty)


def is_reserved(uri: str) -> bool:
    return uri.split(".", maxsplit=1)[0] == "wamp"


def rule_for(options: RealmOptions, role: str, uri: str, match: str = "exact") -> Permission:
    """The permission that decides. A role that is no more may nothing."""
    role_options = options.roles.get(role)
    if role_options is None:
        return Permission("")
    rules = {(rule.match, rule.uri): rule for rule in role_options.permissions}
    if match == "exact":
        found = [rule for rule in rules.values() if covers(rule.match, rule.uri, uri)]
    else:
        found = [rule for rule in rules.values() if contains(rule.match, rule.uri, match, uri)]
    if found:
        return min(found, key=lambda rule: rank(rule.match, rule.uri))
    allowed = role_options.allow_by_default
    return Permission("", "prefix", call=allowed, register=allowed, publish=allowed, subscribe=allowed)


def refusal(options: RealmOptions, role: str, action: str, uri: str, match: str = "exact") -> str | None:
    """The error that ``action`` meets, if any."""
    if is_malformed(options, uri, match):
        return "wamp.error.invalid_uri"
    if not getattr(rule_for(options, role, uri, match), action):
        return "wamp.error.not_authorized"
    return "wamp.error.invalid_uri" if action in ("publish", "register") and is_reserved(uri) else None


def may_subscribe(options: RealmOptions, role: str, topic: str) -> bool:
    return not is_malformed(options, topic) and rule_for(options, role, topic).subscribe
