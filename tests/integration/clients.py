"""WAMP clients of other people, each driven by commands: what a test says to all of them in the same words.

A client runs in a process of its own (here) or in a page (`tests/browser`). The commands and their answers are
described in `tests/js/driver.js`; the programs in `drivers/` understand the same.
"""

import base64
import json
import queue
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..requirements import JAVASCRIPT, javascript_packages, node
from .abilities import LACKS

DEADLINE = 20.0
PYTHON_LIBRARIES = {"autobahn-python": "autobahn_client", "xconn": "xconn_client", "swampyer": "swampyer_client"}


@dataclass(frozen=True)
class Kind:
    """A library and the serializer it speaks with."""

    library: str
    serializer: str

    def __str__(self) -> str:
        return f"{self.library}:{self.serializer}"

    @property
    def knows_binary(self) -> bool:
        """Whether binary values are bytes for its users. In JSON they stay strings but with Autobahn|Python."""
        return self.serializer != "json" or self.library == "autobahn-python"

    def lacks(self, features: Collection[str]) -> bool:
        """Whether the library cannot do one of these; see `abilities.py`."""
        return any(feature in LACKS[self.library] for feature in features)


class WampFailure(Exception):
    """A command was answered with an error that has a URI; `arguments` and `named` came with it."""

    def __init__(self, uri: str, arguments: list[Any], named: dict[str, Any]) -> None:
        super().__init__(uri, arguments, named)
        self.uri = uri
        self.arguments = arguments
        self.named = named


@dataclass(frozen=True)
class Event:
    """An event as the client's user got it; ``subscribed`` is the topic or pattern that it came by."""

    topic: str
    subscribed: str
    args: list[Any]
    kwargs: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)


