"""What the core wants done: a closed set of effects, taken in order and carried out by the node."""

from collections.abc import Sequence

from msgspec import Struct

from ..wamp.messages import Message


class Send(Struct, gc=False):
    """Send one message to the sessions named. ``payload_format`` is the format of its raw payload."""

    recipients: Sequence[int]
    message: Message
    payload_format: str


class Release(Struct, gc=False):
    """A session ended with GOODBYE on both sides; its transport stays and may open another one."""

    session_id: int


class Close(Struct, gc=False):
    """A session is over and its transport is to be closed, after what was sent before.

    ``reason`` is a URI for programs, ``message`` a sentence for people.
    """

    session_id: int
    reason: str
    message: str = ""


Effect = Send | Release | Close
