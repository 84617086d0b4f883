"""Define the functions that the core receives from outside: clocks, random numbers, ids and decoders."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..wamp.messages import Call
from .deadlines import Deadlines

RouterProcedure = Callable[[Any, Call], None]
"""A procedure of the router itself: a function that answers the CALL of a session."""

Announce = Callable[..., None]
"""A function that publishes a meta event: topic, URI of the subject, arguments. Events about ``wamp.`` URIs are
dropped.
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """The functions that connect the core to the outside.

    ``clock`` returns monotonic seconds, ``utc_now`` the time of day as a datetime; ``time_from`` parses RFC 3339 text
    and raises ValueError. ``new_session_id`` returns unpredictable ids, ``new_publication_id`` ids that are cheap to
    generate. Both are uniform in [1, 2^53]. ``random_below(n)`` returns a number from 0 to n - 1. ``values_of(format,
    raw)`` decodes raw payload. ``is_deeper(format, raw, depth)`` returns whether more than ``depth`` lists and
    dictionaries are nested in ``raw``. Its time must be linear in the size of any payload.
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
        """Return the time of day as RFC 3339 text in UTC with milliseconds."""
        return rfc3339(self.utc_now())


def to_reported_precision(time: Any) -> Any:
    """Return a time without the digits that :func:`rfc3339` does not report."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def rfc3339(time: Any) -> str:
    """Return a UTC time as RFC 3339 text with milliseconds."""
    text: str = time.isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
