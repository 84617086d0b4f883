"""Dynamic authenticators: WAMP procedures and Python functions that return the principal for a login."""

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
"""A function that calls a WAMP procedure and returns its result, or raises ApplicationError.

Its arguments are the realm, the role of the caller (None for the router), the URI and the arguments of the call.
"""

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
"""The errors that mean that the authenticator is missing or has failed.

They are logged, and the client receives a general error. Any other error is the authenticator's reason to deny the
login, and is sent to the client.
"""


class DynamicPrincipals:
    """The principals that a WAMP procedure returns. The procedure is called with ``(realm, authid, details)``."""

    provider = AuthProvider.DYNAMIC.value

    def __init__(self, call: Call, procedure: str, realm: str | None = None, role: str | None = None) -> None:
        self._call = call
        self._procedure = procedure
        self._realm = realm
        self._role = role

    async def find(self, lookup: Lookup) -> Principal | None:
        """Return the principal that the procedure returns.

        Raises LoginDenied with the error that the procedure raises. If the procedure is missing or has failed, or if
        its result is invalid, the error in LoginDenied is a general one. Also raises LoginDenied if the realm of the
        procedure is neither configured nor named in HELLO.
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
        """Return None, because the principals are not known in advance."""
        return None


class FunctionPrincipals:
    """The principals that a Python function returns. The function is called with ``(realm, authid, details)``.

    A synchronous function runs in a thread. ``function`` is None if it could not be created; in this case, every login
    fails.
    """

    provider = AuthProvider.FUNCTION.value

    def __init__(self, world: World, name: str, function: Callable[..., Any] | None) -> None:
        self._world = world
        self._name = name
        self._function = function

    async def find(self, lookup: Lookup) -> Principal | None:
        """Return the principal that the function returns.

        Raises LoginDenied with the error of an ``ApplicationError`` (of this package or of Autobahn) that the function
        raises, or with a general error if the function could not be created or its result is invalid. Other exceptions
        propagate.
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
            # The ApplicationError of this package has the attribute ``uri``; that of Autobahn has ``error``.
            uri = getattr(error, "uri", None) or getattr(error, "error", None)
            if not isinstance(uri, str):
                raise
            raise _denied(uri, error) from error
        return _read(lookup.method, answer, self._name)

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """Return None, because the principals are not known in advance."""
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
