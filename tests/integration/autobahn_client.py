"""Autobahn|Python (asyncio) driven by commands, as a program: see `clients.py`.

It is a program of its own because Autobahn chooses its framework once per process.
"""

import asyncio
import base64
import json
import sys
from typing import Any

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import CallResult, CloseDetails, PublishOptions, SubscribeOptions

SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}


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


def echo(*args: Any, **kwargs: Any) -> CallResult:
    """Answer with what was given."""
    return CallResult(*args, **kwargs)


def add(a: float, b: float) -> float:
    """Answer with the sum."""
    return a + b


def refuse(*args: Any, **kwargs: Any) -> None:
    """Answer with an error of the application's own."""
    raise ApplicationError("com.example.error.refused", "Not today.", *args, **{"colour": "red", **kwargs})


PROCEDURES = {"echo": echo, "add": add, "refuse": refuse}


class Session(ApplicationSession):
    """Tells when it has joined and how it ended."""

    def __init__(self, config: Any, joined: "asyncio.Future[int]", left: "asyncio.Future[str]") -> None:
        super().__init__(config)
        self.joined = joined
        self.left = left

    def onJoin(self, details: Any) -> None:
        """WELCOME was received."""
        self.joined.set_result(details.session)

    def onLeave(self, details: CloseDetails) -> None:
        """GOODBYE or ABORT was received, or the connection was lost."""
        if not self.joined.done():
            self.joined.set_exception(ApplicationError(details.reason, details.message))
        if not self.left.done():
            self.left.set_result(details.reason)
        self.disconnect()

    def onUserError(self, fail: Any, msg: str) -> None:
        """Errors that procedures answer with are part of the tests; others must be seen."""
        if not isinstance(fail.value, ApplicationError):
            super().onUserError(fail, msg)


class Driver:
    """Carries out commands, one session."""

    def __init__(self) -> None:
        self.session: Session
        self.subscriptions: dict[str, Any] = {}
        self.registrations: dict[str, Any] = {}

    async def handle(self, command: dict[str, Any]) -> None:
        """Carry a command out and report its value or its error."""
        command_id = command.pop("id")
        try:
            value = await getattr(self, command.pop("op"))(**decode(command))
        except ApplicationError as error:
            failure = {"uri": error.error, "args": encode(error.args), "kwargs": encode(error.kwargs)}
            report({"id": command_id, "error": failure})
        else:
            report({"id": command_id, "value": encode(value)})

    async def open(self, url: str, realm: str, serializer: str) -> int:
        """Connect and join; the session id."""
        loop = asyncio.get_running_loop()
        joined, left = loop.create_future(), loop.create_future()
        runner = ApplicationRunner(url, realm, serializers=[SERIALIZERS[serializer]()])

        def make(config: Any) -> Session:
            self.session = Session(config, joined, left)
            return self.session

        await runner.run(make, start_loop=False)
        return int(await joined)

    async def subscribe(self, topic: str, match: str | None) -> None:
        """Subscribe; each event is reported."""

        def on_event(*args: Any, details: Any, **kwargs: Any) -> None:
            event = {"topic": details.topic, "subscribed": topic, "args": encode(args), "kwargs": encode(kwargs)}
            report({"event": event})

        options = SubscribeOptions(match=match, details_arg="details")
        self.subscriptions[topic] = await self.session.subscribe(on_event, topic, options=options)

    async def unsubscribe(self, topic: str) -> None:
        """Unsubscribe."""
        await self.subscriptions.pop(topic).unsubscribe()

    async def publish(self, topic: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Publish and wait for the acknowledgement."""
        await self.session.publish(topic, *args, options=PublishOptions(acknowledge=True), **kwargs)

    async def register(self, procedure: str, answer: str) -> None:
        """Register."""
        self.registrations[procedure] = await self.session.register(PROCEDURES[answer], procedure)

    async def unregister(self, procedure: str) -> None:
        """Unregister."""
        await self.registrations.pop(procedure).unregister()

    async def call(self, procedure: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Call; Autobahn gives a single positional result bare, and wraps everything else."""
        result = await self.session.call(procedure, *args, **kwargs)
        if isinstance(result, CallResult):
            return {"args": list(result.results), "kwargs": result.kwresults or {}}
        return {"args": [] if result is None else [result], "kwargs": {}}

    async def close(self) -> str:
        """Leave; the reason in the router's GOODBYE."""
        self.session.leave()
        return await self.session.left


def report(message: dict[str, Any]) -> None:
    """Print one line for the test."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Read commands until the end of standard input. An unexpected exception ends the program with its traceback."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    driver = Driver()
    async with asyncio.TaskGroup() as tasks:
        while line := await reader.readline():
            tasks.create_task(driver.handle(json.loads(line)))


if __name__ == "__main__":
    asyncio.run(main())
