"""The limits of one session: the strictest of its realm's, its role's and its service's, resolved before they count."""

from collections import Counter
from collections.abc import Iterable
from sys import maxsize
from typing import Final

from ..wamp import errors
from ..wamp.errors import RequestRefused
from .options import Limits

Owner = tuple[str, Limits]
"""Whose limits: ``role 'guest'``, for people, and what they are."""

LIMIT_ERRORS: Final = {
    "sessions": (errors.QUOTA_EXCEEDED, "no room for more than {limit} sessions"),
    "subscriptions": (errors.QUOTA_EXCEEDED, "more than {limit} subscriptions"),
    "registrations": (errors.QUOTA_EXCEEDED, "more than {limit} registrations"),
    "calls": (errors.QUOTA_EXCEEDED, "more than {limit} calls in flight"),
    "uri_length": (errors.INVALID_URI, "a URI of more than {limit} characters"),
    "depth": (errors.INVALID_PAYLOAD, "payload with more than {limit} lists and dictionaries inside each other"),
    "payload_size": (errors.PAYLOAD_SIZE_EXCEEDED, "payload of more than {limit} bytes"),
}
"""Limit to the error of exceeding it, and to what it then was, in words."""

UNLIMITED: Final = maxsize - 1


class SessionLimits:
    """What a session may have and send. Where nobody limits, the number is one that nothing reaches.

    ``unchecked_size``: a message whose URI and payload are together no longer than this keeps all limits on messages.
    """

    __slots__ = (
        "_owners",
        "calls",
        "depth",
        "payload_size",
        "registrations",
        "subscriptions",
        "unchecked_size",
        "uri_length",
    )

    def __init__(self, *owners: Owner) -> None:
        self._owners = owners
        self.subscriptions = self._strictest("subscriptions")
        self.registrations = self._strictest("registrations")
        self.calls = self._strictest("calls")
        self.uri_length = self._strictest("uri_length")
        self.depth = self._strictest("depth")
        self.payload_size = self._strictest("payload_size")
        self.unchecked_size = min(self.uri_length, self.depth, self.payload_size)

    def refusal(self, name: str) -> RequestRefused:
        """The error of a request that exceeds the limit ``name``: which one, of whom, its value."""
        limit = getattr(self, name)
        whose = next((owner for owner, limits in self._owners if getattr(limits, name) == limit), "the serializer")
        return limit_error(name, whose, limit)

    def _strictest(self, name: str) -> int:
        return min((getattr(limits, name) or UNLIMITED for _, limits in self._owners), default=UNLIMITED)


NO_LIMITS: Final = SessionLimits()


def limit_error(name: str, whose: str, limit: int) -> RequestRefused:
    """The error of exceeding a limit."""
    uri, text = LIMIT_ERRORS[name]
    if limit == UNLIMITED:  # Only nesting has an end of its own.
        return RequestRefused(uri, f"payload is nested deeper than {whose} can read")
    return RequestRefused(uri, f"{text.format(limit=limit)}: the limit of {whose}")


class SessionCounts:
    """How many sessions each realm, role and service has at the moment."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def check(self, *owners: Owner) -> None:
        """Whether there is room for one more in all of them. Raises RequestRefused."""
        for owner, limits in owners:
            if 0 < limits.sessions <= self._counts[owner]:
                raise limit_error("sessions", owner, limits.sessions)

    def enter(self, owners: Iterable[Owner]) -> None:
        """A session belongs to these from now on."""
        for owner, _ in owners:
            self._counts[owner] += 1

    def leave(self, owners: Iterable[Owner]) -> None:
        """It does no more; those without any session are forgotten."""
        for owner, _ in owners:
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]
