"""Testaments: what a session wants published when it has gone.

Section of the specification: Advanced Profile, "Session Testament".
"""

from typing import Final

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.messages import Publish
from .records import Session

SCOPES: Final = ("detached", "destroyed")
"""In the order in which they are published."""

MAX_TESTAMENTS: Final = 100
"""Testaments a session may leave, in all."""


def add_testament(session: Session, scope: str, publish: Publish) -> None:
    """Remember a publication for the end of the session. Raises RequestRefused."""
    testaments = session.testaments[validate_scope(scope)]
    if sum(map(len, session.testaments.values())) >= MAX_TESTAMENTS:
        raise RequestRefused(errors.QUOTA_EXCEEDED, f"more than {MAX_TESTAMENTS} testaments")
    testaments.append(publish)


def flush_testaments(session: Session, scope: str) -> None:
    """Forget those of one scope. Raises RequestRefused."""
    session.testaments[validate_scope(scope)].clear()


def take_testaments(session: Session) -> list[Publish]:
    """All of them, in the order to publish; none remain. Without resumption both scopes end together."""
    taken = [publish for scope in SCOPES for publish in session.testaments[scope]]
    for testaments in session.testaments.values():
        testaments.clear()
    return taken


def validate_scope(scope: str) -> str:
    """``scope``, if there is one of that name. Raises RequestRefused."""
    if scope not in SCOPES:
        text = f"scope must be one of {', '.join(SCOPES)}, not {scope!r}"
        raise RequestRefused(errors.TESTAMENT_ERROR, text)
    return scope
