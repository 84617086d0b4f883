"""A temporary Redis server for tests: on a Unix socket, without files for its data."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .integration.servers import DEADLINE, is_open, until
from .requirements import redis_server


@contextmanager
def running_redis() -> Iterator[str]:
    """Run a new, empty server, and yield its location for Django's cache.

    The name of its directory is short, because paths of sockets must be short.
    """
    directory = Path(tempfile.mkdtemp(prefix="redis-"))
    socket = directory / "s"
    command = [redis_server(), "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"]
    try:
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log)
        try:
            until(lambda: process.poll() is not None or is_open(str(socket)), "Redis answers")
            assert process.poll() is None, (directory / "log").read_text()
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.wait(DEADLINE)
    finally:
        shutil.rmtree(directory)
