"""Dynamic authorizers: procedures of a realm, or functions of this process, that decide what a session may do.

Both get Crossbar.io's arguments, ``(session, uri, action, options)``, and give its answers. Both fail closed: after an
error, a timeout or an invalid answer the action is refused with ``authorization_failed``.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from ..config.realm import FUNCTION
from ..router.decisions import Deny, Permit
from ..router.effects import AuthorizationRequest
from ..wamp import errors
from ..wamp.errors import WampError
from .local import ServiceSessions

logger = logging.getLogger(__name__)

RunFunction = Callable[..., Awaitable[Any]]
"""Runs a function, given by its dotted path and its arguments, without blocking the event loop."""

FAILED = Deny(errors.AUTHORIZATION_FAILED, "the authorizer failed")
"""The answer for clients; the log says what failed."""

FLAGS: Final = ("allow", "cache", "disclose")
"""The boolean keys of an answer; ``validate`` is the fourth key."""


class InvalidAnswer(ValueError):
    """An authorizer returned an invalid answer. The message says why, without the answer itself."""


class DynamicAuthorizer:
    """The authorizer of a node. Procedures are called by the trusted session of the realm."""

    def __init__(self, sessions: ServiceSessions, run_function: RunFunction) -> None:
        self._sessions = sessions
        self._run_function = run_function

    async def authorize(self, request: AuthorizationRequest) -> Permit | Deny:
        """Ask the authorizer that the session's role names, and return its decision."""
        try:
            return permit_from(await self._ask(request))
        except (WampError, InvalidAnswer) as fault:
            self._report(request, str(fault))
        except Exception as fault:  # noqa: BLE001 - a function may raise anything, and then nothing is allowed
            self._report(request, f"it raised {type(fault).__name__}", fault)
        return FAILED

    async def _ask(self, request: AuthorizationRequest) -> Any:
        arguments = arguments_of(request)
        if request.authorizer.startswith(FUNCTION):
            return await self._run_function(request.authorizer.removeprefix(FUNCTION), *arguments)
        session = await self._sessions.of(request.realm)
        return (await session.call(request.authorizer, arguments)).value

    @staticmethod
    def _report(request: AuthorizationRequest, text: str, fault: Exception | None = None) -> None:
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


def arguments_of(request: AuthorizationRequest) -> list[Any]:
    """Return the arguments for an authorizer, as copies that it may change."""
    given = [request.session, request.uri, request.action, request.options]
    arguments: list[Any] = msgspec.to_builtins(given, builtin_types=(bytes,))
    return arguments


def permit_from(answer: object) -> Permit:
    """Return the decision that an authorizer's answer means: a bool, or a dict with ``allow`` and optional keys.

    Raises InvalidAnswer for anything else, so that a mistake in an authorizer never allows anything.
    """
    if isinstance(answer, bool):
        return Permit(answer)
    if not isinstance(answer, Mapping):
        raise InvalidAnswer(f"expected true, false or a dictionary, got {type(answer).__name__}")
    for key, value in answer.items():
        check = CHECKS.get(key)
        if check is None:
            raise InvalidAnswer(f"unknown key {key!r} in the answer; the keys are {', '.join(CHECKS)}")
        check(key, value)
    if "allow" not in answer:
        raise InvalidAnswer("the key 'allow' is missing")
    return Permit(**{name: answer[name] for name in FLAGS if name in answer})


def _check_flag(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidAnswer(f"{key!r} must be true or false, not {type(value).__name__}")


def _check_absent(key: str, value: object) -> None:
    if value is not None:
        raise InvalidAnswer(f"{key!r} asks for checks of payload types, which are not supported; leave it out")


CHECKS: Final[Mapping[Any, Callable[[str, object], None]]] = {
    **dict.fromkeys(FLAGS, _check_flag),
    "validate": _check_absent,
}
