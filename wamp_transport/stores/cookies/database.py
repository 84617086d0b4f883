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
from wamp_transport.stores.datetimes import from_column, to_column

MAX_BATCH_ROWS: Final = 1000
"""The maximum number of rows that are deleted in one statement."""

ADDS_PER_PURGE: Final = 1000
"""The number of new records after which a process deletes old ones. Nodes also delete old records at intervals."""


class DatabaseCookies:
    """A cookie store in the database.

    The limit ``max_cookies`` is enforced by ``purge``, not for each new record: other processes can add records as
    well, so the number of records is not known without a query.
    """

    def __init__(self, max_cookies: int) -> None:
        self._max_cookies = max_cookies
        self._unpurged = 0
        # SQLite allows only one writer at a time, so more threads would only wait.
        self.threads = 1 if connections[router.db_for_write(TrackedCookie)].vendor == "sqlite" else 4

    def find(self, digest: str, now: datetime) -> CookieRecord | None:
        with _at_the_database():
            row = TrackedCookie.objects.filter(digest=digest, expires_at__gt=to_column(now)).first()
        return None if row is None else _record(row)

    def get(self, id: str, now: datetime) -> CookieRecord | None:
        with _at_the_database():
            row = TrackedCookie.objects.filter(pk=id, expires_at__gt=to_column(now)).first()
        return None if row is None else _record(row)

    def add(self, record: CookieRecord) -> None:
        login = {} if record.login is None else _columns(record.login, to_column(record.created))
        with _at_the_database():
            TrackedCookie.objects.create(
                id=record.id,
                name=record.name,
                digest=record.digest,
                created_at=to_column(record.created),
                expires_at=to_column(record.expires),
                **login,
            )
        self._unpurged += 1
        if self._unpurged >= ADDS_PER_PURGE:
            self._unpurged = 0
            self.purge(record.created)

    def remember(self, id: str, login: CookieLogin) -> bool:
        with _at_the_database():
            return bool(TrackedCookie.objects.filter(pk=id).update(**_columns(login, timezone.now())))

    def forget(self, id: str) -> bool:
        with _at_the_database():
            return bool(TrackedCookie.objects.filter(pk=id).delete()[0])

    def purge(self, now: datetime) -> int:
        rows = TrackedCookie.objects
        with _at_the_database():
            deleted: int = 0
            expired = rows.filter(expires_at__lte=to_column(now)).values_list("pk", flat=True)
            while ids := list(expired[:MAX_BATCH_ROWS]):
                deleted += rows.filter(pk__in=ids).delete()[0]
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
    return CookieRecord(row.id, row.name, row.digest, from_column(row.created_at), from_column(row.expires_at), login)
