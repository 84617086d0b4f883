"""xconn (asyncio) driven by commands, as a program: see `clients.py`."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from wampproto import exception as wampproto_exception
from wampproto import messages, serializers
from xconn import exception
from xconn.async_client import connect
from xconn.types import Event, Invocation, Result

from .driver import Failure, Report, event, run

SERIALIZERS: dict[str, Any] = {
    "json": serializers.JSONSerializer,
    "msgpack": serializers.MsgPackSerializer,
    "cbor": serializers.CBORSerializer,
}


async def asked(answer: Awaitable[Any]) -> Any:
    """Wait for an answer."""
    try:
        return await answer
    except (exception.ApplicationError, wampproto_exception.ApplicationError) as error:
        raise Failure(error.message, error.args, error.kwargs) from error


class Adapter:
    """One session of xconn."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.session: Any = None
        self.goodbye: str | None = None
        self.subscriptions: dict[str, Any] = {}
        self.registrations: dict[str, Any] = {}

    async def open(self, url: str, realm: str, serializer: str) -> int:
        """Connect and join; xconn keeps the reason of a GOODBYE to itself: its serializer tells it."""
        chosen = SERIALIZERS[serializer]()
        deserialize = chosen.deserialize

        def listening(data: Any) -> Any:
            message = deserialize(data)
            if isinstance(message, messages.Goodbye):
                self.goodbye = message.reason
            return message

        chosen.deserialize = listening
        self.session = await asked(connect(url, realm, serializer=chosen))
        return int(self.session._base_session.id)

    async def subscribe(self, topic: str, options: dict[str, Any]) -> None:
        """Subscribe; each event is reported."""

        async def on_event(found: Event) -> None:
            details = found.details
            self.report(event(details.get("topic", topic), topic, found.args, found.kwargs, details))

        self.subscriptions[topic] = await asked(self.session.subscribe(topic, on_event, options=options))

    async def unsubscribe(self, topic: str) -> None:
        """Unsubscribe."""
        await asked(self.subscriptions.pop(topic).unsubscribe())

    async def publish(self, topic: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]) -> None:
        """Publish."""
        await asked(self.session.publish(topic, args, kwargs, options))

    async def register(self, procedure: str, answer: str, options: dict[str, Any]) -> None:
        """Register."""
        endpoint = getattr(self, f"answer_{answer}")
        self.registrations[procedure] = await asked(self.session.register(procedure, endpoint, options=options))

    async def unregister(self, procedure: str) -> None:
        """Unregister."""
        await asked(self.registrations.pop(procedure).unregister())

    async def call(
        self, procedure: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]
    ) -> dict[str, Any]:
        """Call."""
        result = await asked(self.session.call(procedure, args, kwargs, options))
        return {"args": result.args or [], "kwargs": result.kwargs or {}}

    async def close(self) -> str | None:
        """Leave; the reason in the router's GOODBYE."""
        await self.session.leave()
        return self.goodbye

    async def answer_echo(self, invocation: Invocation) -> Result:
        """Answer with what was given."""
        return Result(invocation.args, invocation.kwargs)

    async def answer_add(self, invocation: Invocation) -> Result:
        """Answer with the sum."""
        return Result([sum(invocation.args)])

    async def answer_refuse(self, invocation: Invocation) -> Result:
        """Answer with an error of the application's own."""
        raise exception.ApplicationError("com.example.error.refused", "Not today.", *(invocation.args or ()))

    async def answer_caller(self, invocation: Invocation) -> Result:
        """Answer with the caller's session id, where it is known."""
        return Result([invocation.details.get("caller")])

    async def answer_procedure(self, invocation: Invocation) -> Result:
        """Answer with the procedure that was called."""
        return Result([invocation.details.get("procedure")])

    async def answer_callee(self, invocation: Invocation) -> Result:
        """Answer with our session id."""
        return Result([self.session._base_session.id])

    async def answer_hang(self, invocation: Invocation) -> Result:
        """Tell of the call and never answer it."""
        self.report(event(invocation.args[0], "called", [], {}))
        await asyncio.Event().wait()
        return Result()


if __name__ == "__main__":
    asyncio.run(run(Adapter))
