"""Cookie stores: one suite for all three; then what only the file and only the database have."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wamp_transport.models import TrackedCookie
from wamp_transport.stores.cookies import database as database_module
from wamp_transport.stores.cookies import file as file_module
from wamp_transport.stores.cookies.database import DatabaseCookies
from wamp_transport.stores.cookies.file import FileCookies
from wamp_transport.stores.cookies.memory import MemoryCookies
from wamp_transport.stores.cookies.records import (
    CookieLogin,
    CookieRecord,
    CookieStore,
    CookieStoreError,
    digest_of,
    new_record,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = 86_400
LOGIN = CookieLogin("tcp:8080/ws", "realm1", "joe", "user", "ticket", "static", {"mood": "good"})
KINDS = ("memory", "file", "database")

Open = Callable[[], CookieStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cookies.txt"


@pytest.fixture(params=KINDS)
def opened(request, path) -> Open:
    """Opens the store, again after a close, with room for five records."""
    memory = MemoryCookies(5)
    makers = {"memory": lambda: memory, "file": lambda: FileCookies(path, 5), "database": lambda: DatabaseCookies(5)}
    return makers[request.param]


def record(minutes: float = 0, max_age: int = DAY) -> CookieRecord:
    return new_record("cbtid", 24, NOW + timedelta(minutes=minutes), max_age)[0]


# --- every store ------------------------------------------------------------------------------------------------------


def test_record_is_found_by_digest_and_id_until_it_expires(opened):
    store, one = opened(), record()
    store.add(one)
    before, after = one.expires - timedelta(seconds=1), one.expires
    assert store.find(one.digest, before) == store.get(one.id, before) == one
    assert store.find(one.digest, after) is store.get(one.id, after) is None
    store.close()


def test_unknown_cookie_is_not_found(opened):
    store = opened()
    store.add(record())
    assert store.find(digest_of("cbtid", "x" * 24), NOW) is None
    assert store.get("nobody", NOW) is None
    assert store.remember("nobody", LOGIN) is False
    assert store.forget("nobody") is False
    store.close()


def test_login_is_remembered_and_replaced(opened):
    store, one, other = opened(), record(), record()
    store.add(one)
    store.add(other)
    assert store.remember(one.id, LOGIN) is True
    assert store.find(one.digest, NOW).login == LOGIN
    assert store.get(other.id, NOW).login is None
    second = CookieLogin("tcp:8080/ws", "realm2", "ann", "user", "wampcra", "dynamic")
    assert store.remember(one.id, second) is True
    assert store.get(one.id, NOW).login == second
    store.close()


def test_all_is_there_after_a_restart(opened):
    store, one, two = opened(), record(), record()
    store.add(one)
    store.add(two)
    store.remember(two.id, LOGIN)
    store.close()
    again = opened()
    assert again.find(one.digest, NOW) == one
    assert again.find(two.digest, NOW).login == LOGIN
    again.close()


def test_forgotten_record_stays_forgotten_after_a_restart(opened):
    store, one = opened(), record()
    store.add(one)
    store.remember(one.id, LOGIN)
    assert store.forget(one.id) is True
    assert store.find(one.digest, NOW) is None
    store.close()
    again = opened()
    assert again.find(one.digest, NOW) is None
    assert again.get(one.id, NOW) is None
    again.close()


def test_purge_drops_what_has_expired_and_nothing_else(opened):
    store, short, long = opened(), record(max_age=60), record()
    store.add(short)
    store.add(long)
    assert store.purge(NOW + timedelta(seconds=60)) == 1
    assert store.get(short.id, NOW) is None
    assert store.get(long.id, NOW) == long
    assert store.purge(NOW + timedelta(seconds=60)) == 0
    store.close()


def test_oldest_without_login_go_when_there_are_too_many(opened):
    store = opened()
    records = [record(minute) for minute in range(8)]
    for index, one in enumerate(records):
        store.add(one)
        if index == 0:
            store.remember(one.id, LOGIN)
    store.purge(NOW)
    assert [store.get(one.id, NOW) is not None for one in records] == [True] + [False] * 3 + [True] * 4
    store.close()


# --- the file ---------------------------------------------------------------------------------------------------------


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_file_is_for_its_owner_and_holds_no_cookie(path):
    path.write_text("")
    path.chmod(0o644)
    store = FileCookies(path, 5)
    one, value = new_record("cbtid", 24, NOW, DAY)
    store.add(one)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert value not in path.read_text()
    (line,) = lines(path)
    assert (line["status"], line["id"], line["created"]) == ("created", one.id, "2026-03-01T12:00:00+00:00")
    store.close()


def test_line_cut_short_by_a_crash_is_dropped(path):
    store, one = FileCookies(path, 5), record()
    store.add(one)
    store.close()
    whole = path.read_bytes()
    for size in range(1, len(whole)):
        path.write_bytes(whole + whole[:size])
        again = FileCookies(path, 5)
        assert again.get(one.id, NOW) == one
        again.close()
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "content", ["# notes\n", "[" * 100_000 + "\n", "{}\n", '{"status":"created","id":1}\n', "[]\n", "\n\n"]
)
def test_file_of_something_else_is_refused_and_left_alone(path, content):
    path.write_text(content)
    store = FileCookies(path, 5)
    with pytest.raises(CookieStoreError, match=r"line 1 of the cookie file .* is not a record"):
        store.find("x", NOW)
    assert path.read_text() == content
    path.unlink()
    store.add(record())  # mended: it works without a restart
    store.close()


@pytest.mark.expects_errors("Line 3 of the cookie file")
@pytest.mark.parametrize("damage", [b"\0" * 100, b"[" * 100_000, b'{"status":"created"}', b"\xff\xfe", b"9" * 5000])
def test_damaged_file_is_renamed_and_a_new_one_is_begun(path, damage):
    store, records = FileCookies(path, 5), [record() for _ in range(3)]
    for one in records:
        store.add(one)
    store.close()
    first, second, third = path.read_bytes().splitlines()
    damaged = b"\n".join([first, second, damage, third, b""])
    path.write_bytes(damaged)
    again, new = FileCookies(path, 5), record()
    assert again.get(records[0].id, NOW) is None
    again.add(new)
    assert again.get(new.id, NOW) == new
    again.close()
    assert path.with_name(path.name + ".damaged").read_bytes() == damaged
    assert len(lines(path)) == 1


@pytest.mark.expects_errors("Line 2 of the cookie file")
def test_time_without_a_zone_is_damage(path):
    store = FileCookies(path, 5)
    for _ in range(2):
        store.add(record())
    store.close()
    first, second = path.read_text().splitlines()
    path.write_text("\n".join([first, second.replace("+00:00", ""), ""]))
    again = FileCookies(path, 5)
    assert again.purge(NOW) == 0
    again.close()
    assert path.with_name(path.name + ".damaged").exists()


def test_file_of_another_process_is_refused(path):
    program = (
        "import sys, pathlib; from wamp_transport.stores.cookies.file import FileCookies\n"
        "from wamp_transport.stores.cookies.records import new_record; from datetime import datetime, UTC\n"
        "store = FileCookies(pathlib.Path(sys.argv[1]), 5)\n"
        "store.add(new_record('cbtid', 24, datetime.now(UTC), 60)[0]); print('open', flush=True); input()\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    store = FileCookies(path, 5)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(CookieStoreError, match="is in use by another process"):
            store.find("x", NOW)
        other.communicate("\n")
    assert store.find("x", NOW) is None
    store.close()


def test_file_is_written_anew_when_most_lines_count_no_more(path, monkeypatch):
    monkeypatch.setattr(file_module, "MAX_OUTDATED_LINES", 4)
    store, one = FileCookies(path, 5), record()
    store.add(one)
    for number in range(40):
        store.remember(one.id, CookieLogin("s", "realm1", f"user{number}", "user", "ticket", "static"))
        assert len(lines(path)) <= 6
    store.close()
    again = FileCookies(path, 5)
    assert again.get(one.id, NOW).login.authid == "user39"
    again.close()


def test_crossbars_file_is_read_and_its_cookies_are_hashed(path):
    kept, gone = "a+/B" * 6, "c" * 24
    first = {"cbtid": kept, "created": "2026-03-01T11:00:00.000Z", "max_age": DAY, "status": "created", "authid": None}
    crossbar = [
        first,
        {**first, "status": "modified", "authid": "joe", "authrole": "user"},
        {**first, "cbtid": gone},
        {"cbtid": gone, "status": "deleted", "deleted": "2026-03-01T11:30:00.000Z"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in crossbar))
    store = FileCookies(path, 5)
    found = store.find(digest_of("cbtid", kept), NOW)
    assert found.expires == datetime(2026, 3, 2, 11, tzinfo=UTC)
    assert found.login is None
    assert store.find(digest_of("cbtid", gone), NOW) is None
    assert kept not in path.read_text()
    store.close()


def test_file_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "taken").write_text("")
    store = FileCookies(tmp_path / "taken" / "cookies.txt", 5)
    with pytest.raises(CookieStoreError, match="cannot be used"):
        store.add(record())


def test_full_disk_is_told_and_what_was_there_stays(path):
    store, one = FileCookies(path, 5), record()
    store.add(one)
    store._file.close()
    store._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - the store closes it
    with pytest.raises(CookieStoreError, match="No space left"):
        store.add(record())
    assert store.get(one.id, NOW) == one
    assert len(lines(path)) == 1
    store.close()


# --- the database -----------------------------------------------------------------------------------------------------


def test_database_holds_no_cookie():
    store = DatabaseCookies(5)
    one, value = new_record("cbtid", 24, NOW, DAY)
    store.add(one)
    (row,) = TrackedCookie.objects.values()
    assert value not in str(row)
    assert row["digest"] == digest_of("cbtid", value)


def test_records_beyond_the_limit_are_deleted_as_they_come(monkeypatch):
    monkeypatch.setattr(database_module, "ADDS_PER_PURGE", 10)
    monkeypatch.setattr(database_module, "MAX_BATCH_ROWS", 2)
    store = DatabaseCookies(5)
    for minutes in range(100):
        store.add(record(minutes))
        assert TrackedCookie.objects.count() <= 15
    store.add(record(60 * 24 * 2))
    assert store.purge(NOW + timedelta(days=1, hours=2)) == 5
    assert TrackedCookie.objects.count() == 1


def test_broken_database_is_told():
    store = DatabaseCookies(5)
    one = record()
    store.add(one)
    with pytest.raises(CookieStoreError, match="the database cannot"):
        store.add(one)
