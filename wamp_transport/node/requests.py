"""The pending requests of a client session."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from ..wamp import errors, messages
from ..wamp.errors import ApplicationError, CallTimeout, SessionClosed, application_error
from .client_types import Result
from .inbox import DecodedMessage, Inbox

MAX_QUEUED_RESULTS: Final = 1_000
"""Maximum number of queued progressive results per call. If more arrive, the call is canceled."""
REQUESTS_PER_TURN: Final = 64
"""The number of messages after which a session lets other tasks run."""


class Request:
    """A pending request, such as a call or a subscription.

    ``answer`` is a future for the result of the request. ``to_outcome`` converts the router's message to this result.
    ``parts`` is the queue of progressive results, or None if no progressive results were requested.
    """

    __slots__ = ("answer", "id", "parts", "to_outcome")

    def __init__(self, answer: "asyncio.Future[Any]", to_outcome: Callable[[Any], Any]) -> None:
        self.id = 0
        self.answer = answer
        self.to_outcome = to_outcome
        self.parts: asyncio.Queue[Result | None] | None = None

    async def part(self) -> Result | None:
        """Wait for the next progressive result and return it. Return None if there are no more."""
        assert self.parts is not None  # noqa: S101 - the call was started with is_progressive
        return await self.parts.get()


class Requests:
    """The pending requests of one session.

    ``send`` sends a message. If the task that waits for a request was canceled before the answer arrived,
    ``on_late_outcome`` is called with the result.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        inbox: Inbox,
        send: Callable[[messages.Message], None],
        on_late_outcome: Callable[[Any], None],
    ) -> None:
        self._loop = loop
        self._inbox = inbox
        self._send = send
        self._on_late_outcome = on_late_outcome
        self._last_id = 0
        self._request_count = 0
        self._open: dict[int, Request] = {}
        self._end: SessionClosed | None = None

    def __len__(self) -> int:
        return len(self._open)

    async def turn(self) -> None:
        """Wait until the session can send a message, and let other tasks run now and then.

        Raises SessionClosed if the session is closed.
        """
        self._request_count += 1
        if self._request_count % REQUESTS_PER_TURN == 0:
            await asyncio.sleep(0)
        while self._inbox.is_send_paused and self._end is None:
            await self._inbox.wait_until_writable()
        if self._end is not None:
            raise copy_exception(self._end)

    async def begin(self, make: Callable[[int], messages.Message], request: Request | None = None) -> None:
        """Call ``make`` with the next request id, and send the message that it returns.

        If ``request`` is given, the answer to the message completes it. Raises SessionClosed if the session is closed,
        and PayloadError if the message cannot be encoded.
        """
        await self.turn()
        request_id = self._last_id + 1
        self._send(make(request_id))  # cannot be answered before the following lines: answers arrive in a later turn
        self._last_id = request_id
        if request is not None:
            request.id = request_id
            self._open[request_id] = request

    async def ask(
        self, make: Callable[[int], messages.Message], to_outcome: Callable[[Any], Any] = lambda answer: answer
    ) -> Any:
        """Send a request, wait for its answer, and return the answer converted with ``to_outcome``.

        ``make`` is called with the request id and returns the message to send. Raises ApplicationError if the answer is
        an ERROR, and the exceptions of :meth:`begin`.
        """
        request = Request(self._loop.create_future(), to_outcome)
        await self.begin(make, request)
        return await request.answer

    async def call(self, make: Callable[[int], messages.Message], *, is_progressive: bool = False) -> Request:
        """Start a call and return its request. ``make`` is called with the request id and returns the CALL message.

        When the request is no longer needed, pass it to :meth:`abandon`, even if the call succeeded. Raises the
        exceptions of :meth:`begin`.
        """
        request = Request(self._loop.create_future(), lambda answer: answer)
        if is_progressive:
            parts = request.parts = asyncio.Queue()
            request.answer.add_done_callback(lambda _: parts.put_nowait(None))
        await self.begin(make, request)
        return request

    @contextmanager
    def within(self, seconds: float | None, request: Request) -> Iterator[None]:
        """Context manager: make a call fail with CallTimeout after ``seconds``. None means no limit.

        The timeout is canceled when the block ends.
        """
        timer = None
        if seconds is not None:
            fault = CallTimeout(errors.TIMEOUT, f"no result within {seconds:g} seconds")
            timer = self._loop.call_later(seconds, self.abandon, request, fault)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def abandon(self, request: Request, fault: Exception | None = None) -> None:
        """Cancel a call that has no result yet. Do nothing if the call has ended.

        The task that waits for the call gets the exception ``fault``, or is canceled if ``fault`` is None.
        """
        if self._open.pop(request.id, None) is None:
            return
        if fault is not None and not request.answer.done():
            request.answer.set_exception(fault)
        else:
            request.answer.cancel()
        self._send(messages.Cancel(request.id, messages.CancelOptions("killnowait")))

    def end(self, end: SessionClosed) -> None:
        """Make all pending requests fail with the exception ``end``, because the session is closed."""
        self._end = end
        for request in self._open.values():
            if not request.answer.done():
                request.answer.set_exception(copy_exception(end))
        self._open.clear()

    # --- answers -------------------------------------------------------------------------------------------------

    def on_answer(self, delivery: DecodedMessage, message: Any) -> None:
        """Handle a positive answer, such as SUBSCRIBED."""
        request = self._open.pop(message.request_id, None)
        if request is None:
            return
        outcome = request.to_outcome(message)
        if request.answer.done():
            self._on_late_outcome(outcome)
        else:
            request.answer.set_result(outcome)

    def on_error(self, delivery: DecodedMessage, message: messages.Error) -> None:
        """Handle an ERROR."""
        request = self._open.pop(message.request_id, None)
        if request is not None and not request.answer.done():
            kwargs = {str(name): value for name, value in (delivery.kwargs or {}).items()}
            request.answer.set_exception(application_error(message.error, *(delivery.args or ()), **kwargs))

    def on_result(self, delivery: DecodedMessage, message: messages.Result) -> None:
        """Handle a RESULT, progressive or final."""
        request = self._open.get(message.request_id)
        if request is None:
            return
        result = Result(delivery.args or [], delivery.kwargs or {}, msgspec.to_builtins(message.details))
        if not message.details.progress:
            del self._open[message.request_id]
            if not request.answer.done():
                request.answer.set_result(result)
        elif request.parts is not None:
            if request.parts.qsize() < MAX_QUEUED_RESULTS:
                request.parts.put_nowait(result)
            else:
                text = f"{MAX_QUEUED_RESULTS} progressive results are queued; read them faster"
                self.abandon(request, ApplicationError(errors.SLOW_CONSUMER, text))


def copy_exception(end: SessionClosed) -> SessionClosed:
    """Return a copy of an exception. If several tasks must raise it, each of them needs its own copy."""
    return SessionClosed(end.reason, str(end))
