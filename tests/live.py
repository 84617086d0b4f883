"""The project as its users run it: ``manage.py runserver`` in a process of its own, with a database of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .integration.servers import Process, free_port, manage, migrate, running

REALM = "realm1"


@dataclass(frozen=True)
class LiveServer:
    """Where it is and what it prints."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """The address of the pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        """The address for WAMP."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def log(self) -> str:
        """Everything printed so far."""
        return self.process.output

    def stop(self) -> None:
        """End it as an operator does; it must leave in order and have nothing to complain of."""
        assert self.process.stop() == 0, self.log
        for word in ("Traceback", "Warning"):
            assert word not in self.log, self.log


@contextmanager
def live_server(directory: Path, *, port: int | None = None, node: Path | None = None) -> Iterator[LiveServer]:
    """A server on a free port (or ``port``), stopped and its log checked at the end.

    Its database and log are kept in ``directory``; ``node`` is a Crossbar node directory or configuration to run.
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
