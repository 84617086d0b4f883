"""Principals that somebody else knows: a WAMP procedure, or a Python function."""

import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final

from ..router.answers import NEUTRAL
from ..wamp import errors
from ..wamp.errors import ApplicationError
from .authenticator_result import BadAnswer, principal_from
from .principals import LoginDenied, Lookup, Principal, World
from .providers import AuthProvider

logger = logging.getLogger(__name__)

Call = Callable[[str, str | None, str, list[Any]], Awaitable[Any]]
"""Calls a procedure: realm, role or None for the router's own, URI, arguments. Raises ApplicationError."""

BROKEN: Final = frozenset(
    {
        errors.NO_SUCH_PROCEDURE,
        errors.NO_AVAILABLE_CALLEE,
        errors.UNAVAILABLE,
        errors.CANCELED,
        errors.TIMEOUT,
        errors.NOT_AUTHORIZED,
        errors.AUTHORIZATION_FAILED,
        errors.NO_SUCH_REALM,
        errors.NO_SUCH_ROLE,
        errors.INVALID_PAYLOAD,
        "wamp.error.runtime_error",
    }
)
"""Errors that do not mean that an authenticator refuses, but that there is none or that it failed."""


class DynamicPrincipals:
    """Asks a WAMP procedure, as ``(realm, authid, details)``."""

    provider = AuthProvider.DYNAMIC.value

    def __init__(self, call: Call, procedure: str, realm: str | None = None, role: str | None = None) -> None:
        self._call = call
        self._procedure = procedure
        self._realm = realm
        self._role = role

    async def find(self, lookup: Lookup) -> Principal | None:
        """The principal that the procedure returns. An error that it raises is the reason of the refusal."""
        realm = self._realm or lookup.realm
        if realm is None:
            raise LoginDenied(errors.NO_SUCH_REALM, "HELLO names no realm")
        try:
            arguments = [lookup.realm, lookup.authid, dict(lookup.details)]
            answer = await self._call(realm, self._role, self._procedure, arguments)
        except ApplicationError as error:
            if error.uri not in BROKEN:
                raise _denied(error.uri, error) from error
            logger.error("Nobody can log in by %s: %s", self._procedure, error)
            raise _failed() from error
        return _read(lookup.method, answer, self._procedure)

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """None is known."""
        return None


class FunctionPrincipals:
    """Asks a Python function, sync (in a thread) or async, as ``(realm, authid, details)``.

    ``function`` is None where it could not be made; then nobody gets in.
    """

    provider = AuthProvider.FUNCTION.value

    def __init__(self, world: World, name: str, function: Callable[..., Any] | None) -> None:
        self._world = world
        self._name = name
        self._function = function

    async def find(self, lookup: Lookup) -> Principal | None:
        """The principal that the function returns.

        An error with a URI that it raises (``ApplicationError``, ours or Autobahn's) is the reason of the refusal; any
        other one passes.
        """
        function = self._function
        if function is None:
            raise _failed()
        arguments = lookup.realm, lookup.authid, dict(lookup.details)
        try:
            if iscoroutinefunction(function):
                answer = await function(*arguments)
            else:
                answer = await self._world.offload(lambda: function(*arguments))
                if isawaitable(answer):
                    answer = await answer
        except Exception as error:
            # Our own application error has a ``uri``, that of client libraries an ``error``.
            uri = getattr(error, "uri", None) or getattr(error, "error", None)
            if not isinstance(uri, str):
                raise
            raise _denied(uri, error) from error
        return _read(lookup.method, answer, self._name)

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """None is known."""
        return None


def _read(method: str, answer: object, name: str) -> Principal:
    try:
        return principal_from(method, answer)
    except BadAnswer as fault:
        logger.error("The authenticator %s returned no principal: %s", name, fault)
        raise _failed() from fault


def _denied(uri: str, error: Exception) -> LoginDenied:
    return LoginDenied(uri, str(error.args[0]) if error.args else NEUTRAL)


def _failed() -> LoginDenied:
    return LoginDenied(errors.AUTHENTICATION_FAILED, "the authenticator failed")
