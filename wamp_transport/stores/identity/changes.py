"""A record of logouts, and of changes to users, groups, roles and principals, that can make open sessions invalid.

A change is stored when the transaction in which it was made commits. All nodes read the changes. All functions are
synchronous: call them in a thread.
"""

from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db import router, transaction
from django.db.models import Max
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.utils import timezone

from wamp_transport.models import IdentityChange, Principal, UserRole, has_groups, has_users
from wamp_transport.models.commits import IDENTITY, announce

CHANGE_LIFETIME: Final = timedelta(hours=1)
"""The time for which changes are kept.

A process that has not read the changes for longer than this may have missed some, so it checks all its sessions.
"""

CHANGES_PER_PURGE: Final = 100
"""The number of stored changes after which a process deletes old ones, in case no node is running that does this."""

KEYLESS_SESSIONS: Final = "django.contrib.sessions.backends.signed_cookies"
"""The session engine that stores nothing on the server. With this engine, a logout closes all sessions of the user."""

EVERYBODY: Final = "everybody"

PREFIX: Final = "wamp_transport.identity."
"""The prefix of the dispatch ids of all signal receivers."""


def session_digest(session_key: str) -> str:
    """Return the key that identifies a Django session in changes. It is a hash, because the session key is a secret."""
    return sha256(b"wamp_transport" + session_key.encode()).hexdigest()


def principal_key(realm: str, authid: str) -> str:
    """Return the key that identifies a principal in changes."""
    return f"{realm}\n{authid}"


def record(kind: str, key: str = "", using: str | None = None) -> None:
    """Store a change when the current transaction commits. A failure is logged and does not affect the caller.

    ``kind`` is the kind of change, such as "user", and ``key`` identifies what has changed. ``using`` is the alias of
    the database in which the change was made.
    """
    using = using or router.db_for_write(IdentityChange)
    transaction.on_commit(lambda: _write(kind, key), using=using, robust=True)


def latest() -> int:
    """Return the number of the latest change; 0 if there is none."""
    return IdentityChange.objects.aggregate(latest=Max("id"))["latest"] or 0


def since(number: int) -> list[tuple[int, str, str]]:
    """Return the changes after the one with this number, as tuples of number, kind and key."""
    rows = IdentityChange.objects.filter(id__gt=number).order_by("id")
    return list(rows.values_list("id", "kind", "key"))


def purge() -> int:
    """Delete changes that are older than CHANGE_LIFETIME. Return the number of deleted changes."""
    deleted: int = IdentityChange.objects.filter(changed_at__lt=timezone.now() - CHANGE_LIFETIME).delete()[0]
    return deleted


def connect() -> None:
    """Connect the receivers to Django's signals, except those for users and groups if these are not installed."""
    if has_users():
        _connect_users()
    if has_groups():
        _connect_groups()
    post_delete.connect(_roles_changed, sender=UserRole, dispatch_uid=PREFIX + "UserRole_deleted")
    post_save.connect(_roles_changed, sender=UserRole, dispatch_uid=PREFIX + "role_saved")
    for signal, name in ((post_save, "saved"), (post_delete, "deleted")):
        signal.connect(_principal_changed, sender=Principal, dispatch_uid=f"{PREFIX}principal_{name}")


def _connect_users() -> None:
    users = get_user_model()
    post_save.connect(_user_saved, sender=users, dispatch_uid=PREFIX + "user_saved")
    post_delete.connect(_user_deleted, sender=users, dispatch_uid=PREFIX + "user_deleted")
    user_logged_out.connect(_logged_out, dispatch_uid=PREFIX + "logged_out")
    for name in ("groups", "user_permissions"):
        if hasattr(users, name):
            through = getattr(users, name).through
            m2m_changed.connect(_memberships_changed, sender=through, dispatch_uid=PREFIX + name)


def _connect_groups() -> None:
    groups: Any = apps.get_model("auth", "Group")
    m2m_changed.connect(
        _group_permissions_changed, sender=groups.permissions.through, dispatch_uid=PREFIX + "group_permissions"
    )
    post_delete.connect(_roles_changed, sender=groups, dispatch_uid=PREFIX + "Group_deleted")


def _write(kind: str, key: str) -> None:
    row = IdentityChange.objects.create(kind=kind, key=key)
    announce(IDENTITY, router.db_for_write(IdentityChange))
    if row.pk % CHANGES_PER_PURGE == 0:
        purge()


def _user_saved(
    instance: Any, created: bool, using: str, update_fields: Iterable[str] | None = None, **_event: Any
) -> None:
    """Record a change of a user. A new user, or a login that updates only ``last_login``, is ignored."""
    if not created and set(update_fields or ()) != {"last_login"}:
        record("user", str(instance.pk), using)


def _user_deleted(instance: Any, using: str, **_event: Any) -> None:
    record("user", str(instance.pk), using)


def _logged_out(request: Any = None, user: Any = None, **_event: Any) -> None:
    """Record a logout. The session's key is still known, because Django deletes the session after this signal."""
    session_key = getattr(getattr(request, "session", None), "session_key", None)
    if session_key is None or user is None:
        return
    if settings.SESSION_ENGINE == KEYLESS_SESSIONS:
        record("logout", str(user.pk))
    else:
        record("session", session_digest(session_key))


def _memberships_changed(
    instance: Any, action: str, reverse: bool, pk_set: set[Any] | None, using: str, **_event: Any
) -> None:
    """Record a change of a user's groups or permissions.

    If the change was made through the user, ``instance`` is the user. If it was made through the group or permission
    (``reverse``), ``pk_set`` contains the primary keys of the users; None means that all users were removed.
    """
    if action not in ("post_add", "post_remove", "post_clear"):
        return
    if not reverse:
        record("user", str(instance.pk), using)
    elif pk_set is None:
        record(EVERYBODY, using=using)
    else:
        for pk in pk_set:
            record("user", str(pk), using)


def _group_permissions_changed(action: str, using: str, **_event: Any) -> None:
    if action.startswith("post_"):
        record(EVERYBODY, using=using)


def _roles_changed(using: str, **_event: Any) -> None:
    record(EVERYBODY, using=using)


def _principal_changed(instance: Principal, using: str, **_event: Any) -> None:
    record("principal", principal_key(instance.realm, instance.authid), using)
