"""Django users as WAMP identities: the user of a session cookie or token, and the user's role.

All functions are synchronous: call them in a thread.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user, get_user_model
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import Q

from wamp_transport.conf import app_settings
from wamp_transport.models import UserRole, has_users
from wamp_transport.stores.identity import principals
from wamp_transport.stores.identity.hooks import call_hook
from wamp_transport.tokens import Claims, InvalidToken, fits, read_token

USED_TOKEN_CACHE_KEY: Final = "wamp_transport.token.%s"  # noqa: S105 - a key in the cache
"""The format of the cache key that marks a token as used."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a client in a realm.

    ``user`` is the primary key of the Django user as text; None if the identity has no Django user.

    If ``user_hash`` is set, the client has logged in with a token for a user, and the identity is valid until the
    user's password changes. If ``session_key`` is set, the client has logged in with a Django session, and the identity
    is valid until the user is no longer logged in with this session.

    If ``is_role_given`` is true, the token determines the role, and the table of user roles is not used.
    ``default_role`` is the role of users to whom no row of this table applies. ``is_stored`` is true for a principal
    from the database.
    """

    realm: str | None
    authid: str
    role: str | None
    extra: Mapping[str, Any] | None = None
    user: str | None = None
    user_hash: str | None = field(default=None, repr=False)
    session_key: str | None = field(default=None, repr=False)
    is_role_given: bool = False
    default_role: str | None = None
    is_stored: bool = False


def of_session(session_key: str, realm: str | None, default_role: str | None = None) -> Identity | None:
    """Return the identity of the user who is logged in with this Django session; None if nobody is logged in.

    The identity's role is None if the user has no role in the realm.
    """
    user = _session_user(session_key)
    if user is None:
        return None
    identity = Identity(
        realm, authid_of(user), None, user=str(user.pk), session_key=session_key, default_role=default_role
    )
    return _with_role(identity, user)


def inactive_user_of_session(session_key: str) -> str | None:
    """Return the authid of the user in a Django session if the user is not active; otherwise None.

    This happens if the user is deactivated after a login, because Django keeps the session.
    """
    if not has_users():
        return None
    users = get_user_model()
    stored = _session_store(session_key).load().get(SESSION_KEY)
    try:
        user = users._default_manager.filter(pk=stored).first() if stored is not None else None
    except (ValueError, ValidationError):
        return None
    return None if user is None or user.is_active else authid_of(user)


def of_token(
    token: str, realm: str | None, details: Mapping[str, Any], default_role: str | None = None
) -> Identity | None:
    """Return the identity of the client that logs in to a realm with a token; None if the token is not valid there.

    A valid single-use token cannot be used again after this call. ``details`` are passed to the project's hook
    ``TOKEN_VERIFIER``, which verifies tokens from other issuers.
    """
    try:
        claims = read_token(token)
    except InvalidToken:
        return _of_foreign_token(token, realm, details, default_role)
    if claims.realm is not None and realm is not None and claims.realm != realm:
        return None
    identity = _of_claims(claims, claims.realm or realm, default_role)
    if identity is None or (claims.id is not None and not _first_use(claims)):
        return None
    return identity


def of_stored(realm: str, authid: str, role: str) -> Identity:
    """Return the identity of a stored principal that has just logged in with a role."""
    found = principals.find(realm, authid, ())
    return Identity(realm, authid, role, user=None if found is None else found.user, is_stored=True)


def again(identity: Identity) -> Identity | None:
    """Return an up-to-date copy of an identity; None if it is no longer valid."""
    if identity.is_stored:
        found = principals.find(identity.realm, identity.authid, ())
        return None if found is None else replace(identity, role=found.role, user=found.user)
    if identity.user is None:
        return identity
    if identity.session_key is not None:
        now = of_session(identity.session_key, identity.realm, identity.default_role)
        return now if now is not None and now.user == identity.user else None
    user = _user(identity.user)
    if user is None or (identity.user_hash is not None and not fits(_tie(identity), user)):
        return None
    return _with_role(identity, user)


def authid_of(user: Any) -> str:
    """Return the authid of a user: the result of the project's hook if there is one, otherwise the username."""
    hook = app_settings().hook("USER_AUTHID")
    if hook is None:
        return str(user.get_username())
    return str(call_hook("USER_AUTHID", hook, user))


