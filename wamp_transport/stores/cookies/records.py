"""The record of a client's cookie, and the interface of cookie stores.

Anyone who knows the value of a cookie can impersonate the client, so stores contain only a hash of the value. A leaked
database, file or backup contains nothing that a browser could send.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_bytes, token_urlsafe
from typing import Any, Protocol


class CookieStoreError(Exception):
    """Raised if a store cannot be read or written. The message is for operators, not for clients."""


@dataclass(frozen=True, slots=True)
class CookieLogin:
    """A login that is stored for a cookie. It is valid only for the service with the key ``service``."""

    service: str
    realm: str
    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    authextra: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CookieRecord:
    """The stored data about a client with a cookie.

    ``id`` is public: it is the authid of anonymous sessions, and identifies the client in logs and in the admin.
    ``digest`` is the hash of the cookie; see :func:`digest_of`. All times have a time zone.
    """

    id: str
    name: str
    digest: str
    created: datetime
    expires: datetime
    login: CookieLogin | None = None


class CookieStore(Protocol):
    """A store of records, which are found by digest or by public ID. All methods can raise CookieStoreError.

    ``threads`` is the maximum number of calls that run at the same time, each in a thread. It is 0 for a store that
    never blocks.
    """

    threads: int

    def find(self, digest: str, now: datetime) -> CookieRecord | None:
        """Return the record with this digest; None if there is none or it has expired."""
        ...

    def get(self, id: str, now: datetime) -> CookieRecord | None:
        """Return the record with this public ID; None if there is none or it has expired."""
        ...

    def add(self, record: CookieRecord) -> None:
        """Store a new record."""
        ...

    def remember(self, id: str, login: CookieLogin) -> bool:
        """Store a login in the record ``id``, replacing an earlier login.

        Return False if there is no such record.
        """
        ...

    def forget(self, id: str) -> bool:
        """Delete a record permanently, so that its cookie is no longer valid.

        Return False if there is no such record.
        """
        ...

    def purge(self, now: datetime) -> int:
        """Delete expired records, and others if there are too many. Return the number of deleted records."""
        ...

    def close(self) -> None:
        """Release files and locks. A later call opens the store again."""
        ...


def new_record(name: str, length: int, now: datetime, max_age: int) -> tuple[CookieRecord, str]:
    """Return a record for a new client, and the value for its cookie.

    The value has ``length`` random characters of the URL-safe base64 alphabet, with six bits each. ``max_age`` is in
    seconds.
    """
    value = urlsafe_b64encode(token_bytes(-(-length * 6 // 8))).decode()[:length]
    expires = now + timedelta(seconds=max_age)
    return CookieRecord(token_urlsafe(18), name, digest_of(name, value), now, expires), value


def digest_of(name: str, value: str) -> str:
    """Return the SHA-256 hash of a cookie's name and value, in hexadecimal.

    The name is included so that a value is valid only in a cookie of this name. Unlike a password, the value is long
    and random, so it needs no slow hash.
    """
    return sha256(f"{name}={value}".encode()).hexdigest()
