"""Cookie records in the database of the Django project. Any number of processes can share them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Final

from django.db import DatabaseError, InterfaceError, connections, router
from django.db.models import F
from django.utils import timezone

from wamp_transport.models import TrackedCookie
from wamp_transport.stores.connections import clean_connections
from wamp_transport.stores.cookies.records import CookieLogin, CookieRecord, CookieStoreError

MAX_BATCH_ROWS: Final = 1000
"""The maximum number of rows that are deleted in one statement."""


class DatabaseCookies:
    """A cookie store in the database. Only :meth:`purge` enforces the limit ``max_cookies``."""

    def __init__(self, max_cookies: int) -> None:
        self._max_cookies = max_cookies
        # SQLite allows only one writer at a time, so more threads would only wait.
        self.threads = 1 if connections[router.db_for_write(TrackedCookie)].vendor == "sqlite" else 4

    def find(self, digest: str, now: datetime) -> CookieRecord | None:
        with _at_the_database():
            row = TrackedCookie.objects.filter(digest=digest, expires_at__gt=now).first()
        return None if row is None else _record(row)

    def get(self, id: str, now: datetime) -> CookieRecord | None:
        with _at_the_database():
            row = TrackedCookie.objects.filter(pk=id, expires_at__gt=now).first()
        return None if row is None else _record(row)

    def add(self, record: CookieRecord) -> None:
        login = {} if record.login is None else _columns(record.login, record.created)
        with _at_the_database():
            TrackedCookie.objects.create(
                id=record.id,
                name=record.name,
                digest=record.digest,
                created_at=record.created,
                expires_at=record.expires,
                **login,
            )

    def remember(self, id: str, login: CookieLogin) -> bool:
        with _at_the_database():
            return bool(TrackedCookie.objects.filter(pk=id).update(**_columns(login, timezone.now())))

    def forget(self, id: str) -> bool:
        with _at_the_database():
            return bool(TrackedCookie.objects.filter(pk=id).delete()[0])

    def purge(self, now: datetime) -> int:
        rows = TrackedCookie.objects
        with _at_the_database():
            deleted: int = rows.filter(expires_at__lte=now).delete()[0]
            while (surplus := rows.count() - self._max_cookies) > 0:
                oldest = rows.order_by(F("logged_in_at").asc(nulls_first=True), "created_at")
                ids = list(oldest.values_list("pk", flat=True)[: min(surplus, MAX_BATCH_ROWS)])
                deleted += rows.filter(pk__in=ids).delete()[0]
        return deleted

    def close(self) -> None:
        """Do nothing. Connections are closed after each call, according to ``CONN_MAX_AGE``."""


@contextmanager
def _at_the_database() -> Iterator[None]:
    """Context manager: convert database errors in the block to CookieStoreError.

    Old and broken connections are closed before and after the block.
    """
    try:
        with clean_connections():
            yield
    except (DatabaseError, InterfaceError) as error:
        raise CookieStoreError(f"the database cannot read or store cookies: {error}") from error


def _columns(login: CookieLogin, now: datetime) -> dict[str, object]:
    return {**asdict(login), "logged_in_at": now}


def _record(row: TrackedCookie) -> CookieRecord:
    login = None
    if row.logged_in_at is not None:
        login = CookieLogin(
            row.service, row.realm, row.authid, row.authrole, row.authmethod, row.authprovider, row.authextra
        )
    return CookieRecord(row.id, row.name, row.digest, row.created_at, row.expires_at, login)
