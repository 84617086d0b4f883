"""The life of a session as a table: which messages a state accepts, and what follows.

    closed ── HELLO ──► established ── GOODBYE from the client ──► closed (another HELLO may follow)
      │                      │
      │                      └── GOODBYE from the router ──► closing ── GOODBYE, or time is up ──► gone
      └── ABORT, a violation, the transport is lost: from every state ──► gone

A message that a state does not list is a protocol violation, except in ``closing``, where the specification wants it
ignored, and in ``gone``, after which nothing counts. ``move`` is the only place that assigns a state.
Section of the specification: Basic Profile, "Session Management"; "Protocol Violations".
"""

from collections.abc import Mapping
from typing import Literal

from ..wamp.errors import ProtocolViolation
from ..wamp.messages import (
    NAMES,
    Abort,
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

Step = Literal["join", "said_goodbye", "leave", "end"]

ROUTED: tuple[type[Message], ...] = (
    Publish, Subscribe, Unsubscribe, EventReceived, Call, Cancel, Register, Unregister, Yield, Error,
)  # fmt: skip
"""What a realm handles for a session that has joined it."""

ACCEPTED: Mapping[State, Mapping[type[Message], str]] = {
    "closed": {Hello: "on_hello", Abort: "on_abort"},
    "established": {**dict.fromkeys(ROUTED, "on_routed"), Goodbye: "on_goodbye", Abort: "on_abort"},
    "closing": {**dict.fromkeys(NAMES, "_ignore"), Goodbye: "on_goodbye_answer", Abort: "on_abort"},
    "gone": dict.fromkeys(NAMES, "_ignore"),
}
"""State and message to the name of the router's handler."""

NEXT: Mapping[State, Mapping[Step, State]] = {
    "closed": {"join": "established", "end": "gone"},
    "established": {"said_goodbye": "closed", "leave": "closing", "end": "gone"},
    "closing": {"end": "gone"},
    "gone": {"end": "gone"},
}
"""State and step to the next state."""


def move(session: Session, step: Step) -> None:
    """Take a step."""
    session.state = NEXT[session.state][step]


def unexpected(session: Session, message: Message) -> ProtocolViolation:
    """The violation of sending ``message`` now."""
    name = NAMES[type(message)]
    if session.state == "closed":
        return ProtocolViolation(f"{name} before a session is established: HELLO must come first")
    return ProtocolViolation(f"{name} is not for a client to send in an established session")
