"""Define the states of a session as a table: the messages that each state accepts, and the next state.

    closed ── HELLO ──► established ── GOODBYE from the client ──► closed (another HELLO may follow)
      │                   ▲  ▲   │
      │                   │  │   └── GOODBYE from the router ──► closing ── GOODBYE, or time is up ──► gone
      │                   │  └──► suspended: a message waits for an answer from outside the core, then back
      │                   └── the authenticator admits the peer
      ├── HELLO with credentials ──► authenticating ── it challenges ──► challenging ── AUTHENTICATE ──► authenticating
      └── ABORT, a violation, the transport is lost: from every state ──► gone

In the state ``authenticating``, the client must wait for the router, and may send nothing but ABORT. In the state
``challenging``, it must send AUTHENTICATE or ABORT. A session that is ``suspended`` remains a member of its realm. Its
messages are queued and handled in order, except ABORT and violations, which end the session immediately. A failed login
ends in the state ``gone``, because there is no second attempt.

A message that the table does not list for the current state is a protocol violation, except in the states ``closing``
and ``gone``. In these states, such messages are ignored; for ``closing``, the specification requires this. Only
:func:`move` assigns a state.

See the WAMP specification, Basic Profile, "Sessions" and "Protocol Errors".
"""

from collections.abc import Mapping
from typing import Literal

from ..wamp.errors import ProtocolViolation
from ..wamp.messages import (
    NAMES,
    Abort,
    Authenticate,
    Call,
    Cancel,
    Error,
    EventReceived,
    Goodbye,
    Hello,
    Message,
    Publish,
    Register,
    Subscribe,
    Unregister,
    Unsubscribe,
    Yield,
)
from .records import Session, State

Step = Literal["authenticate", "challenge", "join", "suspend", "resume", "said_goodbye", "leave", "end"]

REALM_MESSAGES: tuple[type[Message], ...] = (
    Publish, Subscribe, Unsubscribe, EventReceived, Call, Cancel, Register, Unregister, Yield, Error,
)  # fmt: skip
"""The messages that the realm of a session handles."""

HANDLER_NAMES: Mapping[State, Mapping[type[Message], str]] = {
    "closed": {Hello: "on_hello", Abort: "on_abort"},
    "authenticating": {Abort: "on_abort"},
    "challenging": {Authenticate: "on_authenticate", Abort: "on_abort"},
    "established": {**dict.fromkeys(REALM_MESSAGES, "on_realm_message"), Goodbye: "on_goodbye", Abort: "on_abort"},
    "suspended": {**dict.fromkeys(REALM_MESSAGES, "on_queued"), Goodbye: "on_queued", Abort: "on_abort"},
    "closing": {**dict.fromkeys(NAMES, "_ignore"), Goodbye: "on_goodbye_answer", Abort: "on_abort"},
    "gone": dict.fromkeys(NAMES, "_ignore"),
}
"""The name of the router's handler, by state and message."""

TRANSITIONS: Mapping[State, Mapping[Step, State]] = {
    "closed": {"join": "established", "authenticate": "authenticating", "end": "gone"},
    "authenticating": {
        "authenticate": "authenticating",
        "challenge": "challenging",
        "join": "established",
        "end": "gone",
    },
    "challenging": {"authenticate": "authenticating", "end": "gone"},
    "suspended": {"resume": "established", "leave": "closing", "end": "gone"},
    "established": {"suspend": "suspended", "said_goodbye": "closed", "leave": "closing", "end": "gone"},
    "closing": {"end": "gone"},
    "gone": {"end": "gone"},
}
"""The next state, by state and step."""


def move(session: Session, step: Step) -> None:
    """Change the state of a session. Raises KeyError for a step that is not in the table, which is a bug."""
    session.state = TRANSITIONS[session.state][step]


def unexpected_message(session: Session, message: Message) -> ProtocolViolation:
    """Return the error for a ``message`` that is invalid in the current state."""
    name = NAMES[type(message)]
    if session.state == "closed":
        return ProtocolViolation(f"{name} before a session is established: HELLO must come first")
    if session.state == "authenticating":
        return ProtocolViolation(f"{name} while the router decides on HELLO: WELCOME, CHALLENGE or ABORT comes first")
    if session.state == "challenging":
        return ProtocolViolation(f"{name} instead of AUTHENTICATE, which a CHALLENGE must be answered with")
    return ProtocolViolation(f"{name} is not for a client to send in an established session")
