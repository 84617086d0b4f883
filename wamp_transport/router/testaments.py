"""Keep the testaments of a session: events that the router publishes when the session ends.

Section of the specification: Advanced Profile, "Session Testament".
"""

from typing import Final

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.messages import Publish
from .records import Session

SCOPES: Final = ("detached", "destroyed")
"""The scopes, in the order in which their testaments are published."""

MAX_TESTAMENTS: Final = 100
"""Maximum number of testaments of a session, in both scopes together."""


def add_testament(session: Session, scope: str, publish: Publish) -> None:
    """Add an event that the router publishes when the session ends. Raises RequestRefused."""
    testaments = session.testaments[validate_scope(scope)]
    if sum(map(len, session.testaments.values())) >= MAX_TESTAMENTS:
        raise RequestRefused(errors.QUOTA_EXCEEDED, f"more than {MAX_TESTAMENTS} testaments")
    testaments.append(publish)


def flush_testaments(session: Session, scope: str) -> None:
    """Delete the testaments of one scope. Raises RequestRefused."""
    session.testaments[validate_scope(scope)].clear()


def take_testaments(session: Session) -> list[Publish]:
    """Remove all testaments and return them in the order of publication.

    Both scopes end at the same time, because sessions cannot be resumed.
    """
    testaments = [publish for scope in SCOPES for publish in session.testaments[scope]]
    for each in session.testaments.values():
        each.clear()
    return testaments


def validate_scope(scope: str) -> str:
    """Return ``scope`` if it is one of :data:`SCOPES`. Raises RequestRefused."""
    if scope not in SCOPES:
        text = f"scope must be one of {', '.join(SCOPES)}, not {scope!r}"
        raise RequestRefused(errors.TESTAMENT_ERROR, text)
    return scope
