"""The record of a client's cookie, and the interface of stores for such records.

The value of a cookie is all it takes to pass for its client, so stores hold only its hash. Someone who reads a
database, a file or a backup finds nothing that a browser could send.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_bytes, token_urlsafe
from typing import Any, Protocol


class CookieStoreError(Exception):
    """A store cannot be read or written now. The message is for operators."""


@dataclass(frozen=True, slots=True)
class CookieLogin:
    """A login that is remembered for a cookie. It is valid only for the path service with the key ``service``."""

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

    ``id`` is public: the authid of anonymous sessions, and the client's name everywhere except in its cookie.
    ``digest`` is made from the cookie's value, see :func:`digest_of`. Times are aware.
    """

    id: str
    name: str
    digest: str
    created: datetime
    expires: datetime
    login: CookieLogin | None = None


class CookieStore(Protocol):
    """Records by the digest of the cookie and by their public id. Every method may raise CookieStoreError.

    ``threads`` is the number of calls that may run at a time, each in a thread since it waits for a disk or a network;
    0 for a store that never blocks.
    """

    threads: int

    def find(self, digest: str, now: datetime) -> CookieRecord | None:
        """Return the record of a cookie, unless it has expired."""
        ...

    def get(self, id: str, now: datetime) -> CookieRecord | None:
        """Return the record with a public id, unless it has expired."""
        ...

    def add(self, record: CookieRecord) -> None:
        """Store a new record."""
        ...

    def remember(self, id: str, login: CookieLogin) -> bool:
        """Store a login with a record, replacing an earlier one. Return False if there is no such record."""
        ...

    def forget(self, id: str) -> bool:
        """Delete a record, so that its cookie no longer counts, even after a restart. Return False if there is none."""
        ...

    def purge(self, now: datetime) -> int:
        """Delete expired and excess records. Return their number."""
        ...

    def close(self) -> None:
        """Release files and locks. A later call opens them again."""
        ...


def new_record(name: str, length: int, now: datetime, max_age: int) -> tuple[CookieRecord, str]:
    """Return a record for a new client, and the value for its cookie.

    The value has ``length`` characters of the URL-safe base64 alphabet, six bits each from the system's generator.
    ``max_age`` is in seconds.
    """
    value = urlsafe_b64encode(token_bytes(-(-length * 6 // 8))).decode()[:length]
    expires = now + timedelta(seconds=max_age)
    return CookieRecord(token_urlsafe(18), name, digest_of(name, value), now, expires), value


def digest_of(name: str, value: str) -> str:
    """Return the SHA-256 of name and value in hex. The name is included so that a cookie counts only under its own
    name.

    The value is random and long, so unlike a password it needs no slow hash.
    """
    return sha256(f"{name}={value}".encode()).hexdigest()
