"""Cookie records in a text file with one JSON object on each line. A later line about a cookie replaces earlier ones.

Lines are appended and synced to disk before a method returns. An incomplete last line, left by a crash, is dropped.
When the file is opened, and when most of its lines are obsolete, a new file is written next to it and then renamed.
Only one process at a time can use the file: this process locks ``<file>.lock``, and other processes get an error.

A damaged file is renamed to ``<file>.damaged``, and a new file is created. If even the first line is not a record, the
file probably belongs to another program: it is not changed, and CookieStoreError is raised.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from threading import Lock
from typing import Any, BinaryIO, Final

from wamp_transport.stores.cookies.memory import MemoryCookies
from wamp_transport.stores.cookies.records import CookieLogin, CookieRecord, CookieStoreError, digest_of

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # pragma: no cover - only on Windows
    flock = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

MAX_OUTDATED_LINES: Final = 1000
"""The file is rewritten when it has more than twice as many lines as records, plus this number."""

EARLIEST_TIME: Final = datetime.min.replace(tzinfo=UTC)
"""A time before all expiry times."""

_PRIVATE: Final = 0o600


class FileCookies:
    """A cookie store in a file.

    ``name`` is the name of the cookie. Records in Crossbar's format do not contain this name.
    """

    threads = 1

    def __init__(self, path: Path, max_cookies: int, name: str = "cbtid") -> None:
        self._path = path
        self._name = name
        self._max_cookies = max_cookies
        self._records = MemoryCookies(max_cookies)
        self._mutex = Lock()
        self._file: BinaryIO | None = None
        self._lock_file: int | None = None
        self._lines = 0

    def find(self, digest: str, now: datetime) -> CookieRecord | None:
        with self._mutex:
            self._open(now)
            return self._records.find(digest, now)

    def get(self, id: str, now: datetime) -> CookieRecord | None:
        with self._mutex:
            self._open(now)
            return self._records.get(id, now)

    def add(self, record: CookieRecord) -> None:
        with self._mutex:
            self._open(record.created)
            self._records.put(record)
            dropped = self._records.make_room()
            self._append([("created", record), *(("deleted", one) for one in dropped)])

    def remember(self, id: str, login: CookieLogin) -> bool:
        with self._mutex:
            self._open(datetime.now(UTC))
            record = self._records.get(id, EARLIEST_TIME)
            if record is None:
                return False
            record = replace(record, login=login)
            self._records.put(record)
            self._append([("modified", record)])
            return True

    def forget(self, id: str) -> bool:
        with self._mutex:
            self._open(datetime.now(UTC))
            record = self._records.get(id, EARLIEST_TIME)
            if record is None:
                return False
            self._records.forget(id)
            self._append([("deleted", record)])
            return True

    def purge(self, now: datetime) -> int:
        with self._mutex:
            self._open(now)
            dropped = self._records.purge(now)
            if dropped:
                with self._at_the_disk():
                    self._write_anew()
            return dropped

    def close(self) -> None:
        with self._mutex:
            self._close()

    # --- the file ------------------------------------------------------------------------------------------------

    def _open(self, now: datetime) -> None:
        """Lock and read the file, unless it is open already."""
        if self._file is not None:
            return
        with self._at_the_disk():
            self._lock()
            self._read(now)
            self._write_anew()

    @contextmanager
    def _at_the_disk(self) -> Iterator[None]:
        """Context manager: convert an OSError in the block to CookieStoreError.

        After an error, the file is closed, so that the next call reads its actual content from disk.
        """
        try:
            yield
        except OSError as error:
            self._close()
            raise CookieStoreError(f"the cookie file {self._path} cannot be used: {error.strerror}") from error
        except CookieStoreError:
            self._close()
            raise

    def _lock(self) -> None:
        if flock is None:  # pragma: no cover - only on Windows
            raise CookieStoreError("a cookie store of type file needs a POSIX system; use type database")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock_file = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        try:
            flock(self._lock_file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise CookieStoreError(
                f"the cookie file {self._path} is in use by another process; "
                "give each process a file of its own, or use a store of type database"
            ) from None

    def _read(self, now: datetime) -> None:
        records = MemoryCookies(self._max_cookies)
        content = self._path.read_bytes() if self._path.exists() else b""
        whole, _, _ = content.rpartition(b"\n")  # an incomplete last line was left by a crash
        for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
            try:
                self._take(records, json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
                if number == 1:  # probably the file of another program, so leave it unchanged
                    raise CookieStoreError(
                        f"line 1 of the cookie file {self._path} is not a record of a cookie; move the file away"
                    ) from None
                # Skipping the line could keep a login that it deletes. So all clients get new cookies instead.
                self._set_aside(number)
                records = MemoryCookies(self._max_cookies)
                break
        records.purge(now)
        self._records = records

    def _set_aside(self, line_number: int) -> None:
        """Rename a damaged file, so that the service can start with a new file and the old one is not lost."""
        damaged = Path(f"{self._path}.damaged")
        os.replace(self._path, damaged)
        logger.error(
            "Line %d of the cookie file %s is not a record of a cookie. The file was renamed to %s, and a new one was "
            "started: clients get new cookies and must log in again",
            line_number,
            self._path,
            damaged,
        )

    def _take(self, records: MemoryCookies, line: Mapping[str, Any]) -> None:
        record = self._from_crossbar(line) if "cbtid" in line else record_from(line)
        if line["status"] == "deleted":
            known = records.find(record.digest, EARLIEST_TIME)
            records.forget(known.id if known is not None else record.id)
        else:
            records.put(record)

    def _from_crossbar(self, line: Mapping[str, Any]) -> CookieRecord:
        """Return the record for a line that Crossbar wrote.

        Crossbar stores the value of the cookie in clear text, so the value must be hashed. A login in the line is
        ignored.
        """
        created = datetime.fromisoformat(line.get("created") or line["deleted"])
        created = created if created.tzinfo is not None else created.replace(tzinfo=UTC)
        expires = created + timedelta(seconds=line.get("max_age") or 0)
        return CookieRecord(token_urlsafe(18), self._name, digest_of(self._name, line["cbtid"]), created, expires)

    def _write_anew(self) -> None:
        """Replace the file with a new file that contains only the current records."""
        new = Path(f"{self._path}.new")
        new.unlink(missing_ok=True)
        records = self._records.records()
        file = os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE), "wb")
        try:
            file.writelines(_lines(("created" if one.login is None else "modified", one) for one in records))
            file.flush()
            os.fsync(file.fileno())
            os.replace(new, self._path)
            _sync_directory(self._path.parent)
        except OSError:
            file.close()
            raise
        if self._file is not None:
            self._file.close()
        self._file = file
        self._lines = len(records)

    def _append(self, changes: list[tuple[str, CookieRecord]]) -> None:
        assert self._file is not None  # noqa: S101 - opened before
        with self._at_the_disk():
            self._file.writelines(_lines(changes))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._lines += len(changes)
            if self._lines > 2 * len(self._records) + MAX_OUTDATED_LINES:
                self._write_anew()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # closing flushes again after a failed write, which is already reported
                file.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _lines(changes: Iterable[tuple[str, CookieRecord]]) -> Iterator[bytes]:
    for status, record in changes:
        line = {"status": status, **asdict(record)}
        line["created"], line["expires"] = record.created.isoformat(), record.expires.isoformat()
        yield json.dumps(line, separators=(",", ":")).encode() + b"\n"


def record_from(line: Mapping[str, Any]) -> CookieRecord:
    """Return the record in a line. Raises ValueError, KeyError or TypeError if the line is invalid."""
    login = line["login"]
    return CookieRecord(
        str(line["id"]),
        str(line["name"]),
        str(line["digest"]),
        _time_of(line["created"]),
        _time_of(line["expires"]),
        None if login is None else CookieLogin(**login),
    )


def _time_of(text: str) -> datetime:
    """Parse a time. Raises ValueError if it has no time zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return time


def _sync_directory(directory: Path) -> None:
    """Sync the directory to disk, so that the renamed file survives a crash."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
