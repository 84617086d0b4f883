"""Validate URIs and patterns, for each match policy.

Section of the specification: Basic Profile, "URIs"; Advanced Profile, "Pattern-based Subscription" and
"Pattern-based Registrations".
"""

import re

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


def is_uri(uri: str, match: str = "exact", *, loose: bool = False) -> bool:
    """Return whether ``uri`` is valid for ``match`` (exact, prefix or wildcard).

    Strict: components consist of ``[0-9a-z_]``. Loose: components contain no white space, ``#`` or ``.``. An exact URI
    has no empty component. A prefix may end with an empty component. A wildcard may have empty components anywhere.
    """
    return (LOOSE if loose else STRICT)[match].fullmatch(uri) is not None


def is_reserved(uri: str) -> bool:
    """Return whether the first component is ``wamp``, which is reserved for the router's own procedures and topics."""
    return uri.startswith("wamp.") or uri == "wamp"
