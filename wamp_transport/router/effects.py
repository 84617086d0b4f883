"""What the core wants done: a closed set of effects, taken in order and carried out by the node."""

from collections.abc import Sequence

from msgspec import Struct

from ..wamp.messages import Message
from .options import Match
from .records import Publication


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


class Mute(Struct, gc=False):
    """The session is out: nothing more is sent to it, although its transport stays until it has said goodbye."""

    session_id: int


class Record(Struct, gc=False):
    """Keep a publication of a durable history outside the process."""

    realm: str
    match: Match
    uri: str
    publication: Publication


Effect = Send | Release | Mute | Close | Record