def to_json(value: Any) -> Any:
    """A value for a command: bytes as ``{"$bytes": base64}``."""
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    return [to_json(item) for item in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def from_json(value: Any) -> Any:
    """The value of an answer."""
    if isinstance(value, dict):
        return base64.b64decode(value["$bytes"]) if "$bytes" in value else {k: from_json(v) for k, v in value.items()}
    return [from_json(item) for item in value] if isinstance(value, list) else value


class Client(ABC):
    """One session of one library."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.session_id: int | None = None
        self._last_id = 0

    @abstractmethod
    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Hand a command over and wait for its answer."""

    @abstractmethod
    def next_event(self) -> Event:
        """The next event not asked for yet; waits for it."""

    def command(self, op: str, **parameters: Any) -> Any:
        """Carry out a command; its value."""
        self._last_id += 1
        answer = self._ask({"id": self._last_id, "op": op, **to_json(parameters)})
        if error := answer.get("error"):
            raise WampFailure(error["uri"], from_json(error["args"]), from_json(error["kwargs"]))
        return from_json(answer["value"])

    def open(self, url: str, realm: str) -> None:
        """Connect and join."""
        self.session_id = self.command("open", url=url, realm=realm, serializer=self.kind.serializer)

    def subscribe(self, topic: str, match: str | None = None, **options: Any) -> None:
        """Receive a topic's events; see `next_event`."""
        self.command("subscribe", topic=topic, options={"match": match, **options} if match else options)

    def unsubscribe(self, topic: str) -> None:
        """Receive them no more."""
        self.command("unsubscribe", topic=topic)

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Publish and wait for the acknowledgement."""
        self.publish_with({"acknowledge": True}, topic, *args, **kwargs)

    def publish_with(self, options: Mapping[str, Any], topic: str, *args: Any, **kwargs: Any) -> None:
        """Publish with these options."""
        self.command("publish", topic=topic, args=args, kwargs=kwargs, options=options)

    def register(self, procedure: str, answer: str, **options: Any) -> None:
        """Offer a procedure that answers as one of the drivers' procedures does."""
        self.command("register", procedure=procedure, answer=answer, options=options)

    def unregister(self, procedure: str) -> None:
        """Offer it no more."""
        self.command("unregister", procedure=procedure)

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
        """Call; the result's arguments."""
        return self.call_with({}, procedure, *args, **kwargs)

    def call_with(
        self, options: Mapping[str, Any], procedure: str, *args: Any, **kwargs: Any
    ) -> tuple[list[Any], dict[str, Any]]:
        """Call with these options; the result's arguments."""
        result = self.command("call", procedure=procedure, args=args, kwargs=kwargs, options=options)
        return result["args"], result["kwargs"]

    def call_with_progress(self, procedure: str, *args: Any) -> tuple[list[Any], list[Any]]:
        """Call and ask for progressive results; those, and the result's positional arguments."""
        result = self.command("progress", procedure=procedure, args=args)
        return result["progress"], result["args"]

    def start(self, procedure: str, *args: Any) -> None:
        """Call without waiting; see `cancel` and `outcome`."""
        self.command("start", procedure=procedure, args=args)

    def cancel(self, procedure: str, mode: str | None) -> None:
        """Cancel what was started."""
        self.command("cancel", procedure=procedure, mode=mode)

    def outcome(self, procedure: str) -> Any:
        """Wait for the end of what was started."""
        return self.command("outcome", procedure=procedure)

    def leave(self) -> str:
        """Say goodbye; the reason in the router's answer."""
        return str(self.command("close"))


class Program:
    """A process of one library that drives any number of clients: commands in, answers and events out, a line each."""

    def __init__(self, library: str, log: Path) -> None:
        self.library = library
        self.log = log
        self.clients: dict[int, ProcessClient] = {}
        with log.open("wb") as complaints:
            self.process = subprocess.Popen(
                program_of(library), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def client(self, serializer: str) -> "ProcessClient":
        """A client not connected yet."""
        key = len(self.clients)
        self.clients[key] = client = ProcessClient(Kind(self.library, serializer), self, key)
        return client

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            self.clients[message["client"]].take(message)

    def tell(self, command: dict[str, Any]) -> None:
        """Hand a command over."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def next(self, source: "queue.SimpleQueue[Any]", what: str) -> Any:
        """The next of what is reported; waits for it."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            try:
                return source.get(timeout=0.2)
            except queue.Empty:
                assert self.process.poll() is None, f"{self.library} has ended: {self.log.read_text()}"
                assert self._reader.is_alive(), f"What {self.library} reports is not understood, see above"
        raise AssertionError(f"not within {DEADLINE} seconds: {what}; it printed: {self.log.read_text()}")

    def end(self) -> int:
        """No more commands: the process ends. Its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            return self.process.wait(DEADLINE)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(DEADLINE)
            self.process.stdout.close()


class ProcessClient(Client):
    """A client in a program of its library."""

    def __init__(self, kind: Kind, program: Program, key: int) -> None:
        super().__init__(kind)
        self.program = program
        self.key = key
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def take(self, message: dict[str, Any]) -> None:
        """What the program reported of this client."""
        if "event" in message:
            self._events.put(Event(**from_json(message["event"])))
        else:
            self._answers[message["id"]].put(message)

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        answer = self._answers[command["id"]] = queue.SimpleQueue()
        self.program.tell({"client": self.key, **command})
        found: dict[str, Any] = self.program.next(answer, f"{self.kind} answers {command['op']}")
        return found

    def next_event(self) -> Event:
        """The next event not asked for yet; waits for it."""
        event: Event = self.program.next(self._events, f"{self.kind} receives an event")
        return event

    def forget_events(self) -> None:
        """Drop the events not asked for: one failure does not become many."""
        self._events = queue.SimpleQueue()


def program_of(library: str) -> list[str]:
    """The command that runs a library's driver."""
    if library in PYTHON_LIBRARIES:
        return [sys.executable, "-u", "-m", f"tests.integration.drivers.{PYTHON_LIBRARIES[library]}"]
    javascript_packages()
    return [node(), str(JAVASCRIPT / "main.js"), library]


@contextmanager
def running_program(library: str, directory: Path) -> Iterator[Program]:
    """A program of a library. It must end in order."""
    program = Program(library, directory / f"{library}-{time.monotonic_ns()}.log")
    try:
        yield program
    finally:
        code = program.end()
    assert code == 0, program.log.read_text()


@contextmanager
def running_client(kind: Kind, directory: Path) -> Iterator[ProcessClient]:
    """A client not connected yet, in a program of its own."""
    with running_program(kind.library, directory) as program:
        yield program.client(kind.serializer)


@contextmanager
def joined_client(kind: Kind, url: str, realm: str, directory: Path) -> Iterator[ProcessClient]:
    """A client that has joined, and leaves in good manners."""
    with running_client(kind, directory) as client:
        client.open(url, realm)
        yield client
        client.leave()