def role_of(user: Any, realm: str | None) -> str | None:
    """Return the role of an active user in a realm.

    The project's hook ``USER_ROLE`` decides. If there is no hook, or it returns None, the first :class:`UserRole` row
    that applies to the user decides. Return an empty text if this row denies access, and None if no row applies.
    """
    hook = app_settings().hook("USER_ROLE")
    if hook is not None:
        role = call_hook("USER_ROLE", hook, user, realm)
        if role is not None:
            return str(role)
    lines = list(UserRole.objects.filter(Q(realm="") | Q(realm=realm or "")).order_by("order", "id"))
    groups: set[Any] = set()
    if any(line.kind == "group" for line in lines) and hasattr(user, "groups"):
        groups = set(user.groups.values_list("pk", flat=True))
    return next((line.role for line in lines if _is_meant(line, user, groups)), None)


def _is_meant(line: UserRole, user: Any, groups: set[Any]) -> bool:
    if line.kind == "group":
        return line.group_id in groups
    if line.kind == "permission":
        return bool(user.has_perm(line.permission)) if hasattr(user, "has_perm") else False
    if line.kind in ("staff", "superuser"):
        return bool(getattr(user, f"is_{line.kind}", False))
    return line.kind == "everybody"


class _LoadedSession(dict[str, Any]):
    """The content of a Django session, for reading. Changes that Django makes to it are not stored.

    Django sometimes changes the session's key while it loads the user. This class prevents that, because the browser
    could not receive a new key without an HTTP request to Django.
    """

    def cycle_key(self) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""


def _session_store(session_key: str) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(session_key)


def _session_user(session_key: str) -> Any:
    if not has_users():
        return None
    session = _LoadedSession(_session_store(session_key).load())
    user: Any = get_user(SimpleNamespace(session=session))  # type: ignore[arg-type]
    return user if user.is_authenticated and user.is_active else None


def _user(pk: str) -> Any:
    if not has_users():
        return None
    users = get_user_model()
    try:
        user = users._default_manager.filter(pk=pk).first()
    except (ValueError, ValidationError):
        return None
    return user if user is not None and user.is_active else None


def _with_role(identity: Identity, user: Any) -> Identity:
    """Return the identity with the user's current role. If a token determines the role, do not change it."""
    if identity.is_role_given:
        return identity
    role = role_of(user, identity.realm)
    return replace(identity, role=(identity.default_role if role is None else role) or None)


def _of_claims(claims: Claims, realm: str | None, default_role: str | None) -> Identity | None:
    if claims.user is None:
        return Identity(realm, claims.authid or "", claims.role, claims.extra, is_role_given=True)
    user = _user(claims.user)
    if user is None or not fits(claims, user):
        return None
    identity = Identity(
        realm,
        authid_of(user),
        claims.role,
        claims.extra,
        claims.user,
        claims.user_hash,
        is_role_given=claims.role is not None,
        default_role=default_role,
    )
    return _with_role(identity, user)


def _of_foreign_token(
    token: str, realm: str | None, details: Mapping[str, Any], default_role: str | None
) -> Identity | None:
    verify = app_settings().hook("TOKEN_VERIFIER")
    if verify is None:
        return None
    found = call_hook("TOKEN_VERIFIER", verify, token, {**details, "realm": realm})
    if found is None:
        return None
    realm, role, extra = found.get("realm") or realm, found.get("role"), found.get("extra")
    user = found.get("user")
    if user is None:
        return Identity(realm, found.get("authid") or "", role or default_role, extra, is_role_given=True)
    if not user.is_active:
        return None
    is_given = role is not None
    identity = Identity(
        realm, authid_of(user), role, extra, str(user.pk), is_role_given=is_given, default_role=default_role
    )
    return _with_role(identity, user)


def _first_use(claims: Claims) -> bool:
    """Mark a single-use token as used. Return whether this is its first use."""
    lasts = max(1, int(claims.expires - time.time()) + 1)
    return bool(cache.add(USED_TOKEN_CACHE_KEY % claims.id, 1, lasts))


def _tie(identity: Identity) -> Claims:
    return Claims(None, None, None, 0, identity.user, identity.user_hash)
