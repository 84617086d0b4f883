"""Principals and their credentials, for logins. All functions are synchronous: call them in a thread."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from wamp_transport.models import Credential, Principal

USE_RECORD_INTERVAL: Final = timedelta(minutes=1)
"""The minimum time between two updates of ``last_used_at`` in the same row."""

MAX_CREDENTIALS: Final = 10
"""The maximum number of a principal's credentials that are tried in a login. The latest are preferred."""


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential that is currently valid. See :class:`~wamp_transport.models.Credential`."""

    id: int
    method: str
    data: dict[str, Any] = field(repr=False)
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredPrincipal:
    """A principal that may log in, with its valid credentials, the latest first.

    ``user`` is the primary key of the principal's Django user, as text.
    """

    id: int
    realm: str
    authid: str
    role: str
    authextra: dict[str, Any] | None
    credentials: tuple[StoredCredential, ...]
    user: str | None = None


def find(realm: str | None, authid: str, methods: Iterable[str]) -> StoredPrincipal | None:
    """Return the principal with this authid, including its credentials for these methods.

    Return None if there is no such principal, or if the principal cannot log in. If ``realm`` is None, search all
    realms, and return None if there are several such principals.
    """
    rows = _counting(Principal.objects.filter(authid=authid, is_active=True), "").select_related("user")
    if realm is not None:
        rows = rows.filter(realm=realm)
    found = list(islice(filter(belongs_to_nobody_gone, rows), 2))
    # Query the credentials even if there is no principal, so that the duration reveals nothing.
    owner = found[0].pk if len(found) == 1 else 0
    wanted = _counting(Credential.objects.filter(principal_id=owner, method__in=list(methods)), "")
    kept = list(wanted.order_by("-id")[:MAX_CREDENTIALS])
    return _stored(found[0], kept) if len(found) == 1 else None


def find_by_fingerprint(
    realm: str | None, method: str, fingerprints: Iterable[str], authid: str | None = None
) -> StoredPrincipal | None:
    """Return the principal that has a credential for this method with one of these fingerprints.

    Return None if there is no such principal, or if there are several. If ``realm`` is None, search all realms. If
    ``authid`` is not None, ignore principals with another authid.
    """
    rows = _counting(Credential.objects.filter(method=method, fingerprint__in=list(fingerprints)), "")
    rows = _counting(rows.filter(principal__is_active=True), "principal__").select_related("principal__user")
    if realm is not None:
        rows = rows.filter(principal__realm=realm)
    if authid is not None:
        rows = rows.filter(principal__authid=authid)
    found = list(islice((row for row in rows if belongs_to_nobody_gone(row.principal)), 2))
    if len({row.principal_id for row in found}) != 1:
        return None
    return _stored(found[0].principal, found)


def can_be_stored(*texts: str) -> bool:
    """Return whether the database can store these texts. Clients can send any characters."""
    return not any(one == "\0" or "\ud800" <= one <= "\udfff" for text in texts for one in text)


def used(realm: str, authid: str, methods: Iterable[str], fingerprints: Iterable[str] = ()) -> None:
    """Record the current time as the time of the last login, in the rows of the principal and of its credential.

    ``fingerprints`` identify the credential. Without fingerprints, the credential's row is updated only if the
    principal has a single valid credential for these methods.
    """
    now = timezone.now()
    rows = Principal.objects.filter(realm=realm, authid=authid)
    rows.filter(_is_due(now)).update(last_used_at=now)
    kept = _counting(Credential.objects.filter(principal__in=rows, method__in=list(methods)), "")
    known = list(fingerprints)
    ids = list((kept.filter(fingerprint__in=known) if known else kept).values_list("pk", flat=True)[:2])
    if len(ids) == 1:
        Credential.objects.filter(_is_due(now), pk=ids[0]).update(last_used_at=now)


def credential_used(id: int) -> None:
    """Record the current time as the time of the last login with the credential ``id``."""
    now = timezone.now()
    Credential.objects.filter(_is_due(now), pk=id).update(last_used_at=now)


def sample(methods: Iterable[str], realm: str | None, most: int = 50) -> list[tuple[str, StoredCredential]]:
    """Return up to ``most`` credentials, each with the role of its principal.

    Decoy challenges, which are sent for unknown authids, imitate these credentials. If ``realm`` is None, return
    credentials from all realms.
    """
    rows = _counting(Credential.objects.filter(method__in=list(methods)), "").select_related("principal")
    if realm is not None:
        rows = rows.filter(principal__realm=realm)
    return [
        (one.principal.role, StoredCredential(one.pk, one.method, one.data, one.fingerprint))
        for one in rows.order_by("id")[:most]
    ]


def _is_due(now: datetime) -> Q:
    return Q(last_used_at=None) | Q(last_used_at__lt=now - USE_RECORD_INTERVAL)


def _counting(rows: Any, path: str) -> Any:
    """Return the rows that have not expired. ``path`` is the prefix of the lookup for ``expires_at``, or empty."""
    return rows.filter(Q(**{f"{path}expires_at": None}) | Q(**{f"{path}expires_at__gt": timezone.now()}))


def belongs_to_nobody_gone(row: Principal) -> bool:
    """Return whether the principal has no Django user, or one that is active."""
    return row.user is None or bool(row.user.is_active)


def _stored(row: Principal, credentials: Iterable[Credential]) -> StoredPrincipal:
    kept = tuple(StoredCredential(one.pk, one.method, one.data, one.fingerprint) for one in credentials)
    user = None if row.user is None else str(row.user.pk)
    return StoredPrincipal(row.pk, row.realm, row.authid, row.role, row.authextra, kept, user)
