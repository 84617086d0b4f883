"""Runs what the core asks: one task for each question to an authenticator or authorizer, none for anything else.

Whatever goes wrong there is logged and counts as a refusal; whoever asked is never left without an answer.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from ..project_code import run_guarded
from ..router.answers import Admit, Answer, Challenge, Deny, Permit, Skip
from ..router.effects import Authenticate, Authorize
from ..wamp import errors

logger = logging.getLogger(__name__)


class Authenticator(Protocol):
    """Finds out who a peer is."""

    async def authenticate(self, request: Authenticate) -> Challenge | Admit | Skip | Deny:
        """The next step of a login. It is cancelled when the peer has gone or time is up."""
        ...


class Authorizer(Protocol):
    """Decides what a session may do."""

    async def authorize(self, request: Authorize) -> Permit | Deny:
        """The decision. It is cancelled when the session has gone or time is up."""
        ...


class Nobody:
    """Stands in where there is nobody to ask: nobody joins, nothing is allowed."""

    async def authenticate(self, request: Authenticate) -> Challenge | Admit | Skip | Deny:
        """No."""
        return Deny(errors.AUTHENTICATION_FAILED, "this router has no authenticator")

    async def authorize(self, request: Authorize) -> Permit | Deny:
        """No."""
        return Deny(errors.AUTHORIZATION_FAILED, "this router has no authorizer")


NOBODY = Nobody()


class Deciding:
    """The questions that are being answered. ``decide(ticket, answer)`` is told each answer."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        authenticator: Authenticator,
        authorizer: Authorizer,
        decide: Callable[[int, Answer], None],
    ) -> None:
        self._loop = loop
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._decide = decide
        self._asked: dict[int, tuple[asyncio.Task[None], Authenticate | Authorize]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def ask(self, request: Authenticate | Authorize) -> None:
        """Begin to find the answer."""
        self._asked[request.ticket] = self._loop.create_task(self._run(request)), request

    def withdraw(self, ticket: int, *, is_late: bool = False) -> None:
        """Nobody waits for this answer any more; ``is_late``, as it did not come in time, which is logged."""
        asked = self._asked.pop(ticket, None)
        if asked is None:
            return
        task, request = asked
        task.cancel()
        if is_late:
            logger.error("The %s did not answer in time for session %s", *about(request))

    async def _run(self, request: Authenticate | Authorize) -> None:
        answer: Answer
        try:
            if isinstance(request, Authenticate):
                answer = await run_guarded(self._authenticator.authenticate(request))
            else:
                answer = await run_guarded(self._authorizer.authorize(request))
        except Exception:
            _, reason, text = FAILURES[type(request)]
            logger.exception("The %s failed for session %s", *about(request))
            answer = Deny(reason, text)
        if self._asked.pop(request.ticket, None) is not None:
            self._decide(request.ticket, answer)


FAILURES = {
    Authenticate: ("authenticator", errors.AUTHENTICATION_FAILED, "the authenticator failed"),
    Authorize: ("authorizer", errors.AUTHORIZATION_FAILED, "the authorizer failed"),
}


def about(request: Authenticate | Authorize) -> tuple[str, int]:
    """Who was asked, and about which session."""
    name = FAILURES[type(request)][0]
    return (f"{name} {request.authorizer}" if isinstance(request, Authorize) else name), request.session_id
