"""Dynamic authorizers: procedures of a realm, or functions of this process, that decide what a session may do.

Both take the same arguments as Crossbar.io's authorizers, ``(session, uri, action, options)``, and return the same
values. Both fail closed: after an error, a timeout or an invalid answer, the action is refused with
``authorization_failed``.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from ..config.realm import FUNCTION_PREFIX
from ..router.decisions import Deny, Permit
from ..router.effects import AuthorizationRequest
from ..wamp import errors
from ..wamp.errors import WampError
from .local import ServiceSessions

logger = logging.getLogger(__name__)

RunFunction = Callable[..., Awaitable[Any]]
"""A function that takes a dotted path and arguments, and calls the function at this path without blocking the loop."""

AUTHORIZER_FAILED = Deny(errors.AUTHORIZATION_FAILED, "the authorizer failed")
"""The answer to clients if an authorizer fails. The details of the failure are only logged."""

ANSWER_FLAGS: Final = ("allow", "cache", "disclose")
"""The boolean keys of an answer. The only other key is ``validate``."""


class InvalidAnswer(ValueError):
    """Raised if the result of an authorizer is invalid. The message does not contain the values of the result."""


class DynamicAuthorizer:
    """The authorizer of a node. It calls the procedure or function that is configured for a session's role.

    Procedures are called from a session of the router itself, with the role ``trusted``.
    """

    def __init__(self, sessions: ServiceSessions, run_function: RunFunction) -> None:
        self._sessions = sessions
        self._run_function = run_function

    async def authorize(self, request: AuthorizationRequest) -> Permit | Deny:
        """Call the authorizer that is configured for the session's role, and return its decision.

        If the authorizer fails, log this and return :data:`AUTHORIZER_FAILED`.
        """
        try:
            return permit_from(await self._ask(request))
        except (WampError, InvalidAnswer) as fault:
            self._report(request, str(fault))
        except Exception as fault:  # noqa: BLE001 - a function may raise anything; the action is then refused
            self._report(request, f"it raised {type(fault).__name__}", fault)
        return AUTHORIZER_FAILED

    async def _ask(self, request: AuthorizationRequest) -> Any:
        arguments = arguments_of(request)
        if request.authorizer.startswith(FUNCTION_PREFIX):
            return await self._run_function(request.authorizer.removeprefix(FUNCTION_PREFIX), *arguments)
        session = await self._sessions.of(request.realm)
        return (await session.call(request.authorizer, arguments)).value

    @staticmethod
    def _report(request: AuthorizationRequest, text: str, fault: Exception | None = None) -> None:
        logger.error(
            "Authorizer %s of role %s in realm %s failed, so session %s may not %s %r: %s",
            request.authorizer.removeprefix(FUNCTION_PREFIX),
            request.session.get("authrole"),
            request.realm,
            request.session_id,
            request.action,
            request.uri,
            text,
            exc_info=fault,
        )


def arguments_of(request: AuthorizationRequest) -> list[Any]:
    """Return the arguments for an authorizer. They are copies, because an authorizer can modify them."""
    values = [request.session, request.uri, request.action, request.options]
    arguments: list[Any] = msgspec.to_builtins(values, builtin_types=(bytes,))
    return arguments


def permit_from(answer: object) -> Permit:
    """Convert the result of an authorizer to a decision.

    ``answer`` must be a bool, or a mapping with the key ``allow`` and optionally other keys of :data:`ANSWER_CHECKS`.
    Raises InvalidAnswer for anything else, so that a faulty authorizer never allows an action.
    """
    if isinstance(answer, bool):
        return Permit(answer)
    if not isinstance(answer, Mapping):
        raise InvalidAnswer(f"expected true, false or a dictionary, got {type(answer).__name__}")
    for key, value in answer.items():
        check = ANSWER_CHECKS.get(key)
        if check is None:
            raise InvalidAnswer(f"unknown key {key!r} in the answer; the keys are {', '.join(ANSWER_CHECKS)}")
        check(key, value)
    if "allow" not in answer:
        raise InvalidAnswer("the key 'allow' is missing")
    return Permit(**{name: answer[name] for name in ANSWER_FLAGS if name in answer})


def _check_flag(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidAnswer(f"{key!r} must be true or false, not {type(value).__name__}")


def _check_absent(key: str, value: object) -> None:
    if value is not None:
        raise InvalidAnswer(f"{key!r} asks for checks of payload types, which are not supported; leave it out")


ANSWER_CHECKS: Final[Mapping[Any, Callable[[str, object], None]]] = {
    **dict.fromkeys(ANSWER_FLAGS, _check_flag),
    "validate": _check_absent,
}
