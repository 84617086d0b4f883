"""swampyer (threads) driven by commands, as a program: see `clients.py`."""

import asyncio
import threading
from typing import Any

import swampyer

from .driver import Failure, Report, event, run


class Client(swampyer.WAMPClient):
    """Remembers the error that a request was answered with: swampyer's own exceptions leave its URI out."""

    last_refusal: Any = None

    def handle_error(self, error: Any) -> None:
        """ERROR was received."""
        self.last_refusal = error
        super().handle_error(error)

    def handle_abort(self, reason: Any) -> None:
        """ABORT was received."""
        self.last_refusal = reason
        super().handle_abort(reason)


def failure(error: Any) -> Failure:
    """An ERROR message as a failure."""
    return Failure(error.error, error.args, error.kwargs)


class Adapter:
    """One session of swampyer. A client calls from one thread at a time, as the tests do."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.client: Client
        self.subscriptions: dict[str, int] = {}
        self.registrations: dict[str, int] = {}

    async def open(self, url: str, realm: str, serializer: str) -> int:
        """Connect and join; the session id. Events are handled one after the other, calls each in its thread."""
        self.client = Client(url=url, realm=realm, serializers=[serializer], auto_reconnect=False, concurrency_max=1)
        try:
            await asyncio.to_thread(self.client.start)
        except swampyer.ExAbort as error:
            raise Failure(self.client.last_refusal.reason) from error
        return int(self.client.session_id)

    async def ask(self, message: Any) -> Any:
        """Send a request; its answer."""
        answer = await asyncio.to_thread(self.client.send_and_await_response, message)
        if answer == swampyer.WAMP_ERROR:
            raise failure(answer)
        return answer

    async def subscribe(self, topic: str, options: dict[str, Any]) -> None:
        """Subscribe; each event is reported."""

        def on_event(found: Any, *args: Any, **kwargs: Any) -> None:
            self.report(event(found.details.get("topic", topic), topic, args, kwargs, found.details))

        answer = await asyncio.to_thread(self.client.subscribe, topic, on_event, options)
        if answer == swampyer.WAMP_ERROR:
            raise failure(answer)
        self.subscriptions[topic] = answer.subscription_id

    async def unsubscribe(self, topic: str) -> None:
        """Unsubscribe."""
        await asyncio.to_thread(self.client.unsubscribe, self.subscriptions.pop(topic))

    async def publish(self, topic: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]) -> None:
        """Publish."""
        answer = await asyncio.to_thread(self.client.publish, topic, options, args, kwargs)
        if answer is not None and answer == swampyer.WAMP_ERROR:
            raise failure(answer)

    async def register(self, procedure: str, answer: str, options: dict[str, Any]) -> None:
        """Register."""
        endpoint = getattr(self, f"answer_{answer}")
        try:
            found = await asyncio.to_thread(self.client.register, procedure, endpoint, options, "unlimited")
        except swampyer.ExInvocationError as error:
            raise failure(self.client.last_refusal) from error
        self.registrations[procedure] = found.registration_id

    async def unregister(self, procedure: str) -> None:
        """Unregister."""
        await asyncio.to_thread(self.client.unregister, self.registrations.pop(procedure))

    async def call(
        self, procedure: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]
    ) -> dict[str, Any]:
        """Call. `WAMPClient.call` takes no options and gives the first result only: so the message itself."""
        result = await self.ask(swampyer.CALL(options=options, procedure=procedure, args=args, kwargs=kwargs))
        return {"args": result.args, "kwargs": result.kwargs}

    async def close(self) -> None:
        """Leave; swampyer does not wait for the router's GOODBYE."""
        await asyncio.to_thread(self.client.disconnect)

    def answer_add(self, invocation: Any, a: float, b: float) -> float:
        """Answer with the sum."""
        return a + b

    def answer_caller(self, invocation: Any) -> int | None:
        """Answer with the caller's session id, where it is known."""
        caller: int | None = invocation.details.get("caller")
        return caller

    def answer_procedure(self, invocation: Any) -> str | None:
        """Answer with the procedure that was called."""
        procedure: str | None = invocation.details.get("procedure")
        return procedure

    def answer_callee(self, invocation: Any) -> int | None:
        """Answer with our session id."""
        return self.client.session_id

    def answer_hang(self, invocation: Any, name: str) -> None:
        """Tell of the call and never answer it."""
        self.report(event(name, "called", [], {}))
        threading.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(Adapter))
