"""Tasks that call the authenticator or authorizer when the router core requests a decision.

If a task fails, the exception is logged, and the login or action is denied. The core therefore gets a decision on each
request that it has not withdrawn.
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
    """An object that decides on logins."""

    async def authenticate(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Return the next step of a login. The task is canceled if the peer leaves or the request times out."""
        ...


class Authorizer(Protocol):
    """An object that decides on actions of sessions."""

    async def authorize(self, request: AuthorizationRequest) -> Permit | Deny:
        """Return whether a session may perform an action.

        The task is canceled if the session leaves or the request times out.
        """
        ...


class DenyAll:
    """The default authenticator and authorizer of a node. It denies all logins and all actions."""

    async def authenticate(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Deny the login."""
        return Deny(errors.AUTHENTICATION_FAILED, "this router has no authenticator")

    async def authorize(self, request: AuthorizationRequest) -> Permit | Deny:
        """Deny the action."""
        return Deny(errors.AUTHORIZATION_FAILED, "this router has no authorizer")


DENY_ALL = DenyAll()


class DecisionTasks:
    """The running tasks, one for each decision on a login or an action that the router core has requested.

    When a task ends without being canceled, ``decide(ticket, answer)`` is called with its decision. ``ticket`` is the
    number of the request.
    """

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
        self._pending: dict[int, tuple[asyncio.Task[None], AuthenticationRequest | AuthorizationRequest]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def start(self, request: AuthenticationRequest | AuthorizationRequest) -> None:
        """Start the task that makes the requested decision."""
        self._pending[request.ticket] = self._loop.create_task(self._run(request)), request

    def cancel(self, ticket: int, *, is_late: bool = False) -> None:
        """Cancel the task for the request ``ticket``. If ``is_late``, log that the request has timed out."""
        pending = self._pending.pop(ticket, None)
        if pending is None:
            return
        task, request = pending
        task.cancel()
        if is_late:
            logger.error("The %s did not answer in time for session %s", *describe(request))

    async def _run(self, request: AuthenticationRequest | AuthorizationRequest) -> None:
        answer: Answer
        try:
            if isinstance(request, AuthenticationRequest):
                answer = await run_guarded(self._authenticator.authenticate(request))
            else:
                answer = await run_guarded(self._authorizer.authorize(request))
        except Exception:
            _, reason, text = FAILURES[type(request)]
            logger.exception("The %s failed for session %s", *describe(request))
            answer = Deny(reason, text)
        # A canceled request is no longer pending, so the core must not get an answer.
        if self._pending.pop(request.ticket, None) is not None:
            self._decide(request.ticket, answer)


FAILURES = {
    AuthenticationRequest: ("authenticator", errors.AUTHENTICATION_FAILED, "the authenticator failed"),
    AuthorizationRequest: ("authorizer", errors.AUTHORIZATION_FAILED, "the authorizer failed"),
}


def describe(request: AuthenticationRequest | AuthorizationRequest) -> tuple[str, int]:
    """Return the name of the authenticator or authorizer, and the id of the session, for log messages."""
    name = FAILURES[type(request)][0]
    return (f"{name} {request.authorizer}" if isinstance(request, AuthorizationRequest) else name), request.session_id
