"""The tasks that carry out the core's requests for decisions: one for each question to an authenticator or authorizer.

Any failure is logged and counts as a refusal, so that every request gets an answer.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from ..project_code import run_guarded
from ..router.decisions import Admit, Answer, ChallengePeer, Deny, Permit, Skip
from ..router.effects import AuthenticationRequest, AuthorizationRequest
from ..wamp import errors

logger = logging.getLogger(__name__)


class Authenticator(Protocol):
    """Decides on logins."""

    async def authenticate(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Return the next step of a login. It is canceled if the peer leaves or time is up."""
        ...


class Authorizer(Protocol):
    """Decides on actions of sessions."""

    async def authorize(self, request: AuthorizationRequest) -> Permit | Deny:
        """Return the decision. It is canceled if the session leaves or time is up."""
        ...


class Nobody:
    """The authenticator and authorizer of a node without one: nobody joins, nothing is allowed."""

    async def authenticate(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Deny the login."""
        return Deny(errors.AUTHENTICATION_FAILED, "this router has no authenticator")

    async def authorize(self, request: AuthorizationRequest) -> Permit | Deny:
        """Deny the action."""
        return Deny(errors.AUTHORIZATION_FAILED, "this router has no authorizer")


NOBODY = Nobody()


class DecisionTasks:
    """The requests that are being decided. ``decide(ticket, answer)`` is called with each answer."""

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
        self._asked: dict[int, tuple[asyncio.Task[None], AuthenticationRequest | AuthorizationRequest]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def ask(self, request: AuthenticationRequest | AuthorizationRequest) -> None:
        """Start a task for a request."""
        self._asked[request.ticket] = self._loop.create_task(self._run(request)), request

    def withdraw(self, ticket: int, *, is_late: bool = False) -> None:
        """Cancel a request. With ``is_late``, because the answer did not come in time, which is logged."""
        asked = self._asked.pop(ticket, None)
        if asked is None:
            return
        task, request = asked
        task.cancel()
        if is_late:
            logger.error("The %s did not answer in time for session %s", *about(request))

    async def _run(self, request: AuthenticationRequest | AuthorizationRequest) -> None:
        answer: Answer
        try:
            if isinstance(request, AuthenticationRequest):
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
    AuthenticationRequest: ("authenticator", errors.AUTHENTICATION_FAILED, "the authenticator failed"),
    AuthorizationRequest: ("authorizer", errors.AUTHORIZATION_FAILED, "the authorizer failed"),
}


def about(request: AuthenticationRequest | AuthorizationRequest) -> tuple[str, int]:
    """Return the name of the authenticator or authorizer, and the session's id."""
    name = FAILURES[type(request)][0]
    return (f"{name} {request.authorizer}" if isinstance(request, AuthorizationRequest) else name), request.session_id
