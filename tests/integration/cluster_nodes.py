"""Processes of nodes that form a cluster over a real Redis server, and clients for them."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from ..redis_server import RedisServer
from .servers import (
    ROOT,
    Process,
    configuration,
    environment_of,
    free_port,
    manage,
    migrate,
    realm,
    running,
    until,
    web,
    write_config,
)
from .wire import Wire, opened

START_SECONDS = 90.0
"""The time that a node may take to start on a busy machine."""

PASSWORD = "password-of-redis"


def url_of(redis: RedisServer, port: int | None = None) -> str:
    """Return the URL of a server. ``port`` is that of a proxy in front of it."""
    return f"redis://:{PASSWORD}@127.0.0.1:{port or redis.port}/0"


def node_configuration(port: int, paths: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the configuration of a node whose clients may do everything, with a web transport on a port."""
    allowed = realm("realm1", call=True, register=True, publish=True, subscribe=True)
    return configuration(web(port, paths), realms=[allowed])


class Nodes:
    """Starts nodes of the demo project, each with its own database. With ``lease``, they have this lease."""

    def __init__(self, stack: ExitStack, directory: Path, redis: RedisServer, lease: float | None = None) -> None:
        self._stack = stack
        self._directory = directory
        self._redis = redis
        self._settings: dict[str, str] = {}
        if lease is not None:
            module = "tests.integration.cluster_settings"
            self._settings = {"DJANGO_SETTINGS_MODULE": module, "WAMPNODE_LEASE": str(lease)}
        self.processes: list[Process] = []

    def start(
        self,
        *arguments: str,
        is_waited_for: bool = True,
        redis_port: int | None = None,
        python: Sequence[str] = (),
    ) -> tuple[int, Process]:
        """Start a node with ``runnode``, or with another command. Return its port and the process.

        ``python`` are options of the Python interpreter.
        """
        port = free_port()
        directory = self._directory / f"node{port}"
        directory.mkdir()
        migrate(directory / "db.sqlite3")
        write_config(directory, node_configuration(port))
        environment = {
            "WAMPNODE_DATABASE": str(directory / "db.sqlite3"),
            "WAMPNODE_REDIS": url_of(self._redis, redis_port),
            **self._settings,
        }
        command = manage(*(arguments or ("runnode",)), "--config", str(directory))
        command = [command[0], *python, *command[1:]]
        process = self._stack.enter_context(running(command, directory, **environment))
        self.processes.append(process)
        if is_waited_for:
            process.wait_for(port, seconds=START_SECONDS)
        return port, process

    def command(self, port: int, *arguments: str) -> str:
        """Run a command of ``manage.py`` with the database of the node with this port. Return what it prints."""
        database = self._directory / f"node{port}" / "db.sqlite3"
        environment = environment_of(WAMPNODE_DATABASE=str(database), WAMPNODE_REDIS=url_of(self._redis))
        return subprocess.run(
            manage(*arguments), cwd=ROOT, env=environment, check=True, text=True, stdout=subprocess.PIPE
        ).stdout

    def start_several(self, number: int, **options: Any) -> list[tuple[int, Process]]:
        """Start nodes at the same time."""
        found = [self.start(is_waited_for=False, **options) for _ in range(number)]
        for port, process in found:
            process.wait_for(port, seconds=START_SECONDS)
        return found


def request(wire: Wire, *message: Any) -> Any:
    """Send a request and return the next message."""
    wire.send_json(list(message))
    return wire.message()


ROLES = {
    "publisher": {},
    "subscriber": {},
    "caller": {"features": {"call_canceling": True, "progressive_call_results": True}},
    "callee": {"features": {"call_canceling": True, "progressive_call_results": True}},
}


class Client:
    """A WAMP session over JSON. Messages that a method does not wait for are kept in ``others``."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.others: list[Any] = []
        self._numbers = count(1)
        wire.send_json([1, "realm1", {"roles": ROLES}])
        assert wire.message()[0] == 2

    def send(self, kind: int, *rest: Any) -> int:
        """Send a request, and return its id."""
        number = next(self._numbers)
        self.wire.send_json([kind, number, *rest])
        return number

    def wait_for(self, is_wanted: Callable[[Any], bool], *, seconds: float = 10.0) -> Any:
        """Return the first message for which a function returns true."""
        for message in self.others:
            if is_wanted(message):
                self.others.remove(message)
                return message
        self.wire.socket.settimeout(seconds)
        while not is_wanted(message := self.wire.message()):
            self.others.append(message)
        return message

    def answer(self, number: int, *, seconds: float = 10.0) -> Any:
        """Return the answer to a request. Fail if it is an ERROR."""
        found = self.wait_for(lambda message: _request_of(message) == number, seconds=seconds)
        assert found[0] != 8, found
        return found

    def error(self, number: int, *, seconds: float = 10.0) -> Any:
        """Return the URI of the ERROR that answers a request."""
        found = self.wait_for(lambda message: _request_of(message) == number, seconds=seconds)
        assert found[0] == 8, found
        return found[4]

    def result(self, number: int, *, seconds: float = 10.0) -> Any:
        """Return the arguments of the RESULT of a call."""
        return self.answer(number, seconds=seconds)[3]

    def subscribe(self, topic: str, **options: Any) -> None:
        self.answer(self.send(32, options, topic))

    def register(self, procedure: str, *others: "Client", seconds: float = 10.0, **options: Any) -> int:
        """Register a procedure, and wait until the nodes of other clients know it. Return the registration's id."""
        registration: int = self.answer(self.send(64, options, procedure), seconds=seconds)[2]
        for other in others:
            until(partial(other.sees, procedure), "the other node has read the log")
        return registration

    def sees(self, procedure: str) -> bool:
        """Return whether the client's node knows a procedure."""
        return bool(self.result(self.call("wamp.registration.match", procedure))[0])

    def refused(self, procedure: str, *, seconds: float = 10.0) -> Any:
        """Return the URI of the ERROR for a REGISTER."""
        return self.error(self.send(64, {}, procedure), seconds=seconds)

    def publish(self, topic: str, *args: Any) -> int:
        return self.send(16, {}, topic, list(args))

    def call(self, procedure: str, *args: Any, **options: Any) -> int:
        """Send a CALL, and return the id of the request."""
        return self.send(48, options, procedure, list(args))

    def event(self, *, seconds: float = 10.0) -> Any:
        """Return the arguments of the next event."""
        return self.wait_for(lambda message: message[0] == 36, seconds=seconds)[4]

    def invocation(self, *, seconds: float = 10.0) -> tuple[int, Any]:
        """Return the id and the arguments of the next invocation."""
        found = self.wait_for(lambda message: message[0] == 68, seconds=seconds)
        return found[1], found[4]

    def serve(self, *, seconds: float = 10.0) -> Any:
        """Answer the next invocation with its arguments, and return them."""
        number, args = self.invocation(seconds=seconds)
        self.wire.send_json([70, number, {}, args])
        return args

    def events_up_to(self, last: Any, *, seconds: float = 10.0) -> list[Any]:
        """Return the first arguments of the events, up to the event with the argument ``last``."""
        found: list[Any] = []
        while found[-1:] != [last]:
            found += self.event(seconds=seconds)[:1]
        return found


def _request_of(message: Any) -> Any:
    return message[2] if message[0] == 8 else message[1] if message[0] in (17, 33, 35, 50, 65, 67) else None


@contextmanager
def clients(*ports: int) -> Iterator[list[Client]]:
    """Open a session on each of these ports."""
    with ExitStack() as stack:
        yield [Client(stack.enter_context(opened(port))) for port in ports]
