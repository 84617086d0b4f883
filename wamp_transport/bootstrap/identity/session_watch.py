"""The session watch. It closes WAMP sessions whose Django user, Django session or stored principal is no longer valid.

Changes are recorded by receivers of Django's signals. Every process reads the changes, and checks the identities of the
affected sessions. Some changes send no signal, for example ``QuerySet.update`` or the expiry of a Django session.
Regular checks of all sessions detect such changes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from django.db import DatabaseError

from ...stores.identity import changes, users
from ...stores.identity.users import Identity
from ...wamp.errors import CLOSE_LOGOUT
from ..poll_timer import PollTimer
from ..threads import in_thread
from .identity_queries import IdentityQueries, Unanswered

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
"""The interval between two reads of recorded changes. See :mod:`..poll_timer` for exceptions."""

REVIEW_SECONDS: Final = 60.0
"""The interval between two checks of the identities of all sessions."""

USER_LOGGED_OUT: Final = "the user has logged out"
LOGIN_NOT_ALLOWED: Final = "this login is no longer allowed"
LOGIN_CHANGED: Final = "this login has another name or role now: log in again"

Leave = Callable[[int, str, str], None]
"""A function that closes a session. It is called with the session ID, the reason and a message."""


class SessionWatch:
    """A watcher that closes a node's sessions when their identities are no longer valid.

    ``session_exists(session_id)`` returns whether the router has this session. ``leave`` closes a session.
    ``on_closed`` is called with the ID, the identity and a message for each session that the watch closes.
    """

    def __init__(
        self,
        session_exists: Callable[[int], bool],
        leave: Leave,
        on_closed: Callable[[int, Identity, str], None] = lambda *_: None,
        queries: IdentityQueries | None = None,
    ) -> None:
        self.queries = queries or IdentityQueries()
        self.timer = PollTimer(POLL_SECONDS)
        self._session_exists = session_exists
        self._leave = leave
        self._on_closed = on_closed
        self._identities: dict[int, Identity] = {}
        self._seen: int | None = None
        self._due: set[int] = set()
        # A logout is recorded shortly before Django deletes the session, and a check between the two finds a valid
        # session. Therefore, sessions for which changes may have been missed are checked again at the next poll.
        self._due_again: set[int] = set()
        self._is_failure_logged = False

    def __len__(self) -> int:
        return len(self._identities)

    @property
    def mark(self) -> int | None:
        """The number of the last change that was read; None while changes are not being read.

        Get this number before you query an identity, and pass it to :meth:`watch`.
        """
        return self._seen

    def user_of(self, session_id: int) -> str | None:
        """Return the primary key of a session's Django user, as text; None if there is no such user."""
        identity = self._identities.get(session_id)
        return None if identity is None else identity.user

    def watch(self, session_id: int, identity: Identity, mark: int | None) -> None:
        """Watch a session, and close it when its identity is no longer valid.

        ``mark`` is the value of :attr:`mark` before the query for the identity. If newer changes have been read since
        then, the session is checked again.
        """
        self._identities[session_id] = identity
        if mark is None or mark != self._seen:
            self._due.add(session_id)
            self._due_again.add(session_id)
            self.timer.hurry()
        if self._seen is None:
            self.timer.wake()  # changes are read from the next poll on

    async def run(self) -> None:
        """At intervals, read changes and check the identities of sessions, until canceled."""
        loop = asyncio.get_running_loop()
        review_at = loop.time() + REVIEW_SECONDS
        while True:
            if self._due or self._is_failure_logged:
                self.timer.hurry()  # there is something to retry
            await self.timer.wait()
            try:
                await self.poll()
                if loop.time() >= review_at:
                    review_at = loop.time() + REVIEW_SECONDS
                    await self.review()
            except DatabaseError as error:
                if not self._is_failure_logged:
                    logger.error(
                        "Sessions cannot be checked against their users: the database does not answer: %s", error
                    )
                self._is_failure_logged = True
            else:
                self._is_failure_logged = False

    async def poll(self) -> None:
        """Read the latest changes, and check the identities of the affected sessions.

        If no session is watched, do not read the changes.
        """
        if not self._identities:
            self._seen = None
            return
        if self._seen is None:
            self._seen = await in_thread(changes.latest)
            self._due.update(self._identities)  # earlier changes were not read
            self._due_again.update(self._identities)
        else:
            found = await in_thread(changes.since, self._seen)
            for _, kind, key in found:
                self._process_change(kind, key)
            if found:
                self._seen = found[-1][0]
        due, self._due, self._due_again = self._due, self._due_again, set()
        try:
            await self._check(due)
        except BaseException:
            self._due |= due
            raise

    async def review(self) -> None:
        """Check the identities of all sessions, and delete old changes from the database."""
        await self._check(list(self._identities))
        await in_thread(changes.purge)

    def _process_change(self, kind: str, key: str) -> None:
        """Process one change: close sessions immediately after a logout; mark other affected sessions for a check."""
        for session_id, identity in list(self._identities.items()):
            if not is_concerned(identity, kind, key):
                continue
            if kind in ("session", "logout"):
                self._end(session_id, USER_LOGGED_OUT)
            else:
                self._due.add(session_id)

    async def _check(self, session_ids: Iterable[int]) -> None:
        """Query the current identities of sessions, and close the sessions whose login is no longer valid.

        A session for which a hook of the project fails stays open until the next check of all sessions.
        """
        waiting = iter(session_ids)
        while chunk := list(islice(waiting, self.queries.identities_per_query)):
            checked = {one: self._identities[one] for one in self._present(chunk)}
            if not checked:
                continue
            try:
                now = await self.queries.ask(_current_identities, list(checked.values()))
            except Unanswered:
                self._due.update(waiting)  # checked at the next poll, together with newer changes
                return
            except DatabaseError:
                raise
            except Exception:
                logger.exception("The identities of sessions cannot be checked")
                continue
            self._compare(checked, now)

    def _compare(self, checked: Mapping[int, Identity], now: Iterable[Identity | None]) -> None:
        """Close the sessions whose identity has changed or is no longer valid.

        ``checked`` maps session IDs to the known identities. ``now`` contains their current values, in order.
        """
        for (session_id, before), after in zip(checked.items(), now, strict=True):
            if self._identities.get(session_id) is not before:
                continue  # the session has ended or has another login since the query began
            if after is None or after.role is None:
                self._end(session_id, LOGIN_NOT_ALLOWED)
            elif (after.authid, after.role, after.user) != (before.authid, before.role, before.user):
                self._end(session_id, LOGIN_CHANGED)

    def _present(self, session_ids: Iterable[int]) -> Iterator[int]:
        """Yield the IDs of sessions that still exist, and forget the others."""
        for session_id in session_ids:
            if not self._session_exists(session_id):
                self._identities.pop(session_id, None)
            elif session_id in self._identities:
                yield session_id

    def _end(self, session_id: int, message: str) -> None:
        identity = self._identities[session_id]
        if self._session_exists(session_id):
            self._on_closed(session_id, identity, message)
            self._leave(session_id, CLOSE_LOGOUT, message)
        self._identities.pop(session_id, None)


def is_concerned(identity: Identity, kind: str, key: str) -> bool:
    """Return whether a change can affect an identity."""
    if kind in ("user", "logout"):
        return identity.user == key and (kind == "user" or identity.session_key is not None)
    if kind == "session":
        return identity.session_key is not None and changes.session_digest(identity.session_key) == key
    if kind == "principal":
        return identity.is_stored and changes.principal_key(identity.realm or "", identity.authid) == key
    return identity.user is not None


def _current_identities(identities: list[Identity]) -> list[Identity | None]:
    return [users.again(one) for one in identities]
