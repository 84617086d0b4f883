"""Rules of a role that never decide anything: told when a configuration is read, and harmless."""

from collections.abc import Iterator, Sequence

from wamp_transport.config.section import Finding
from wamp_transport.router.options import Match, Permission
from wamp_transport.router.permissions import Rules


def unreachable(patterns: Sequence[tuple[str, Match] | None], actions: Sequence[frozenset[str]]) -> Iterator[Finding]:
    """Findings on the permissions of one role, with places from its ``permissions`` on.

    ``patterns`` holds URI and match of each permission, None for one that is no permission; ``actions`` what it allows.
    """
    places = {pattern: index for index, pattern in enumerate(patterns) if pattern is not None}
    rules = Rules(Permission(*pattern) for pattern in places if pattern[1] == "prefix")
    for (uri, match), index in places.items():
        above = rules.find_all(uri, "wildcard") if match == "wildcard" else []
        if above:
            prefix = above[0].uri
            text = f'has no effect, as permissions[{places[prefix, "prefix"]}] (prefix "{prefix}") covers all of it'
            hint = "prefixes come before wildcards: narrow the prefix, or name the URIs"
            yield Finding(("permissions", index), text, hint, "ignored")
        useless = actions[index] & {"register", "publish"}
        if uri.startswith("wamp.") and useless:
            named = " and ".join(sorted(useless))
            text = f"{named} has no effect here: URIs below wamp. are the router's own"
            yield Finding(("permissions", index, "allow"), text, level="ignored")
