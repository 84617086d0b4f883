"""Short-lived signed tokens for logins of browsers, workers and devices, created by Django code.

Tokens are not stored. A token is signed with ``SECRET_KEY``, and contains the user or authid of the client and the time
when the token expires. Tokens are secrets: send them over TLS, and never in a URL. Clients log in with the method
``token``, or with ``ticket`` if the service accepts tokens as tickets.
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

DEFAULT_LIFETIME_SECONDS: Final = 60.0
"""The default lifetime of a token in seconds."""

MAX_TOKEN_LENGTH: Final = 4096
"""Maximum length of a token, in characters."""

TRUSTED: Final = "trusted"


class InvalidToken(Exception):
    """Raised if a token is too long, was not signed by this site, was changed, or has expired."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The content of a token.

    ``user`` is the primary key of a Django user, as text. ``user_hash`` binds the token to the user's password. ``id``
    is set only in tokens that allow a single login. ``realm`` is None if the token is valid in all realms. ``role`` is
    None if the user's own role applies. ``expires`` is a Unix timestamp in seconds.
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
    lifetime: float = DEFAULT_LIFETIME_SECONDS,
    once: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> str:
    """Return a token with which a client can join as ``principal``, a Django user or an authid.

    - ``realm``: the only realm in which the token is valid, None for all realms (for users only)
    - ``role``: the role in the realm, None for the role that the user has at the time of the login (for users only)
    - ``lifetime``: seconds until the token expires; sessions that have already joined with the token continue
    - ``once``: whether to allow only one login, which requires a cache that all processes share
    - ``extra``: the ``authextra`` of WELCOME, which must consist of JSON values

    When the user's password changes or the account is deactivated, the token becomes invalid and its sessions are
    closed. Raises ValueError for an authid without a realm or role, for a user who is not saved or not active, for the
    role ``trusted``, for a lifetime that is not positive, and for an ``extra`` that is too large or not JSON.
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
    try:
        token = signing.dumps(claims, salt=SALT)
    except TypeError as fault:
        raise ValueError(f"extra must consist of JSON values: {fault}") from None
    if len(token) > MAX_TOKEN_LENGTH:
        raise ValueError(
            f"the token has {len(token)} characters, and {MAX_TOKEN_LENGTH} is the limit: extra is too large"
        )
    return token


def read_token(token: str) -> Claims:
    """Return the content of a valid token. Raises InvalidToken for any other text."""
    if len(token) > MAX_TOKEN_LENGTH:
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
    """Return whether the user's password is the same as when the token was created."""
    given = claims.user_hash or ""
    return any([constant_time_compare(_user_hash(one), given) for one in _hashes(user)])


def _hashes(user: AbstractBaseUser) -> Iterator[str]:
    """Yield the user's session auth hashes, computed with SECRET_KEY and each of SECRET_KEY_FALLBACKS."""
    yield user.get_session_auth_hash()
    yield from user.get_session_auth_fallback_hash()


def _user_hash(session_hash: str) -> str:
    return salted_hmac(SALT, session_hash, algorithm="sha256").hexdigest()[:24]
