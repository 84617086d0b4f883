"""A PostgreSQL server of the tests' own: Debian's programs, a new cluster on a Unix socket, gone at the end.

``python -m tests.postgresql COMMAND`` runs a command whose settings are ``tests.settings`` on such a server.
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
"""The user that the server runs as where the tests run as root, which it refuses."""

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
"""What is lost with the machine does not matter."""


class Cluster:
    """Databases in a directory that only this process knows; see :func:`running_cluster`."""

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
        """Begin to serve; returns when it does."""
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
        """Close all connections and end, as for a restart of the service."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(DEADLINE)
            self._process = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def ask(self, query: str, *parameters: Any, database: str = OWNER) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        address = {"host": str(self.directory), "user": OWNER, "dbname": database}
        with psycopg.connect(**address, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str) -> dict[str, str]:
        """A new database; the environment in which ``tests.settings`` and ``tests.shop.settings`` use it."""
        self.ask(f'CREATE DATABASE "{database}"')
        return {"TEST_POSTGRESQL": str(self.directory), "TEST_POSTGRESQL_NAME": database}

    def connections(self, database: str) -> int:
        """How many connections clients have to a database."""
        [(count,)] = self.ask("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", database)
        return int(count)

    @property
    def log(self) -> str:
        """What the server has printed."""
        return (self.directory / "log").read_text("utf-8", "replace")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, **self._as_owner)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A server of its own with nothing in it. Its directory's name is short, as those of sockets must be."""
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
    """Run a command on a server of its own; its exit code."""
    try:
        with running_cluster() as cluster:
            return subprocess.run(command, env=os.environ | cluster.create("tests"), check=False).returncode
    except pytest.skip.Exception as skipped:
        print(skipped, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
