"""What is kept of a client's cookie, and what a store of such records can do.

The value of a cookie is all it takes to be taken for its client, so no store holds it: a store holds its hash. Whoever
reads a database, a file or a backup finds nothing that a browser could send.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_bytes, token_urlsafe
from typing import Any, Protocol


class CookieStoreError(Exception):
    """A store cannot be asked or written now; the message is for operators."""


@dataclass(frozen=True, slots=True)
class CookieLogin:
    """What a session logged in with. ``service`` is the key of the path service where; it counts there alone."""

    service: str
    realm: str
    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    authextra: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CookieRecord:
    """A client that has a cookie.

    ``id`` is public: the authid of anonymous sessions, and what this client is called everywhere but in its cookie.
    ``digest`` is made of the cookie's value, see :func:`digest_of`. Times are aware.
    """

    id: str
    name: str
    digest: str
    created: datetime
    expires: datetime
    login: CookieLogin | None = None


class CookieStore(Protocol):
    """Records by the digest of the cookie and by their public id. Every method may raise CookieStoreError.

    ``threads``: how many calls may run at a time, each in a thread as it waits for a disk or a network; 0 for a store
    that never waits.
    """

    threads: int

    def find(self, digest: str, now: datetime) -> CookieRecord | None:
        """The record of a cookie, unless it has expired."""
        ...

    def get(self, id: str, now: datetime) -> CookieRecord | None:
        """The record with a public id, unless it has expired."""
        ...

    def add(self, record: CookieRecord) -> None:
        """Keep a new record."""
        ...

    def remember(self, id: str, login: CookieLogin) -> bool:
        """Keep a login with a record, in place of one before; false where there is no such record."""
        ...

    def forget(self, id: str) -> bool:
        """Drop a record: its cookie counts no more, not even after a restart. False where there is none."""
        ...

    def purge(self, now: datetime) -> int:
        """Drop what has expired and what is too much; how many records that were."""
        ...

    def close(self) -> None:
        """Let go of files and locks. What is called afterwards opens them again."""
        ...


def new_record(name: str, length: int, now: datetime, max_age: int) -> tuple[CookieRecord, str]:
    """A record of a client met for the first time, and the value for its cookie.

    The value has ``length`` characters of the URL-safe base64 alphabet, six bits each from the system's generator.
    ``max_age`` is in seconds.
    """
    value = urlsafe_b64encode(token_bytes(-(-length * 6 // 8))).decode()[:length]
    expires = now + timedelta(seconds=max_age)
    return CookieRecord(token_urlsafe(18), name, digest_of(name, value), now, expires), value


def digest_of(name: str, value: str) -> str:
    """SHA-256 of name and value, in hexadecimal. With the name in it, a cookie counts under its own name only.

    The value is random and long, so unlike a password it needs no slow hash.
    """
    return sha256(f"{name}={value}".encode()).hexdigest()
