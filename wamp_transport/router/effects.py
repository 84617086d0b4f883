"""Define the effects: the actions that the core puts into its outbox and the node carries out in order."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from ..wamp import errors
from ..wamp.messages import CODES, Authenticate, Error, ErrorDetails, Hello, Message, Publish, Published
from ..wamp.payload import PYTHON, positional
from .options import Action, Match
from .records import Publication, RemoteCaller, Session
from .relayed import CalleeDetails, RelayedMessage


class Send(Struct, gc=False):
    """Send a message to the sessions with these ids. ``payload_format`` is the format of the message's payload."""

    recipients: Sequence[int]
    message: Message
    payload_format: str


class Produce(Struct):
    """Send a series of messages to a session. Produce each message only when the peer's buffer has room for it.

    This effect is used for every answer that can be much larger than its request. The iterator ``messages`` yields a
    :class:`Send` to this session, or None after a step of work that produces no message. Messages that are sent to the
    session later must not overtake the series, and nothing more is read from the peer until the series is complete. If
    the session ends, the rest of the series may be dropped.
    """

    session_id: int
    messages: Iterator[Send | None]


class AwaitNextHello(Struct, gc=False):
    """Keep the transport of a session open for another HELLO, because the client has ended the session with GOODBYE.

    ``reason`` is the URI that the client gave.
    """

    session_id: int
    reason: str = ""


class Close(Struct, gc=False):
    """Close the transport of a session that has ended, after sending all earlier messages.

    ``reason`` is a URI, ``message`` is a human-readable message.
    """

    session_id: int
    reason: str
    message: str = ""


class StopSending(Struct, gc=False):
    """Send no more messages to a session that the router has ended. Keep its transport open until :class:`Close`."""

    session_id: int


class SessionJoined(Struct, gc=False):
    """Report that a session has joined its realm."""

    session: Session


class SessionLeft(Struct, gc=False):
    """Report that a session has left the realm that it had joined. ``reason`` is a URI."""

    session: Session
    reason: str


class SessionKilled(Struct, gc=False):
    """Report that the session ``killer`` ends another session with the meta API. ``reason`` is a URI."""

    session: Session
    killer: Session | RemoteCaller
    reason: str


class SilentRefusal(Struct, gc=False):
    """Report that a PUBLISH was refused with ``error``.

    The ERROR is not sent to the session, because the PUBLISH did not request an acknowledgment.
    """

    session_id: int
    error: Error


class Confirmation(Struct, gc=False):
    """The delayed answer to a PUBLISH whose event must be stored before it is acknowledged.

    ``missing`` is the number of histories that have not stored the event yet. ``is_lost`` is true if at least one
    history could not store it.
    """

    session_id: int
    request_id: int
    publication_id: int
    missing: int = 0
    is_lost: bool = False

    def answer(self, *, is_stored: bool) -> Send:
        """Return the message to send: PUBLISHED, or an ERROR if the event is not stored."""
        message: Message = Published(self.request_id, self.publication_id)
        if not is_stored:
            text = "the event was sent to its subscribers, but it is not stored in its history"
            message = Error(CODES[Publish], self.request_id, ErrorDetails(), errors.UNAVAILABLE, positional(text))
        return Send((self.session_id,), message, PYTHON)


class Record(Struct, gc=False):
    """Store a publication in a durable event history, outside the process.

    ``kept`` is the number of events in the history, including this one; older events may be deleted. Call
    :meth:`.Router.on_recorded` when the event is stored, or when it is clear that it cannot be stored.
    """

    realm: str
    match: Match
    uri: str
    publication: Publication
    kept: int
    confirmation: Confirmation | None = None


class AuthenticationRequest(Struct, gc=False):
    """Ask the authenticator to authenticate a peer.

    The answer is ChallengePeer, Admit, Skip or Deny. The node passes it to :meth:`.Router.decide` together with
    ``ticket``, which identifies this request.

    ``method`` is the first of the peer's methods that ``service`` supports and that was not skipped. After a
    challenge, ``message`` is the peer's answer, and ``pending`` is the value that was set in ChallengePeer. Before a
    challenge, both are None.
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
    """Ask an authorizer whether a session may perform an action.

    The answer is Permit or Deny. The node passes it to :meth:`.Router.decide` together with ``ticket``, which
    identifies this request.

    ``session`` contains the session's details as in the meta API. If ``uri`` is a pattern, the answer applies to all
    URIs that match it. ``options`` are the options of the session's message.
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
    """Cancel the request with this ticket: a request for an authentication, an authorization or a registration.

    ``is_late`` is True if the request is canceled because no answer has arrived in time.
    """

    ticket: int
    is_late: bool = False


class Pause(Struct, gc=False):
    """Stop reading from the transport of a session until :class:`Resume`."""

    session_id: int


class Resume(Struct, gc=False):
    """Resume reading from the transport of a session."""

    session_id: int


class Relay(Struct, gc=False):
    """Send a message to the nodes with the names ``members``. See :mod:`.relayed` for the terms.

    If the message announces this node's interest, ``interest`` is the number of the announcement; otherwise it is 0. A
    node that acknowledges a snapshot of the interest has also acknowledged all announcements before the snapshot. When
    all other nodes have acknowledged the announcements up to a number, call :meth:`.Announcements.on_known`.
    """

    members: tuple[str, ...]
    message: RelayedMessage
    interest: int = 0


class RelayFailed(Struct, gc=False):
    """Report that an event was not sent to other nodes, because no serializer can represent its payload."""

    topic: str


class Hold(Struct, gc=False):
    """Delay all later messages to a session until all other nodes have acknowledged this node's announcements.

    ``interest`` is the number of the last announcement that must be acknowledged. See :mod:`.own_interest`.
    """

    session_id: int
    interest: int


class RequestRegistration(Struct, gc=False):
    """Request an entry in the table of registrations that all nodes share, for a session that has sent REGISTER.

    The answer is RegistrationAdded or RegistrationRefused. The node passes it to :meth:`.Router.decide` together with
    ``ticket``, which identifies this request. If :class:`Withdraw` cancels the request, the callee must not be added to
    the table, or must be removed from it.

    ``details`` describes the callee. ``invoke`` and ``created`` describe the registration if it does not exist yet. If
    ``is_forced`` is true, the session replaces all other callees.
    """

    ticket: int
    session_id: int
    realm: str
    match: Match
    procedure: str
    invoke: str
    created: str
    details: CalleeDetails
    is_forced: bool


class ReleaseRegistration(Struct, gc=False):
    """Remove a callee of this node from the table of registrations that all nodes share."""

    session_id: int
    realm: str
    match: Match
    procedure: str


Effect = (
    Send
    | Produce
    | SessionJoined
    | SessionLeft
    | SessionKilled
    | AwaitNextHello
    | StopSending
    | Close
    | SilentRefusal
    | Record
    | AuthenticationRequest
    | AuthorizationRequest
    | Withdraw
    | Pause
    | Resume
    | Relay
    | RelayFailed
    | Hold
    | RequestRegistration
    | ReleaseRegistration
)
