"""Connections of threads: broken and old ones go, kept ones stay, and one thread's trouble is told to the others."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest
from django.db import OperationalError, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.utils import ConnectionHandler

from wamp_transport.stores import connections as module
from wamp_transport.stores.connections import clean_connections, close_at_thread_end, close_kept, with_kept_connections


class Server:
    """A database that is restarted: connections made before do not work any more."""

    def __init__(self, path, max_age):
        settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "CONN_MAX_AGE": max_age}
        self.handler = ConnectionHandler({"default": settings})
        self.handler.create_connection = lambda alias: Connection(self.handler.settings[alias], alias, self)
        self.starts = 0

    @property
    def own(self):
        """The connection of this thread."""
        return self.handler["default"]

    def ask(self, query="SELECT 1"):
        """A query; it fails on a connection of before a restart."""
        with self.own.cursor() as cursor:
            cursor.execute(query)

    def leave(self):
        """Close the connection of this thread."""
        self.own.close()

    def work(self, *, keep=False):
        """A piece of work with a query in it; the database connection it had."""

        def work():
            self.ask()
            return self.own.connection

        if keep:
            return with_kept_connections(work)
        with clean_connections():
            return work()


class Connection(DatabaseWrapper):
    def __init__(self, settings, alias, server):
        super().__init__(settings, alias)
        self.server = server

    def get_new_connection(self, parameters):
        self.made_at = self.server.starts
        return super().get_new_connection(parameters)

    def create_cursor(self, name=None):
        if not self.is_usable():
            with self.wrap_database_errors:
                raise self.Database.OperationalError("the server has gone")
        return super().create_cursor(name)

    def is_usable(self):
        return self.made_at == self.server.starts


@pytest.fixture
def server_of(monkeypatch, tmp_path, django_db_blocker):
    def make(max_age):
        server = Server(tmp_path / "db.sqlite3", max_age)
        monkeypatch.setattr(module, "connections", server.handler)
        return server

    with django_db_blocker.unblock():
        yield make


@pytest.fixture
def two_threads():
    """Runs a function in the one or the other of two threads."""
    pools = [ThreadPoolExecutor(1), ThreadPoolExecutor(1)]
    yield lambda index, function: pools[index].submit(function).result(10)
    for pool in pools:
        pool.shutdown()


@pytest.mark.parametrize(("max_age", "stays"), [(0, False), (60, True), (None, True)])
def test_connections_live_as_long_as_the_settings_say(server_of, max_age, stays):
    server = server_of(max_age)
    first = server.work()
    assert (server.own.connection is first) is stays
    server.leave()


def test_kept_connections_stay_whatever_the_settings_say(server_of):
    server = server_of(0)
    assert server.work(keep=True) is server.work(keep=True)
    close_kept()
    assert server.own.connection is None


def test_kept_connections_of_other_threads_are_closed(server_of, two_threads):
    server = server_of(0)
    for index in (0, 1):
        two_threads(index, lambda: server.work(keep=True))
    close_kept()
    assert [two_threads(index, lambda: server.own.connection) for index in (0, 1)] == [None, None]


def test_kept_connection_that_is_used_is_closed_when_its_work_is_done(server_of, two_threads):
    server = server_of(0)
    two_threads(0, lambda: server.work(keep=True))

    def work():
        two_threads(1, close_kept)
        server.ask()
        return server.own.connection

    assert two_threads(0, lambda: with_kept_connections(work)) is not None
    assert two_threads(0, lambda: server.own.connection) is None
    two_threads(0, lambda: server.work(keep=True))
    assert two_threads(0, lambda: server.own.connection) is not None
    close_kept()
    assert two_threads(0, lambda: server.own.connection) is None


def in_thread(function):
    """Run a function in a thread, and wait until the thread has ended."""
    thread = Thread(target=function)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("keep", [False, True])
def test_connection_is_closed_when_its_thread_ends(server_of, keep):
    server = server_of(60)
    left = []

    def work():
        server.work(keep=keep)
        left.append(server.own)
        assert server.own.connection is not None

    in_thread(work)
    assert left[0].connection is None
    close_kept()  # has nothing left to close


def test_database_in_memory_is_closed_when_its_thread_ends(server_of):
    server = server_of(0)
    server.handler.settings["default"]["NAME"] = "file:ends?mode=memory&cache=shared"
    left = []

    def work():
        server.ask()
        close_at_thread_end()
        server.own.close()
        left.append(server.own)
        assert server.own.connection is not None  # Django keeps it open

    in_thread(work)
    assert left[0].connection is None


def test_shared_connection_is_not_closed_when_a_thread_ends(server_of):
    server = server_of(60)
    server.ask()
    shared = server.own
    shared.inc_thread_sharing()

    def work():
        server.handler["default"] = shared
        server.work(keep=True)

    in_thread(work)
    assert shared.connection is not None
    shared.dec_thread_sharing()
    server.leave()


def test_connection_is_not_closed_by_a_forked_process(server_of, monkeypatch):
    server = server_of(60)
    left = []

    def work():
        server.work(keep=True)
        left.append(server.own)
        monkeypatch.setattr(module.os, "getpid", lambda: -1)

    in_thread(work)
    monkeypatch.undo()
    assert left[0].connection is not None
    left[0].inc_thread_sharing()
    left[0].close()


def test_closing_while_others_work_breaks_nothing(server_of):
    server = server_of(0)
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT count(*) FROM n"
    worker = ThreadPoolExecutor(1)
    for _ in range(30):
        begun = Event()

        def work(begun=begun):
            server.ask()
            begun.set()
            server.ask(count)

        done = worker.submit(with_kept_connections, work)
        assert begun.wait(10)
        close_kept()
        done.result(10)
    worker.submit(server.leave).result(10)
    worker.shutdown()


def test_restart_costs_one_piece_of_work_and_not_one_in_each_thread(server_of, two_threads):
    server = server_of(60)
    for index in (0, 1):
        two_threads(index, server.work)
    server.starts += 1
    with pytest.raises(OperationalError, match="the server has gone"):
        two_threads(0, server.work)
    for index in (0, 1, 0, 1):
        two_threads(index, server.work)
    for index in (0, 1):
        two_threads(index, server.leave)


def test_what_meets_a_broken_kept_connection_is_done_once_more(server_of):
    server = server_of(0)
    first = server.work(keep=True)
    server.starts += 1
    assert server.work(keep=True) is not first
    server.leave()


def test_work_that_fails_for_itself_is_not_done_again(server_of):
    server = server_of(0)
    asked = []

    def work():
        asked.append(1)
        server.ask("SELECT nonsense")

    with pytest.raises(OperationalError, match="nonsense"):
        with_kept_connections(work)
    assert asked == [1]
    server.leave()


def test_trouble_that_the_connection_survives_keeps_it(server_of):
    server = server_of(60)
    first = server.work()
    with pytest.raises(OperationalError), clean_connections():
        server.ask("SELECT nonsense")
    assert server.work() is first
    server.leave()


def test_open_transaction_is_left_alone(server_of, monkeypatch):
    server = server_of(0)
    monkeypatch.setattr(transaction, "connections", server.handler)
    with transaction.atomic():
        assert server.work() is server.own.connection

    server.leave()
