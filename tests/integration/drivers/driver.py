"""What the programs of the Python clients share: commands, values, procedures. See `clients.py`."""

import asyncio
import base64
import json
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol


class Failure(Exception):
    """An error with a URI, from the router or from a procedure."""

    def __init__(self, uri: str, args: Any = (), kwargs: Any = None) -> None:
        super().__init__(uri)
        self.uri = uri
        self.arguments = list(args or ())
        self.named = kwargs or {}


#: Where reports go. Libraries that print do so among the complaints.
_OUTPUT, sys.stdout = sys.stdout, sys.stderr

#: Threads of a library report as well: a long line must not have another one in its middle.
_WRITING = threading.Lock()

#: Set when no command follows: what is cancelled then is not cancelled by the router.
is_ending = threading.Event()

Report = Callable[[dict[str, Any]], None]


class Adapter(Protocol):
    """One session of a library; beside `open` it has a method per command of `tests/js/driver.js`."""

    async def open(self, url: str, realm: str, serializer: str) -> int | None:
        """Connect and join; the session id."""


def decode(value: Any) -> Any:
    """A value of a command, with binary values in it."""
    if isinstance(value, dict):
        return base64.b64decode(value["$bytes"]) if "$bytes" in value else {k: decode(v) for k, v in value.items()}
    return [decode(item) for item in value] if isinstance(value, list) else value


def encode(value: Any) -> Any:
    """A value for a report."""
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return [encode(item) for item in value] if isinstance(value, list | tuple) else value


def event(topic: str, subscribed: str, args: Any, kwargs: Any, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """The report of an event."""
    shown = {"topic": topic, "subscribed": subscribed, "args": list(args or ()), "kwargs": kwargs or {}}
    return {"event": encode({**shown, "details": details or {}})}


async def _handle(adapter: Adapter, command: dict[str, Any], report: Report) -> None:
    command_id = command.pop("id")
    try:
        value = await getattr(adapter, command.pop("op"))(**decode(command))
    except Failure as error:
        failure = {"uri": error.uri, "args": encode(error.arguments), "kwargs": encode(error.named)}
        report({"id": command_id, "error": failure})
    else:
        report({"id": command_id, "value": encode(value)})


async def run(make: Callable[[Report], Adapter]) -> None:
    """Read commands until the end of standard input. An unexpected exception ends the program with its traceback."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**25)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    adapters: dict[int, Adapter] = {}
    reports: dict[int, Report] = {}
    async with asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            command = json.loads(line)
            client = command.pop("client")
            if client not in adapters:
                reports[client] = _reporter(client)
                adapters[client] = make(reports[client])
            tasks.create_task(_handle(adapters[client], command, reports[client]))
        is_ending.set()


def _reporter(client: int) -> Report:
    def report(message: dict[str, Any]) -> None:
        line = json.dumps({"client": client, **message}) + "\n"
        with _WRITING:
            _OUTPUT.write(line)
            _OUTPUT.flush()

    return report
