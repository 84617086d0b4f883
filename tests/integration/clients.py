"""WAMP clients of other people, each driven by commands: what a test says to all of them in the same words.

A client runs in a process of its own (here) or in a page (`tests/browser`). The commands and their answers are
described in `tests/js/driver.js`; `autobahn_client.py` understands the same.
"""

import base64
import json
import queue
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..requirements import JAVASCRIPT, javascript_packages, node

DEADLINE = 20.0


@dataclass(frozen=True)
class Kind:
    """A library and the serializer it speaks with."""

    library: str
    serializer: str

    def __str__(self) -> str:
        return f"{self.library}:{self.serializer}"

    @property
    def knows_binary(self) -> bool:
        """Whether binary values are bytes for its users. JavaScript's JSON has none: there they stay strings."""
        return self.serializer != "json" or self.library == "autobahn-python"


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

    def subscribe(self, topic: str, match: str | None = None) -> None:
        """Receive a topic's events; see `next_event`."""
        self.command("subscribe", topic=topic, match=match)

    def unsubscribe(self, topic: str) -> None:
        """Receive them no more."""
        self.command("unsubscribe", topic=topic)

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Publish and wait for the acknowledgement."""
        self.command("publish", topic=topic, args=args, kwargs=kwargs)

    def register(self, procedure: str, answer: str) -> None:
        """Offer a procedure that answers by ``echo``, ``add`` or ``refuse``."""
        self.command("register", procedure=procedure, answer=answer)

    def unregister(self, procedure: str) -> None:
        """Offer it no more."""
        self.command("unregister", procedure=procedure)

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
        """Call; the result's arguments."""
        result = self.command("call", procedure=procedure, args=args, kwargs=kwargs)
        return result["args"], result["kwargs"]

    def leave(self) -> str:
        """Say goodbye; the reason in the router's answer."""
        return str(self.command("close"))


class ProcessClient(Client):
    """A client in a process: commands on its standard input, answers and events on its standard output."""

    def __init__(self, kind: Kind, log: Path) -> None:
        super().__init__(kind)
        self.log = log
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        with log.open("wb") as complaints:
            self.process = subprocess.Popen(
                program_of(kind.library), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if "event" in message:
                self._events.put(Event(**from_json(message["event"])))
            else:
                self._answers[message["id"]].put(message)

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        answer = self._answers[command["id"]] = queue.SimpleQueue()
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        return self._next(answer, f"{self.kind} answers {command['op']}")

    def next_event(self) -> Event:
        """The next event not asked for yet; waits for it."""
        return self._next(self._events, f"{self.kind} receives an event")

    def _next(self, source: "queue.SimpleQueue[Any]", what: str) -> Any:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            try:
                return source.get(timeout=0.2)
            except queue.Empty:
                assert self.process.poll() is None, f"{self.kind} has ended: {self.log.read_text()}"
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


def program_of(library: str) -> list[str]:
    """The command that runs a library's driver."""
    if library == "autobahn-python":
        return [sys.executable, "-u", str(Path(__file__).with_name("autobahn_client.py"))]
    javascript_packages()
    return [node(), str(JAVASCRIPT / "main.js"), library]


@contextmanager
def running_client(kind: Kind, directory: Path) -> Iterator[ProcessClient]:
    """A client not connected yet. Its process must end in order."""
    client = ProcessClient(kind, directory / f"{kind.library}-{kind.serializer}-{time.monotonic_ns()}.log")
    try:
        yield client
    finally:
        code = client.end()
    assert code == 0, client.log.read_text()


@contextmanager
def joined_client(kind: Kind, url: str, realm: str, directory: Path) -> Iterator[ProcessClient]:
    """A client that has joined, and leaves in good manners."""
    with running_client(kind, directory) as client:
        client.open(url, realm)
        yield client
        client.leave()
