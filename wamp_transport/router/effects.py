"""What the core wants done: a closed set of effects, taken in order and carried out by the node."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ..wamp.messages import Authenticate, Hello, Message
from .options import Action, Match
from .records import Publication, Session


class Send(Struct, gc=False):
    """Send one message to the sessions named. ``payload_format`` is the format of its raw payload."""

    recipients: Sequence[int]
    message: Message
    payload_format: str


class AwaitNextHello(Struct, gc=False):
    """A session ended with GOODBYE on both sides; its transport stays and may open another one.

    ``reason`` is the URI that the client gave.
    """

    session_id: int
    reason: str = ""


class Close(Struct, gc=False):
    """A session is over and its transport is to be closed, after what was sent before.

    ``reason`` is a URI for programs, ``message`` a sentence for people.
    """

    session_id: int
    reason: str
    message: str = ""


class StopSending(Struct, gc=False):
    """The session is out: nothing more is sent to it, although its transport stays until it has said goodbye."""

    session_id: int


class SessionJoined(Struct, gc=False):
    """A session has become a member of its realm."""

    session: Session


class SessionLeft(Struct, gc=False):
    """A session that had joined is a member no more. ``reason`` is a URI."""

    session: Session
    reason: str


class Record(Struct, gc=False):
    """Keep a publication of a durable history outside the process."""

    realm: str
    match: Match
    uri: str
    publication: Publication


class AuthenticationRequest(Struct, gc=False):
    """Find out who a peer is, and answer with the ticket: Challenge, Admit or Deny.

    ``method`` is the first that the peer offers and ``service`` has. ``message`` is the peer's answer to a challenge,
    ``pending`` what was kept with that challenge; both None when it has just said hello.
    """

    ticket: int
    session_id: int
    service: str
    method: str
    hello: Hello
    transport: dict[str, Any]
    message: Authenticate | None = None
    pending: Any = None


class AuthorizationRequest(Struct, gc=False):
    """Ask an authorizer what a session may do, and answer with the ticket: Permit or Deny.

    ``session`` is what the meta API says of it. For a pattern the answer holds for all that the pattern covers.
    ``options`` are those of the session's message.
    """

    ticket: int
    session_id: int
    realm: str
    session: dict[str, Any]
    authorizer: str
    action: Action
    uri: str
    match: Match
    options: Any


class Withdraw(Struct, gc=False):
    """Nobody waits any more for the answer with this ticket. ``is_late``: it did not come in time."""

    ticket: int
    is_late: bool = False


class Pause(Struct, gc=False):
    """Read no further what a session's peer sends, until :class:`Resume`."""

    session_id: int


class Resume(Struct, gc=False):
    """Read on."""

    session_id: int


Effect = (
    Send
    | SessionJoined
    | SessionLeft
    | AwaitNextHello
    | StopSending
    | Close
    | Record
    | AuthenticationRequest
    | AuthorizationRequest
    | Withdraw
    | Pause
    | Resume
)
