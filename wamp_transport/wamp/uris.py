"""Validate URIs and patterns, for each match policy.

See the WAMP specification: Basic Profile, "URIs"; Advanced Profile, "Pattern-based Subscription" and "Pattern-based
Registrations".
"""

import re
from typing import Final

MAX_PATTERN_COMPONENTS: Final = 64
"""Maximum number of components in a pattern. Each component takes memory, and time whenever a URI is matched."""

STRICT = {
    "exact": re.compile(r"([0-9a-z_]+\.)*[0-9a-z_]+"),
    "prefix": re.compile(r"([0-9a-z_]+\.)*[0-9a-z_]*"),
    "wildcard": re.compile(r"([0-9a-z_]*\.)*[0-9a-z_]*"),
}
LOOSE = {
    "exact": re.compile(r"([^\s.#]+\.)*[^\s.#]+"),
    "prefix": re.compile(r"([^\s.#]+\.)*[^\s.#]*"),
    "wildcard": re.compile(r"([^\s.#]*\.)*[^\s.#]*"),
}

CAPITALS = re.compile("[A-Z]")
OTHERS = re.compile("[^0-9a-zA-Z_.-]")
MAX_NAMED_CHARACTERS = 3


def is_uri(uri: str, match: str = "exact", *, loose: bool = False) -> bool:
    """Return whether ``uri`` is valid for ``match`` (exact, prefix or wildcard).

    The components of a strict URI consist of the characters ``[0-9a-z_]``. If ``loose`` is true, all characters except
    white space, ``#`` and ``.`` are allowed. An exact URI has no empty component. A prefix may end with an empty
    component. A wildcard may have empty components anywhere.
    """
    return (LOOSE if loose else STRICT)[match].fullmatch(uri) is not None


def component_excess(uri: str, match: str) -> str:
    """Return an error message if a pattern has too many components; otherwise an empty string."""
    count = uri.count(".") + 1
    if match == "exact" or count <= MAX_PATTERN_COMPONENTS:
        return ""
    return f"a pattern may have at most {MAX_PATTERN_COMPONENTS} components, not {count}"


def describe_fault(uri: str, match: str = "exact", *, loose: bool) -> str:
    """Return the error message for an invalid URI.

    The message mentions the option ``uri_check: loose`` if this option would allow the URI.
    """
    text = f"invalid URI {uri!r}"
    if loose or not is_uri(uri, match, loose=True):
        return text
    kinds = []
    if CAPITALS.search(uri):
        kinds.append("capital letters")
    if "-" in uri:
        kinds.append("dashes")
    others = sorted(set(OTHERS.findall(uri)))
    if others:
        kinds.append("characters such as " + " ".join(map(repr, others[:MAX_NAMED_CHARACTERS])))
    return f"{text}: {' and '.join(kinds)} need `uri_check: loose`"


def is_reserved(uri: str) -> bool:
    """Return whether a URI is reserved for the router's own procedures and topics: its first component is ``wamp``."""
    return uri.startswith("wamp.") or uri == "wamp"
