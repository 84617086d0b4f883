"""Prepare databases for a live server. An in-memory SQLite database is copied to a file that all threads can open."""

import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


@contextmanager
def databases_for_threads() -> Iterator[None]:
    """Context manager: make the data that tests commit visible to all threads.

    When the block ends, the connections that other threads have opened are closed. An in-memory SQLite database can be
    used by one connection only. Therefore, it is copied to a file, and the copy is used inside the block. The original
    database does not change. Use this context manager outside of transactions.
    """
    opened: list[BaseDatabaseWrapper] = []
    here = threading.get_ident()

    def remember(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        if threading.get_ident() != here:
            opened.append(connection)

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wamp-live-")))
        for connection in connections.all():
            if connection.vendor == "sqlite" and connection.is_in_memory_db():  # type: ignore[attr-defined]
                stack.enter_context(_in_file(connection, directory / f"{connection.alias}.sqlite3"))
        connection_created.connect(remember, weak=False)
        try:
            yield
        finally:
            connection_created.disconnect(remember)
            for connection in opened:
                _close(connection)


@contextmanager
def _in_file(connection: BaseDatabaseWrapper, file: Path) -> Iterator[None]:
    connection.ensure_connection()
    memory, settings = connection.connection, connection.settings_dict
    before = {"NAME": settings["NAME"], "OPTIONS": settings["OPTIONS"]}
    copy = sqlite3.connect(file)
    copy.execute("PRAGMA journal_mode=WAL")  # readers do not wait for writers
    memory.backup(copy)
    copy.close()
    # The connections of all threads share this dictionary, so this changes all of them.
    settings.update(NAME=str(file), OPTIONS={**before["OPTIONS"], "transaction_mode": "IMMEDIATE", "timeout": 30})
    connection.connection = None
    try:
        yield
    finally:
        connection.close()
        settings.update(before)
        connection.connection = memory


def _close(connection: BaseDatabaseWrapper) -> None:
    connection.inc_thread_sharing()
    try:
        connection.close()
    finally:
        connection.dec_thread_sharing()
