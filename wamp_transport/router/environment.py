"""What the core asks of the world outside: time, chance, and payload as values. All of it comes in as arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..wamp.messages import Call
from .deadlines import Deadlines

RouterProcedure = Callable[[Any, Call], None]
"""A procedure of the router itself: takes the caller's session and its CALL, and answers it."""

Announce = Callable[..., None]
"""Publishes a meta event: topic, the URI it is about (none is published about ``wamp.`` URIs), arguments."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The world outside.

    ``clock`` tells steady seconds, ``utc_now`` the time of day as a datetime; ``time_from`` reads one from RFC 3339
    text and raises ValueError. ``new_session_id`` gives unguessable ids,
    ``new_publication_id`` quick ones, both uniform in [1, 2^53]; ``random_below(n)`` a number from 0 to n - 1.
    ``values_of(format, raw)`` reads raw payload; ``is_deeper(format, raw, depth)`` says whether more than ``depth``
    lists and dictionaries are inside each other there, in a time that grows with its size alone.
    """

    clock: Callable[[], float]
    utc_now: Callable[[], Any]
    time_from: Callable[[str], Any]
    new_session_id: Callable[[], int]
    new_publication_id: Callable[[], int]
    random_below: Callable[[int], int]
    values_of: Callable[[str, Any], Any]
    is_deeper: Callable[[str, Any, int], bool]
    deadlines: Deadlines

    def timestamp(self) -> str:
        """The time of day as RFC 3339 text in UTC with milliseconds."""
        return rfc3339(self.utc_now())


def rfc3339(time: Any) -> str:
    """A UTC time as RFC 3339 text with milliseconds."""
    text: str = time.isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
