"""Error URIs of the protocol, and the exceptions of the core sorted by who must act.

    WampError
     +- ProtocolViolation   the peer broke the protocol: ABORT, then the transport is closed
     +- RequestRefused      this one request fails: an ERROR is the answer, the session lives on
     +- PayloadError        this payload cannot be said in the receiver's serialization, or is too large for it
     +- ApplicationError    what an application answers a call with, or is answered with
         +- NoSuchProcedure, NotAuthorized, InvalidArgument, CallCanceled, CallTimeout, CalleeUnavailable
     +- TransportError      the connection is gone
         +- SessionClosed    the session is over, or has never begun

Anything else that is raised while a message is handled is a bug of ours.
Section of the specification: Basic Profile, "Basic Profile URIs"; Advanced Profile, "Advanced Profile URIs".
"""

from functools import partial
from typing import Any, Final

AUTHENTICATION_DENIED = "wamp.error.authentication_denied"
AUTHENTICATION_FAILED = "wamp.error.authentication_failed"
AUTHORIZATION_FAILED = "wamp.error.authorization_failed"
CANCELED = "wamp.error.canceled"
FEATURE_NOT_SUPPORTED = "wamp.error.feature_not_supported"
HISTORY_UNAVAILABLE = "wamp.error.history_unavailable"
INTERNAL_ERROR = "wamp.error.internal_error"
INVALID_ARGUMENT = "wamp.error.invalid_argument"
INVALID_PAYLOAD = "wamp.error.invalid_payload"
INVALID_URI = "wamp.error.invalid_uri"
NO_AVAILABLE_CALLEE = "wamp.error.no_available_callee"
NO_MATCHING_AUTH_METHOD = "wamp.error.no_matching_auth_method"
NO_SUCH_PRINCIPAL = "wamp.error.no_such_principal"
NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"
NO_SUCH_REALM = "wamp.error.no_such_realm"
NO_SUCH_REGISTRATION = "wamp.error.no_such_registration"
NO_SUCH_ROLE = "wamp.error.no_such_role"
NO_SUCH_SESSION = "wamp.error.no_such_session"
NO_SUCH_SUBSCRIPTION = "wamp.error.no_such_subscription"
NOT_AUTHORIZED = "wamp.error.not_authorized"
OPTION_DISALLOWED_DISCLOSE_ME = "wamp.error.option_disallowed.disclose_me"
PAYLOAD_SIZE_EXCEEDED = "wamp.error.payload_size_exceeded"
PROCEDURE_ALREADY_EXISTS = "wamp.error.procedure_already_exists"
PROCEDURE_EXISTS_WITH_DIFFERENT_POLICY = "wamp.error.procedure_exists_with_different_invocation_policy"
PROTOCOL_VIOLATION = "wamp.error.protocol_violation"
QUOTA_EXCEEDED = "wamp.error.quota_exceeded"
RUNTIME_ERROR = "wamp.error.runtime_error"
TESTAMENT_ERROR = "wamp.error.testament_error"
TIMEOUT = "wamp.error.timeout"
UNAVAILABLE = "wamp.error.unavailable"
SLOW_CONSUMER = "wamp.error.slow_consumer"
UNREGISTERED = "wamp.error.unregistered"

CLOSE_GOODBYE_AND_OUT = "wamp.close.goodbye_and_out"
CLOSE_KILLED = "wamp.close.killed"
CLOSE_LOGOUT = "wamp.close.logout"
CLOSE_NORMAL = "wamp.close.normal"
CLOSE_REALM = "wamp.close.close_realm"
CLOSE_SYSTEM_SHUTDOWN = "wamp.close.system_shutdown"
CLOSE_TRANSPORT_LOST = "wamp.close.transport_lost"


class WampError(Exception):
    """Root of the core's exceptions. ``str()`` is a sentence for people."""


class ProtocolViolation(WampError):
    """A peer broke the protocol. The message names the fault and, where it can, the element."""


class RequestRefused(WampError):
    """A request cannot be fulfilled. ``uri`` says why to programs, the message to people."""

    def __init__(self, uri: str, message: str) -> None:
        super().__init__(message)
        self.uri = uri


class PayloadError(WampError):
    """A payload cannot reach a receiver as it is. ``uri`` is the error its sender is answered with."""

    def __init__(self, message: str, uri: str = INVALID_PAYLOAD) -> None:
        super().__init__(message)
        self.uri = uri


class ApplicationError(WampError):
    """A request has failed: ``uri`` says why to programs; ``args`` and ``kwargs`` are what came with it.

    Raised by code that carries out a procedure, it is the answer to the caller.
    """

    def __init__(self, uri: str, /, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args)
        self.args = args  # OSError, of which TimeoutError is one, keeps two of them
        self.uri = uri
        self.kwargs = kwargs

    def __reduce__(self) -> Any:
        """For other processes: those of a parallel test run, or of a task queue."""
        return partial(type(self), self.uri, *self.args, **self.kwargs), ()

    def __str__(self) -> str:
        said = [str(value) for value in self.args] + [f"{name}={value}" for name, value in self.kwargs.items()]
        return f"{self.uri}: {', '.join(said)}" if said else self.uri


class NoSuchProcedure(ApplicationError):
    """Nobody has registered the procedure that was called."""


class NotAuthorized(ApplicationError):
    """The session may not do this, or nobody could say whether it may."""


class InvalidArgument(ApplicationError):
    """The procedure does not take these arguments."""


class CallCanceled(ApplicationError):
    """The call was canceled, by the router or by who carried it out."""


class CallTimeout(ApplicationError, TimeoutError):
    """There was no result in time."""


class CalleeUnavailable(ApplicationError):
    """Nobody who has registered the procedure can take the call now, or who took it has gone."""


KINDS: Final[dict[str, type[ApplicationError]]] = {
    NO_SUCH_PROCEDURE: NoSuchProcedure,
    NOT_AUTHORIZED: NotAuthorized,
    AUTHORIZATION_FAILED: NotAuthorized,
    INVALID_ARGUMENT: InvalidArgument,
    CANCELED: CallCanceled,
    TIMEOUT: CallTimeout,
    NO_AVAILABLE_CALLEE: CalleeUnavailable,
    UNAVAILABLE: CalleeUnavailable,
}
"""Errors that have a class of their own."""


def application_error(uri: str, /, *args: Any, **kwargs: Any) -> ApplicationError:
    """The exception for an ERROR message, of the class that its URI has."""
    return KINDS.get(uri, ApplicationError)(uri, *args, **kwargs)


class TransportError(WampError):
    """The connection to a peer is gone."""


class SessionClosed(TransportError):
    """A session is over, or the router did not let it join. ``reason`` is a URI, the message for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message or reason)
        self.reason = reason

    def __reduce__(self) -> Any:
        """As that of an ApplicationError."""
        return type(self), (self.reason, str(self))
