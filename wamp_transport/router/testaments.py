"""Store the testaments of sessions: events that the router publishes when a session ends.

See the WAMP specification, Advanced Profile, "Session Testament".
"""

from typing import Final

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.messages import Publish
from .memory_size import size_of
from .options import RealmOptions
from .records import Session

SCOPES: Final = ("detached", "destroyed")
"""The scopes, in the order in which their testaments are published."""

MAX_TESTAMENTS: Final = 100
"""Maximum number of testaments of a session, in both scopes together."""


class Testaments:
    """The testaments of the sessions of a realm. The realm's options limit their total size."""

    def __init__(self) -> None:
        self.options = RealmOptions("")
        self.size = 0
        """The approximate size of all testaments in bytes."""
        self._sizes: dict[int, int] = {}
        """The size of the testaments of each session that has any, by the id of the session."""

    def add(self, session: Session, scope: str, publish: Publish) -> None:
        """Add a testament: a publication that the router makes when the session ends.

        Raises RequestRefused if the scope is invalid or a limit is exceeded.
        """
        testaments = session.testaments[validate_scope(scope)]
        if sum(map(len, session.testaments.values())) >= MAX_TESTAMENTS:
            raise RequestRefused(errors.QUOTA_EXCEEDED, f"more than {MAX_TESTAMENTS} testaments")
        size = size_of(publish)
        limit = self.options.max_session_testaments_size
        if 0 < limit < self._sizes.get(session.id, 0) + size:
            text = f"more than {limit} bytes of testaments of one session: the realm's `max_session_testaments_size`"
            raise RequestRefused(errors.QUOTA_EXCEEDED, text)
        limit = self.options.max_testaments_size
        if 0 < limit < self.size + size:
            text = f"more than {limit} bytes of testaments: the realm's `max_testaments_size`"
            raise RequestRefused(errors.QUOTA_EXCEEDED, text)
        testaments.append(publish)
        self._change_size(session, size)

    def flush(self, session: Session, scope: str) -> None:
        """Delete the testaments of a session in one scope. Raises RequestRefused if the scope is invalid."""
        testaments = session.testaments[validate_scope(scope)]
        self._change_size(session, -sum(map(size_of, testaments)))
        testaments.clear()

    def take(self, session: Session) -> list[Publish]:
        """Remove all testaments of a session and return them in the order of publication.

        The scopes ``detached`` and ``destroyed`` end at the same time, because sessions cannot be resumed.
        """
        testaments = [publish for scope in SCOPES for publish in session.testaments[scope]]
        for each in session.testaments.values():
            each.clear()
        self._change_size(session, -self._sizes.get(session.id, 0))
        return testaments

    def _change_size(self, session: Session, difference: int) -> None:
        self.size += difference
        size = self._sizes.pop(session.id, 0) + difference
        if size:
            self._sizes[session.id] = size


def validate_scope(scope: str) -> str:
    """Return ``scope`` if it is one of :data:`SCOPES`. Otherwise raise RequestRefused."""
    if scope not in SCOPES:
        text = f"scope must be one of {', '.join(SCOPES)}, not {scope!r}"
        raise RequestRefused(errors.TESTAMENT_ERROR, text)
    return scope
