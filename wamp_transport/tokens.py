"""Short-lived signed tokens with which browsers, workers and devices join: made by Django code, shown as a ticket.

Nothing is stored: a token is signed with ``SECRET_KEY`` and says who it is for and until when. It is a secret: send it
over TLS, never in a URL. Clients offer the method ``token`` (or ``ticket``, where a service takes tokens as tickets).
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

SALT: Final = "wamp_transport.token"

LIFETIME: Final = 60.0
"""Seconds."""

LONGEST: Final = 4096
"""Characters of a token that is looked at."""

TRUSTED: Final = "trusted"


class InvalidToken(Exception):
    """A token is not ours, was changed, or is too old."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. ``user`` is the primary key of a Django user as text; ``user_hash`` ties it to the password.

    ``id`` is there in a token that counts once. ``realm`` None: any; ``role`` None: what the user has there.
    ``expires`` is in seconds of the epoch.
    """

    authid: str | None
    realm: str | None
    role: str | None
    expires: float
    user: str | None = None
    user_hash: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] | None = None
    id: str | None = None


def make_token(
    principal: AbstractBaseUser | str,
    realm: str | None = None,
    role: str | None = None,
    *,
    lifetime: float = LIFETIME,
    once: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> str:
    """A token with which its holder joins as ``principal``: a Django user, or an authid.

    ``realm``: the only one it is good for; None for any. ``role``: the role there; None, for a user alone, for the
    role that the user has when joining. ``lifetime`` in seconds, counted until joining: sessions go on.
    ``once``: it is good for one login (this needs a cache that all processes share). ``extra``: WELCOME's authextra,
    JSON values. A user's token ends with the user's password or account, and so do the sessions.

    Raises ValueError for a principal who could never join.
    """
    claims: dict[str, Any] = {"e": round(time.time() + lifetime, 3)}
    if isinstance(principal, str):
        if not principal or not role or not realm:
            raise ValueError("a token for an authid needs the authid, a realm and a role")
        claims["a"] = principal
    else:
        if principal.pk is None or not principal.is_active:
            raise ValueError("a token for a user needs one that is saved and active")
        claims["u"] = str(principal.pk)
        claims["h"] = _user_hash(principal.get_session_auth_hash())
    if role == TRUSTED:
        raise ValueError(f"the role {TRUSTED!r} is not for logins")
    if lifetime <= 0:
        raise ValueError("the lifetime must be more than 0 seconds")
    optional = {"r": realm, "o": role, "x": dict(extra) if extra else None, "i": secrets.token_hex(8) if once else None}
    claims |= {key: value for key, value in optional.items() if value is not None}
    return signing.dumps(claims, salt=SALT)


def read_token(token: str) -> Claims:
    """What a token says, if it is ours and in time. Raises InvalidToken."""
    if len(token) > LONGEST:
        raise InvalidToken("too long")
    try:
        claims = signing.loads(token, salt=SALT)
    except signing.BadSignature as fault:
        raise InvalidToken("not signed by this site") from fault
    read = Claims(
        claims.get("a"),
        claims.get("r"),
        claims.get("o"),
        claims["e"],
        claims.get("u"),
        claims.get("h"),
        claims.get("x"),
        claims.get("i"),
    )
    if read.expires <= time.time():
        raise InvalidToken("expired")
    return read


def fits(claims: Claims, user: AbstractBaseUser) -> bool:
    """Whether a user's token was made since the password was last changed."""
    given = claims.user_hash or ""
    return any([constant_time_compare(_user_hash(one), given) for one in _hashes(user)])


def _hashes(user: AbstractBaseUser) -> Iterator[str]:
    """With the present key and the former ones, as Django has it for sessions."""
    yield user.get_session_auth_hash()
    yield from user.get_session_auth_fallback_hash()


def _user_hash(session_hash: str) -> str:
    return salted_hmac(SALT, session_hash).hexdigest()[:24]
