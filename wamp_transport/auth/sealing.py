"""Secrets of a configuration as they are kept where it is stored: hashed, or as the key that is derived from them.

Works on ``auth`` mappings as they are given. What is of no form that is known stays, for the checks to tell of it; so
does what names a variable of the environment.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ..config.auth_methods import TICKET, WAMPCRA
from ..config.principals import MOST_ITERATIONS, MOST_KEYLEN
from ..config.secret import is_reference
from .wampcra import Salting, derive_key

ITERATIONS: Final = 100_000
"""Rounds of PBKDF2 where the configuration says none: each login costs its client as many, in a browser as well."""

KEYLEN: Final = 32
"""Octets."""

PLACES: Final = ((TICKET.name, "principals", "ticket"), (WAMPCRA.name, "users", "secret"))
"""Method, where its principals are listed, and the attribute that holds a secret in the clear."""

Place = tuple[str, str, str, str]
"""Method, list, authid, attribute: the keys that lead to a secret from ``auth``."""


def in_the_clear(auth: object) -> Iterator[Place]:
    """Where secrets stand in the clear that could be kept otherwise."""
    for method, listed, attribute in PLACES:
        for authid, principal in _principals(auth, method, listed).items():
            if isinstance(principal, Mapping) and _is_clear(principal.get(attribute)):
                yield method, listed, authid, attribute


def sealed(auth: Any, hash_ticket: Callable[[str], str], new_salt: Callable[[], str]) -> Any:
    """``auth`` with a hash or a derived key in the place of each secret that is in the clear. Slow on purpose.

    Keys are derived with the principal's own salt, iterations and keylen, else with new ones, of which the challenge
    then tells its clients.
    """
    kept = copy.deepcopy(auth)
    for method, listed, authid, attribute in in_the_clear(auth):
        principal = kept[method][listed][authid]
        secret = principal[attribute]
        if attribute == "ticket":
            instead: dict[str, Any] | None = {"ticket_hash": hash_ticket(secret)}
        else:
            instead = _derived(secret, principal, new_salt)
        if instead is not None:
            del principal[attribute]
            principal |= instead
    return kept


def _principals(auth: object, method: str, listed: str) -> Mapping[str, Any]:
    settings = auth.get(method) if isinstance(auth, Mapping) else None
    if not isinstance(settings, Mapping) or settings.get("type", "static") != "static":
        return {}
    principals = settings.get(listed)
    return principals if isinstance(principals, Mapping) else {}


def _is_clear(value: object) -> bool:
    if not isinstance(value, str) or not value or is_reference(value):
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _derived(secret: str, principal: Mapping[str, Any], new_salt: Callable[[], str]) -> dict[str, Any] | None:
    """What is kept of a secret of WAMP-CRA; None where the principal's own salting is none."""
    salt, iterations, keylen = (principal.get(name) for name in ("salt", "iterations", "keylen"))
    if salt is None or iterations is None or keylen is None:
        salting = Salting(new_salt(), ITERATIONS, KEYLEN)
    elif isinstance(salt, str) and _is_number(iterations, MOST_ITERATIONS) and _is_number(keylen, MOST_KEYLEN):
        salting = Salting(salt, iterations, keylen)
    else:
        return None
    return {**salting.extra(), "derived_key": derive_key(secret, salting)}


def _is_number(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
