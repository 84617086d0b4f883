"""Cookie records in memory. They are lost when the process ends."""

from dataclasses import replace
from datetime import datetime

from wamp_transport.stores.cookies.records import CookieLogin, CookieRecord


class MemoryCookies:
    """A cookie store in memory.

    If there are more than ``max_cookies`` records, those stored first are deleted, beginning with records without a
    login.
    """

    threads = 0

    def __init__(self, max_cookies: int) -> None:
        self.max_cookies = max_cookies
        self._tracked: dict[str, CookieRecord] = {}
        self._logged_in: dict[str, CookieRecord] = {}
        self._ids: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def find(self, digest: str, now: datetime) -> CookieRecord | None:
        record = self._tracked.get(digest) or self._logged_in.get(digest)
        return record if record is not None and record.expires > now else None

    def get(self, id: str, now: datetime) -> CookieRecord | None:
        return self.find(self._ids.get(id, ""), now)

    def add(self, record: CookieRecord) -> None:
        self.put(record)
        self.make_room()

    def remember(self, id: str, login: CookieLogin) -> bool:
        digest = self._ids.get(id, "")
        record = self._tracked.get(digest) or self._logged_in.get(digest)
        if record is None:
            return False
        self.put(replace(record, login=login))
        return True

    def forget(self, id: str) -> bool:
        digest = self._ids.pop(id, None)
        if digest is None:
            return False
        self._tracked.pop(digest, None)
        self._logged_in.pop(digest, None)
        return True

    def purge(self, now: datetime) -> int:
        expired = [record.id for record in self.records() if record.expires <= now]
        for id in expired:
            self.forget(id)
        return len(expired) + len(self.make_room())

    def close(self) -> None:
        """Do nothing."""

    def records(self) -> list[CookieRecord]:
        """Return all records: those with a login, then those without, both in the order in which they were stored."""
        return [*self._logged_in.values(), *self._tracked.values()]

    def put(self, record: CookieRecord) -> None:
        """Store a record, replacing a record with the same digest. The limit ``max_cookies`` is not enforced."""
        self._ids[record.id] = record.digest
        self._tracked.pop(record.digest, None)
        self._logged_in.pop(record.digest, None)
        (self._tracked if record.login is None else self._logged_in)[record.digest] = record

    def make_room(self) -> list[CookieRecord]:
        """Delete the records that exceed ``max_cookies``, and return them."""
        dropped: list[CookieRecord] = []
        while len(self._ids) > self.max_cookies:
            record = next(iter((self._tracked or self._logged_in).values()))
            self.forget(record.id)
            dropped.append(record)
        return dropped
