"""Dynamic authenticators: principals come from a WAMP procedure or a Python function."""

import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final

from ..router.decisions import GENERIC_DENIAL
from ..wamp import errors
from ..wamp.errors import ApplicationError
from .authenticator_result import BadAnswer, principal_from
from .principals import LoginDenied, Lookup, Principal, World
from .providers import AuthProvider

logger = logging.getLogger(__name__)

Call = Callable[[str, str | None, str, list[Any]], Awaitable[Any]]
"""Calls a procedure: realm, role (None for the router's own), URI, arguments. Raises ApplicationError."""

BROKEN_AUTHENTICATOR_ERRORS: Final = frozenset(
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
"""Errors that mean that the authenticator is missing or has failed, not that it refuses the login."""


class DynamicPrincipals:
    """The principals of a WAMP procedure, which is called as ``(realm, authid, details)``."""

    provider = AuthProvider.DYNAMIC.value

    def __init__(self, call: Call, procedure: str, realm: str | None = None, role: str | None = None) -> None:
        self._call = call
        self._procedure = procedure
        self._realm = realm
        self._role = role

    async def find(self, lookup: Lookup) -> Principal | None:
        """Return the principal that the procedure returns.

        If it raises an error, the error is the reason for the refusal.
        """
        realm = self._realm or lookup.realm
        if realm is None:
            raise LoginDenied(errors.NO_SUCH_REALM, "HELLO names no realm")
        try:
            arguments = [lookup.realm, lookup.authid, dict(lookup.details)]
            answer = await self._call(realm, self._role, self._procedure, arguments)
        except ApplicationError as error:
            if error.uri not in BROKEN_AUTHENTICATOR_ERRORS:
                raise _denied(error.uri, error) from error
            logger.error("A login is denied because the authenticator %s cannot be asked: %s", self._procedure, error)
            raise _failed() from error
        return _read(lookup.method, answer, self._procedure)

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """Return None: the procedure's principals are not known in advance."""
        return None


class FunctionPrincipals:
    """The principals of a Python function, sync (in a thread) or async, called as ``(realm, authid, details)``.

    ``function`` is None if it could not be created. Then every login fails.
    """

    provider = AuthProvider.FUNCTION.value

    def __init__(self, world: World, name: str, function: Callable[..., Any] | None) -> None:
        self._world = world
        self._name = name
        self._function = function

    async def find(self, lookup: Lookup) -> Principal | None:
        """Return the principal that the function returns.

        An error with a URI that it raises (``ApplicationError``, of this package or Autobahn's) is the reason for the
        refusal. Any other error propagates.
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
            # ApplicationError has a ``uri`` here, and an ``error`` in client libraries.
            uri = getattr(error, "uri", None) or getattr(error, "error", None)
            if not isinstance(uri, str):
                raise
            raise _denied(uri, error) from error
        return _read(lookup.method, answer, self._name)

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """Return None: the function's principals are not known in advance."""
        return None


def _read(method: str, answer: object, name: str) -> Principal:
    try:
        return principal_from(method, answer)
    except BadAnswer as fault:
        logger.error("The authenticator %s did not return a valid principal: %s", name, fault)
        raise _failed() from fault


def _denied(uri: str, error: Exception) -> LoginDenied:
    return LoginDenied(uri, str(error.args[0]) if error.args else GENERIC_DENIAL)


def _failed() -> LoginDenied:
    return LoginDenied(errors.AUTHENTICATION_FAILED, "the authenticator failed")
