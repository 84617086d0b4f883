"""A temporary PostgreSQL server for tests: a new cluster on a Unix socket, which is deleted at the end.

``python -m tests.postgresql COMMAND`` starts a server and runs a command that uses it through ``tests.settings``.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from .integration.servers import DEADLINE, until
from .requirements import postgresql_programs

OWNER = "postgres"
"""The superuser of the databases. If the tests run as root, which PostgreSQL refuses, the server runs as this user."""

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
"""Settings for speed. They risk data loss in a crash of the machine, which does not matter here."""


class Cluster:
    """A PostgreSQL server with its databases in a private directory. See :func:`running_cluster`."""

    def __init__(self, directory: Path, programs: Path) -> None:
        self.directory = directory
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._as_owner: dict[str, Any] = {"cwd": directory}
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(directory, owner.pw_uid, owner.pw_gid)
            self._as_owner |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        options = ["--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", *options, "--no-instructions", "--pgdata=data")

    def start(self) -> None:
        """Start the server and return when it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.directory), **QUICK}
        options = [f"-c{name}={value}" for name, value in settings.items()]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", "data", *options], stdout=log, stderr=log, **self._as_owner
            )

        def serves() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.log
            with suppress(psycopg.OperationalError):
                self.ask("SELECT 1")
                return True
            return False

        until(serves, "PostgreSQL answers")

    def stop(self) -> None:
        """Close all connections and stop the server, as for a restart of the service."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(DEADLINE)
            self._process = None

    def restart(self) -> None:
        """Stop the server and start it again."""
        self.stop()
        self.start()

    def ask(self, query: str, *parameters: Any, database: str = OWNER) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        address = {"host": str(self.directory), "user": OWNER, "dbname": database}
        with psycopg.connect(**address, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str) -> dict[str, str]:
        """Create a database.

        Return the environment variables with which ``tests.settings`` and ``tests.shop.settings`` use it.
        """
        self.ask(f'CREATE DATABASE "{database}"')
        return {"TEST_POSTGRESQL": str(self.directory), "TEST_POSTGRESQL_NAME": database}

    def connections(self, database: str) -> int:
        """Return the number of open connections to a database."""
        [(count,)] = self.ask("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", database)
        return int(count)

    @property
    def log(self) -> str:
        """The output of the server."""
        return (self.directory / "log").read_text("utf-8", "replace")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, **self._as_owner)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a new, empty server. The name of its directory is short, because paths of sockets must be short."""
    programs = postgresql_programs()
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        cluster = Cluster(directory, programs)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(directory)


def main(command: list[str]) -> int:
    """Run a command with a new server, and return the command's exit code."""
    try:
        with running_cluster() as cluster:
            return subprocess.run(command, env=os.environ | cluster.create("tests"), check=False).returncode
    except pytest.skip.Exception as skipped:
        print(skipped, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
