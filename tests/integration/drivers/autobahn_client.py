"""Autobahn|Python (asyncio) driven by commands, as a program: see `clients.py`.

It is a program of its own because Autobahn chooses its framework once per process.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import (
    CallOptions,
    CallResult,
    CloseDetails,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

from .driver import Failure, Report, event, is_ending, run

SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}


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
        if not isinstance(fail.value, ApplicationError | asyncio.CancelledError):
            super().onUserError(fail, msg)


async def asked(answer: Awaitable[Any]) -> Any:
    """Wait for an answer."""
    try:
        return await answer
    except ApplicationError as error:
        raise Failure(error.error, error.args, error.kwargs) from error


class Adapter:
    """One session of Autobahn|Python."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.session: Session
        self.subscriptions: dict[str, Any] = {}
        self.registrations: dict[str, Any] = {}
        self.started: dict[str, asyncio.Future[Any]] = {}

    async def open(self, url: str, realm: str, serializer: str) -> int:
        """Connect and join; the session id."""
        loop = asyncio.get_running_loop()
        joined, left = loop.create_future(), loop.create_future()
        runner = ApplicationRunner(url, realm, serializers=[SERIALIZERS[serializer]()])

        def make(config: Any) -> Session:
            self.session = Session(config, joined, left)
            return self.session

        await runner.run(make, start_loop=False)
        return int(await asked(joined))

    async def subscribe(self, topic: str, options: dict[str, Any]) -> None:
        """Subscribe; each event is reported."""

        def on_event(*args: Any, details: Any, **kwargs: Any) -> None:
            known = {"publisher": details.publisher, "retained": details.retained}
            self.report(event(details.topic, topic, args, kwargs, known))

        chosen = SubscribeOptions(details_arg="details", **options)
        self.subscriptions[topic] = await asked(self.session.subscribe(on_event, topic, options=chosen))

    async def unsubscribe(self, topic: str) -> None:
        """Unsubscribe."""
        await asked(self.subscriptions.pop(topic).unsubscribe())

    async def publish(self, topic: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]) -> None:
        """Publish, and wait for the acknowledgement where it is asked for."""
        published = self.session.publish(topic, *args, options=PublishOptions(**options), **kwargs)
        if published is not None:
            await asked(published)

    async def register(self, procedure: str, answer: str, options: dict[str, Any]) -> None:
        """Register."""
        chosen = RegisterOptions(details_arg="details", **options)
        endpoint = getattr(self, f"answer_{answer}")
        self.registrations[procedure] = await asked(self.session.register(endpoint, procedure, options=chosen))

    async def unregister(self, procedure: str) -> None:
        """Unregister."""
        await asked(self.registrations.pop(procedure).unregister())

    async def call(
        self, procedure: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]
    ) -> dict[str, Any]:
        """Call; Autobahn gives a single positional result bare, and wraps everything else."""
        if options:
            kwargs = {**kwargs, "options": CallOptions(**options)}
        result = await asked(self.session.call(procedure, *args, **kwargs))
        if isinstance(result, CallResult):
            return {"args": list(result.results), "kwargs": result.kwresults or {}}
        return {"args": [] if result is None else [result], "kwargs": {}}

    async def progress(self, procedure: str, args: list[Any]) -> dict[str, Any]:
        """Call for progressive results."""
        progress: list[Any] = []
        result = await asked(
            self.session.call(
                procedure, *args, options=CallOptions(on_progress=lambda *values: progress.extend(values))
            )
        )
        return {"progress": progress, "args": [result]}

    async def start(self, procedure: str, args: list[Any]) -> None:
        """Call without waiting."""
        self.started[procedure] = self.session.call(procedure, *args)

    async def cancel(self, procedure: str, mode: str | None) -> None:
        """Cancel; Autobahn|Python names no mode."""
        assert mode is None
        self.started[procedure].cancel()

    async def outcome(self, procedure: str) -> Any:
        """What became of a call."""
        try:
            return await asked(self.started.pop(procedure))
        except asyncio.CancelledError:
            raise Failure("wamp.error.canceled") from None

    async def close(self) -> str:
        """Leave; the reason in the router's GOODBYE."""
        self.session.leave()
        return await self.session.left

    def answer_echo(self, *args: Any, details: Any, **kwargs: Any) -> CallResult:
        """Answer with what was given."""
        return CallResult(*args, **kwargs)

    def answer_add(self, a: float, b: float, details: Any) -> float:
        """Answer with the sum."""
        return a + b

    def answer_refuse(self, *args: Any, details: Any, **kwargs: Any) -> None:
        """Answer with an error of the application's own."""
        raise ApplicationError("com.example.error.refused", "Not today.", *args, **{"colour": "red", **kwargs})

    def answer_caller(self, details: Any) -> int | None:
        """Answer with the caller's session id, where it is known."""
        caller: int | None = details.caller
        return caller

    def answer_procedure(self, details: Any) -> str | None:
        """Answer with the procedure that was called."""
        procedure: str | None = details.procedure
        return procedure

    def answer_callee(self, details: Any) -> int | None:
        """Answer with our session id."""
        session_id: int | None = self.session._session_id
        return session_id

    def answer_count(self, count: int, details: Any) -> int:
        """Count in progressive results."""
        for number in range(count):
            if details.progress:
                details.progress(number)
        return count

    async def answer_hang(self, name: str, details: Any) -> None:
        """Tell of the call, wait until interrupted, tell of that."""
        self.report(event(name, "called", [], {}))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if is_ending.is_set():
                raise
            self.report(event(name, "interrupted", [], {}))
            raise ApplicationError("wamp.error.canceled") from None


if __name__ == "__main__":
    asyncio.run(run(Adapter))
