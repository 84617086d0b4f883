"""Dynamic authorizers: procedures of the realm, and functions of this process.

Both are asked alike, and fail closed: an error, no answer in time or one that is none is ``authorization_failed``.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..auth.authorizers import InvalidAnswer, arguments, permit
from ..config.realm import FUNCTION
from ..router.answers import Deny, Permit
from ..router.effects import Authorize
from ..wamp import errors
from ..wamp.errors import WampError
from .local import ServiceSessions

logger = logging.getLogger(__name__)

RunFunction = Callable[..., Awaitable[Any]]
"""Runs a function by its dotted path, with the arguments that follow, where it holds up nobody."""

FAILED = Deny(errors.AUTHORIZATION_FAILED, "the authorizer failed")
"""What a client is told; what went wrong is for the log."""


class Authorizers:
    """The authorizers of a node. Procedures are called by the trusted session of the realm."""

    def __init__(self, sessions: ServiceSessions, run_function: RunFunction) -> None:
        self._sessions = sessions
        self._run_function = run_function

    async def authorize(self, request: Authorize) -> Permit | Deny:
        """The decision."""
        try:
            return permit(await self._ask(request))
        except (WampError, InvalidAnswer) as fault:
            self._report(request, str(fault))
        except Exception as fault:  # noqa: BLE001 - a function may raise anything, and then nothing is allowed
            self._report(request, f"it raised {type(fault).__name__}", fault)
        return FAILED

    async def _ask(self, request: Authorize) -> Any:
        asked = arguments(request)
        if request.authorizer.startswith(FUNCTION):
            return await self._run_function(request.authorizer.removeprefix(FUNCTION), *asked)
        session = await self._sessions.of(request.realm)
        return (await session.call(request.authorizer, asked)).value

    @staticmethod
    def _report(request: Authorize, text: str, fault: Exception | None = None) -> None:
        logger.error(
            "Authorizer %s of role %s in realm %s could not decide whether session %s may %s %r, so it may not: %s",
            request.authorizer.removeprefix(FUNCTION),
            request.session.get("authrole"),
            request.realm,
            request.session_id,
            request.action,
            request.uri,
            text,
            exc_info=fault,
        )
