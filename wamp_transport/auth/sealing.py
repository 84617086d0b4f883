"""Sealing: the replacement of the clear-text secrets in a stored configuration with hashes or derived keys.

The functions accept unvalidated ``auth`` mappings. Invalid values are kept, so that the validation can report them.
References to environment variables are kept as well.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ..config.auth_methods import TICKET, WAMPCRA
from ..config.principals import MAX_ITERATIONS, MAX_KEYLEN
from ..config.secret import is_reference
from .wampcra import Salting, derive_key

ITERATIONS: Final = 100_000
"""The default number of PBKDF2 rounds. Clients, including browsers, compute them for each login."""

KEYLEN: Final = 32
"""The length of a derived key in bytes."""

SECRET_PLACES: Final = ((TICKET.name, "principals", "ticket"), (WAMPCRA.name, "users", "secret"))
"""The places in ``auth`` that can contain secrets: the method, the key for its principals, and the attribute."""

Place = tuple[str, str, str, str]
"""The keys that lead from ``auth`` to a secret: method, list, authid and attribute."""


def in_the_clear(auth: object) -> Iterator[Place]:
    """Yield the place of each clear-text secret in ``auth``. References to environment variables are left out."""
    for method, listed, attribute in SECRET_PLACES:
        for authid, principal in _principals(auth, method, listed).items():
            if isinstance(principal, Mapping) and _is_clear(principal.get(attribute)):
                yield method, listed, authid, attribute


def sealed(auth: Any, hash_ticket: Callable[[str], str], new_salt: Callable[[], str]) -> Any:
    """Return ``auth`` with each clear-text secret replaced with a hash or a derived key. This is slow on purpose.

    If a principal has a salt, iterations and keylen, they are used for its derived key. Otherwise, a new salt and the
    default iterations and keylen are used. Clients receive these parameters with the challenge.
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
    """Return the attributes that replace a WAMP-CRA secret; None if the principal's salting parameters are invalid."""
    salt, iterations, keylen = (principal.get(name) for name in ("salt", "iterations", "keylen"))
    if salt is None or iterations is None or keylen is None:
        salting = Salting(new_salt(), ITERATIONS, KEYLEN)
    elif isinstance(salt, str) and _is_number(iterations, MAX_ITERATIONS) and _is_number(keylen, MAX_KEYLEN):
        salting = Salting(salt, iterations, keylen)
    else:
        return None
    return {**salting.extra(), "derived_key": derive_key(secret, salting)}


def _is_number(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
