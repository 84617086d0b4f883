"""How a subcommand that speaks to a router fails: the exit code, and what is told, to people and to programs."""

from typing import Any, Final

from django.core.management.base import CommandError

from wamp_transport.management.client.values import jsonable, said, shown
from wamp_transport.wamp.errors import (
    CLOSE_TRANSPORT_LOST,
    ApplicationError,
    PayloadError,
    SessionClosed,
    WampError,
)

FAILED: Final = 1
"""The router or a callee has answered with an error, or something asked for is not there."""
USAGE: Final = 2
UNREACHABLE: Final = 3
"""No router can be reached, or the session was lost."""
NOT_LET_IN: Final = 4
"""The router does not let this client join."""
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141


class Failure(CommandError):
    """A sentence for people; for programs an error URI, ``values`` and ``named`` that came with it."""

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
        """What ``--json`` writes of it."""
        told = {"error": self.uri or None, "message": str(self), "exit_code": self.returncode}
        return {**told, "args": jsonable(list(self.values)), "kwargs": jsonable(self.named)}


def failure_of(fault: WampError, *, is_joining: bool = False) -> Failure:
    """What an exception of a session comes to."""
    if isinstance(fault, ApplicationError):
        details = "".join(f"\n  {one}" for one in said(fault.args, fault.kwargs))
        return Failure(f"{fault.uri}{details}", FAILED, fault.uri, fault.args, fault.kwargs)
    if isinstance(fault, SessionClosed) and is_joining and fault.reason != CLOSE_TRANSPORT_LOST:
        return Failure(f"The router does not let you in: {_told(fault)}", NOT_LET_IN, fault.reason)
    if isinstance(fault, SessionClosed):
        return Failure(f"The session has ended: {_told(fault)}", UNREACHABLE, fault.reason)
    if isinstance(fault, PayloadError):
        return Failure(str(fault), FAILED, fault.uri)
    text = str(fault)
    return Failure(text[:1].upper() + text[1:], UNREACHABLE)


def _told(fault: SessionClosed) -> str:
    text = shown(str(fault))
    return text if text == fault.reason else f"{text} ({shown(fault.reason)})"
