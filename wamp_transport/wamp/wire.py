"""Convert a message to the array to send, and omit absent elements at its end.

See the WAMP specification, Basic Profile, "Messages": empty trailing arguments are omitted.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from .messages import CODES, PAYLOAD_MESSAGES, Message, Unregister, Unregistered, Unsubscribe, Unsubscribed
from .payload import ABSENT

Writer = Callable[[Any], Any]

FIXED_FIELDS: dict[type[Any], int] = {kind: len(kind.__struct_fields__) - 2 for kind in PAYLOAD_MESSAGES}
"""Number of fields between the code and the payload, for messages with payload."""


def wire(message: Message) -> Any:
    """Return the value to encode for a message: the message itself, or a tuple if optional elements are absent."""
    return WRITERS[type(message)](message)


def _whole(message: Any) -> Any:
    return message


def _with_payload(kind: type[Any]) -> Writer:
    *fields, _, _ = kind.__struct_fields__
    head = attrgetter("__struct_config__.tag", *fields)
    with_args = attrgetter("__struct_config__.tag", *fields, "args")

    def write(message: Any) -> Any:
        if message.kwargs is ABSENT:
            return head(message) if message.args is ABSENT else with_args(message)
        if message.args is ABSENT:
            return (*head(message), [], message.kwargs)
        return message

    return write


def _with_optional(kind: type[Any]) -> Writer:
    code = CODES[kind]
    *names, last = kind.__struct_fields__
    optional = attrgetter(last)

    def write(message: Any) -> Any:
        if optional(message) is None:
            return (code, *(getattr(message, name) for name in names))
        return message

    return write


WRITERS: dict[type[Any], Writer] = {
    **dict.fromkeys(CODES, _whole),
    **{kind: _with_payload(kind) for kind in PAYLOAD_MESSAGES},
    **{kind: _with_optional(kind) for kind in (Unsubscribe, Unsubscribed, Unregister, Unregistered)},
}
