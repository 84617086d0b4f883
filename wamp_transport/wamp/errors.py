"""The error URIs of the protocol, and the exceptions that the router and client sessions raise.

    WampError
     +- ProtocolViolation   the peer broke the protocol: ABORT, then the transport is closed
     +- RequestRefused      only this request fails: the router answers with ERROR, and the session continues
     +- PayloadError        a payload cannot be converted for its receiver, or is too large
     +- ApplicationError    a request was answered with ERROR, or a procedure answers its caller with ERROR
         +- NoSuchProcedure, NotAuthorized, InvalidArgument, CallCanceled, CallTimeout, CalleeUnavailable
     +- TransportError      the connection is gone
         +- SessionClosed    the session was closed, or could not be opened

Any other exception raised while a message is handled is a bug in the router.
See the WAMP specification: Basic Profile, "Basic Profile URIs"; Advanced Profile, "Advanced Profile URIs".
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
NETWORK_FAILURE = "wamp.error.network_failure"
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
    """The base class of the exceptions in this module. ``str()`` returns a human-readable message."""


class ProtocolViolation(WampError):
    """Raised if a peer violates the protocol.

    The message describes the violation and, if possible, its position in the WAMP message.
    """


class RequestRefused(WampError):
    """Raised if the router refuses a request. ``uri`` is the error URI, ``message`` is a human-readable message."""

    def __init__(self, uri: str, message: str) -> None:
        super().__init__(message)
        self.uri = uri


class PayloadError(WampError):
    """Raised if a payload cannot be converted or delivered. ``uri`` is the error URI that the sender receives."""

    def __init__(self, message: str, uri: str = INVALID_PAYLOAD) -> None:
        super().__init__(message)
        self.uri = uri


class ApplicationError(WampError):
    """Raised if a request is answered with an ERROR.

    ``uri`` is the error URI, ``args`` and ``kwargs`` are the payload of the ERROR. A procedure can raise this exception
    to send such an ERROR to its caller.
    """

    def __init__(self, uri: str, /, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args)
        self.args = args  # needed for CallTimeout: an OSError such as TimeoutError can drop some of its arguments
        self.uri = uri
        self.kwargs = kwargs

    def __reduce__(self) -> Any:
        """Support pickling, for parallel test runs and task queues."""
        return partial(type(self), self.uri, *self.args, **self.kwargs), ()

    def __str__(self) -> str:
        said = [str(value) for value in self.args] + [f"{name}={value}" for name, value in self.kwargs.items()]
        return f"{self.uri}: {', '.join(said)}" if said else self.uri


class NoSuchProcedure(ApplicationError):
    """No session has registered the called procedure."""


class NotAuthorized(ApplicationError):
    """The session is not authorized to perform the action, or the authorizer failed."""


class InvalidArgument(ApplicationError):
    """The procedure does not accept these arguments."""


class CallCanceled(ApplicationError):
    """The call was canceled, by the caller, the callee or the router."""


class CallTimeout(ApplicationError, TimeoutError):
    """The result did not arrive in time."""


class CalleeUnavailable(ApplicationError):
    """No callee can accept the call at the moment, or the callee left before it returned a result."""


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
"""Exception classes by error URI. All other URIs have the class :class:`ApplicationError`."""


def application_error(uri: str, /, *args: Any, **kwargs: Any) -> ApplicationError:
    """Return the exception for an ERROR message. The class of the exception depends on the URI."""
    return KINDS.get(uri, ApplicationError)(uri, *args, **kwargs)


class TransportError(WampError):
    """The connection to the peer was lost."""


class SessionClosed(TransportError):
    """Raised if a session was closed, or if the router refused to open it.

    ``reason`` is a URI, ``message`` is a human-readable message.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message or reason)
        self.reason = reason

    def __reduce__(self) -> Any:
        """Support pickling."""
        return type(self), (self.reason, str(self))
