"""Failures of subcommands that connect to a router, with exit codes, human-readable messages, and JSON output."""

from typing import Any, Final

from django.core.management.base import CommandError

from wamp_transport.management.client.values import format_arguments, jsonable, printable
from wamp_transport.wamp.errors import (
    CLOSE_TRANSPORT_LOST,
    ApplicationError,
    PayloadError,
    SessionClosed,
    WampError,
)

FAILED: Final = 1
"""The exit code if the router or a callee returned an error, or if the subcommand failed in another way."""
USAGE: Final = 2
UNREACHABLE: Final = 3
"""The exit code if no router could be reached or the session was lost."""
LOGIN_REFUSED: Final = 4
"""The exit code if the router refused the login."""
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141


class Failure(CommandError):
    """A failure of a subcommand, with a human-readable message.

    For the output of ``--json``, it also contains the URI of the error, its positional arguments (``values``) and its
    keyword arguments (``named``).
    """

    def __init__(
        self,
        message: str,
        returncode: int,
        uri: str = "",
        values: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, returncode=returncode)
        self.uri = uri
        self.values = values
        self.named = named or {}

    def as_mapping(self) -> dict[str, Any]:
        """Return the failure as JSON data, for the output of ``--json``."""
        mapping = {"error": self.uri or None, "message": str(self), "exit_code": self.returncode}
        return {**mapping, "args": jsonable(list(self.values)), "kwargs": jsonable(self.named)}


def failure_of(fault: WampError, *, is_joining: bool = False) -> Failure:
    """Convert an exception of a session to a Failure.

    ``is_joining`` is True if the exception was raised during the login.
    """
    if isinstance(fault, ApplicationError):
        details = "".join(f"\n  {one}" for one in format_arguments(fault.args, fault.kwargs))
        return Failure(f"{fault.uri}{details}", FAILED, fault.uri, fault.args, fault.kwargs)
    if isinstance(fault, SessionClosed) and is_joining and fault.reason != CLOSE_TRANSPORT_LOST:
        return Failure(f"The router refused the login: {_reason_text(fault)}", LOGIN_REFUSED, fault.reason)
    if isinstance(fault, SessionClosed):
        return Failure(f"The session was closed: {_reason_text(fault)}", UNREACHABLE, fault.reason)
    if isinstance(fault, PayloadError):
        return Failure(str(fault), FAILED, fault.uri)
    text = str(fault)
    return Failure(text[:1].upper() + text[1:], UNREACHABLE)


def _reason_text(fault: SessionClosed) -> str:
    text = printable(str(fault))
    return text if text == fault.reason else f"{text} ({printable(fault.reason)})"
