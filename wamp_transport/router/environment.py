"""Define the functions that the core needs from outside: clocks, random numbers, ids and decoders."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..wamp.messages import Call
from .deadlines import Deadlines

RouterProcedure = Callable[[Any, Call], None]
"""A procedure of the router itself: a function that answers the CALL of a session."""

Announce = Callable[..., None]
"""A function that publishes a meta event.

It takes the topic of the event, the URI of the subscription or registration that the event is about (empty for events
about sessions), and the arguments of the event. Events about URIs that start with ``wamp.`` are dropped.
"""


Serialize = Callable[[Any, str], bytes]


@dataclass(frozen=True, slots=True)
class Environment:
    """The functions that the core calls for time, ids, random numbers and payload.

    - ``clock`` returns the time of a monotonic clock in seconds.
    - ``utc_now`` returns the current date and time in UTC.
    - ``time_from`` parses a time in the format of RFC 3339, and raises ValueError for any other text.
    - ``next_millisecond`` returns the time that is one millisecond after a given date and time.
    - ``new_session_id`` returns an unpredictable id, uniform in [1, 2^53].
    - ``new_publication_id`` returns an id from the same range. It may be predictable, but must be cheap to generate.
    - ``random_below(n)`` returns a random number from 0 to n - 1.
    - ``values_of(format, raw)`` decodes raw payload.
    - ``serialize(values, format)`` returns Python values as payload in a format, at least ``json`` and ``msgpack``.
      Raises PayloadError for values that the format cannot represent.
    - ``is_deeper(format, raw, depth)`` returns whether more than ``depth`` lists and dictionaries are nested in
      ``raw``. It must take linear time for any payload.
    - ``deadlines`` is not a function: it contains the deadlines of the router.
    """

    clock: Callable[[], float]
    utc_now: Callable[[], Any]
    time_from: Callable[[str], Any]
    next_millisecond: Callable[[Any], Any]
    new_session_id: Callable[[], int]
    new_publication_id: Callable[[], int]
    random_below: Callable[[int], int]
    values_of: Callable[[str, Any], Any]
    serialize: Serialize
    is_deeper: Callable[[str, Any, int], bool]
    deadlines: Deadlines

    def timestamp(self) -> str:
        """Return the current UTC time as RFC 3339 text with milliseconds."""
        return rfc3339(self.utc_now())


def to_reported_precision(time: Any) -> Any:
    """Return a time truncated to milliseconds, the precision of :func:`rfc3339`."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def rfc3339(time: Any) -> str:
    """Return a UTC time as RFC 3339 text with milliseconds."""
    text: str = time.isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
