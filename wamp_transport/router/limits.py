"""Determine the limits of a session from its realm, role and service, and count sessions."""

from collections import Counter
from collections.abc import Iterable
from sys import maxsize
from typing import Final

from ..wamp import errors
from ..wamp.errors import RequestRefused
from .options import Limits

Owner = tuple[str, Limits]
"""A realm, role or service that sets limits: its name in error messages, such as ``role 'guest'``, and the limits."""

LIMIT_ERRORS: Final = {
    "sessions": (errors.QUOTA_EXCEEDED, "no room for more than {limit} sessions"),
    "subscriptions": (errors.QUOTA_EXCEEDED, "more than {limit} subscriptions"),
    "registrations": (errors.QUOTA_EXCEEDED, "more than {limit} registrations"),
    "calls": (errors.QUOTA_EXCEEDED, "more than {limit} calls in flight"),
    "calls_size": (errors.QUOTA_EXCEEDED, "more than {limit} bytes of calls in flight"),
    "uri_length": (errors.INVALID_URI, "a URI of more than {limit} characters"),
    "depth": (errors.INVALID_PAYLOAD, "payload with more than {limit} lists and dictionaries inside each other"),
    "payload_size": (errors.PAYLOAD_SIZE_EXCEEDED, "payload of more than {limit} bytes"),
}
"""The error URI and the text to send when a limit is exceeded, by name of the limit."""

UNLIMITED: Final = maxsize - 1

SMALL_BYTES: Final = 250
"""Maximum size in bytes of a *small* call: its URI and payload together.

To save time, only the number of small calls in flight is tracked, not their size.
"""

OVERHEAD_BYTES: Final = 500
"""The approximate size in bytes of a call in flight without its payload."""


class SessionLimits:
    """The limits of a session: for each limit, the strictest value that its realm, role or service sets.

    A limit that none of them sets is :data:`UNLIMITED`. If the URI and the payload of a message together are not longer
    than ``unchecked_size``, the message exceeds no limit. For most messages, the hot path therefore needs only one
    comparison. Likewise, a session with fewer than ``unchecked_calls`` calls in flight may make another *small* call
    (see :data:`SMALL_BYTES`).
    """

    __slots__ = (
        "_owners",
        "calls",
        "calls_size",
        "depth",
        "payload_size",
        "registrations",
        "subscriptions",
        "unchecked_calls",
        "unchecked_size",
        "uri_length",
    )

    def __init__(self, *owners: Owner) -> None:
        self._owners = owners
        self.subscriptions = self._strictest("subscriptions")
        self.registrations = self._strictest("registrations")
        self.calls = self._strictest("calls")
        self.calls_size = self._strictest("calls_size")
        self.uri_length = self._strictest("uri_length")
        self.depth = self._strictest("depth")
        self.payload_size = self._strictest("payload_size")
        self.unchecked_size = min(self.uri_length, self.depth, self.payload_size, SMALL_BYTES)
        # Without a check, small calls take at most about a quarter of the permitted size.
        self.unchecked_calls = min(self.calls, self.calls_size // (4 * OVERHEAD_BYTES))

    def check_calls(self, count: int, size: int) -> None:
        """Raise RequestRefused if a session with ``count`` calls in flight may not make another one.

        ``size`` is the total size in bytes of the payloads of these calls (except small calls) and of the new call,
        including its URI.
        """
        if count >= self.calls:
            raise self.refusal("calls")
        if count * OVERHEAD_BYTES + size > self.calls_size:
            raise self.refusal("calls_size")

    def refusal(self, name: str) -> RequestRefused:
        """Return the error for exceeding the limit ``name``.

        The text of the error names the realm, role or service that sets the limit.
        """
        limit = getattr(self, name)
        whose = next((owner for owner, limits in self._owners if getattr(limits, name) == limit), "the serializer")
        return limit_error(name, whose, limit)

    def _strictest(self, name: str) -> int:
        return min((getattr(limits, name) or UNLIMITED for _, limits in self._owners), default=UNLIMITED)


NO_LIMITS: Final = SessionLimits()


def limit_error(name: str, whose: str, limit: int) -> RequestRefused:
    """Return the error for exceeding a limit.

    ``name`` is the name of the limit, ``limit`` is its value, and ``whose`` is the realm, role or service that sets it.
    """
    uri, text = LIMIT_ERRORS[name]
    if limit == UNLIMITED:  # Only possible for ``depth``, which the serializer limits as well.
        return RequestRefused(uri, f"payload is nested deeper than {whose} can read")
    return RequestRefused(uri, f"{text.format(limit=limit)}: the limit of {whose}")


class SessionCounts:
    """The number of sessions of each realm, role and service."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def check(self, *owners: Owner) -> None:
        """Check that a realm, a role and a service (``owners``) allow one more session. Raises RequestRefused."""
        for owner, limits in owners:
            if 0 < limits.sessions <= self._counts[owner]:
                raise limit_error("sessions", owner, limits.sessions)

    def enter(self, owners: Iterable[Owner]) -> None:
        """Count a new session for its realm, role and service (``owners``)."""
        for owner, _ in owners:
            self._counts[owner] += 1

    def leave(self, owners: Iterable[Owner]) -> None:
        """Stop counting a session for its realm, role and service (``owners``). Delete counts of 0 to save memory."""
        for owner, _ in owners:
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]
