"""The project as its users run it: ``manage.py runserver`` in a separate process, with a separate database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .integration.servers import Process, free_port, manage, migrate, running

REALM = "realm1"


@dataclass(frozen=True)
class LiveServer:
    """A running server, with its addresses and its output."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """The URL of the pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        """The URL for WAMP."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def log(self) -> str:
        """The output of the server so far."""
        return self.process.output

    def stop(self) -> None:
        """Stop the server as an operator does. Fail if the exit code is not 0, or if the log contains warnings."""
        assert self.process.stop() == 0, self.log
        for word in ("Traceback", "Warning"):
            assert word not in self.log, self.log


@contextmanager
def live_server(directory: Path, *, port: int | None = None, node: Path | None = None) -> Iterator[LiveServer]:
    """Run a server on ``port`` or a free port. At the end, stop it and check its log.

    Its database and log are in ``directory``. ``node`` is a Crossbar node directory or a configuration file to run.
    """
    database = directory / "live.sqlite3"
    migrate(database)
    environment = {"WAMPNODE_DATABASE": str(database)}
    port = port or free_port()
    options = ["--config", str(node)] if node else []
    command = manage("runserver", "--noreload", f"127.0.0.1:{port}", *options)
    with running(command, directory, **environment) as process:
        server = LiveServer(port, process.wait_for(port))
        yield server
        server.stop()
