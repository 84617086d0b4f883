"""Look up the Django user of a session on another node of the cluster.

Handlers can ask for the Django user of a caller or publisher. Only the node to which the client is connected knows this
user.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Final

import msgspec

from ..router.relayed import SERIALIZED, Identity, RelayedQuestion, RelayedReply
from ..router.router import Router
from ..wamp import errors
from ..wamp.errors import ApplicationError

PROCEDURE: Final = "session_user"
"""The name of the procedure in the question to other nodes. No client can call it, as it is not a meta procedure."""

REPLY_SECONDS: Final = 2.0
"""The maximum time for the answers of the other nodes."""


UNKNOWN: Final = "the user is not known at the moment: another node of the cluster does not answer"


class SessionUser(msgspec.Struct, array_like=True, frozen=True):
    """The identity of a session's user. Later releases may add fields at the end.

    ``user_key`` is the primary key of the Django user, or None if the login did not store it.
    """

    user_key: str | None
    authid: str
    authprovider: str


class OpenLookup:
    """A question to which the nodes in ``missing`` have not replied.

    ``is_complete`` is false if a node could not be asked, or has left before it replied.
    """

    def __init__(self, missing: set[str], answer: asyncio.Future[SessionUser | None], *, is_complete: bool) -> None:
        self.missing = missing
        self.answer = answer
        self.is_complete = is_complete

    def resolve(self, peer: str, user: SessionUser | None, *, is_reply: bool = True) -> None:
        """Handle the reply of a node, or its departure if ``is_reply`` is False.

        ``user`` is None if the node does not have the session.
        """
        self.is_complete &= is_reply
        self.missing.discard(peer)
        if not self.answer.done() and (user is not None or not self.missing):
            self.answer.set_result(user)


class RemoteUsers:
    """Asks the other nodes for the users of their sessions, and answers their questions.

    - ``peers()`` returns the other nodes.
    - ``send(peer, message)`` sends a message, and returns whether it could be sent.
    - ``user_key(session_id)`` returns the primary key of the user of a session of this node.
    """

    def __init__(
        self,
        router: Router,
        loop: asyncio.AbstractEventLoop,
        peers: Callable[[], set[str]],
        send: Callable[[str, RelayedQuestion | RelayedReply], bool],
    ) -> None:
        self._router = router
        self._loop = loop
        self._peers = peers
        self._send = send
        self._open: dict[int, OpenLookup] = {}
        # The ids are negative, so that they differ from those of the questions of the router.
        self._ids = count(-1, -1)
        self.user_key: Callable[[int], str | None] = lambda _: None

    async def find(self, session_id: int) -> SessionUser | None:
        """Return the user of a session on another node. Return None if no node has the session.

        Raises ApplicationError with ``wamp.error.unavailable`` if a node that may have the session does not answer.
        """
        question_id = next(self._ids)
        message = RelayedQuestion("", question_id, PROCEDURE, Identity(session_id, "", ""), SERIALIZED)
        peers = self._peers()
        asked = {peer for peer in peers if self._send(peer, message)}
        lookup = OpenLookup(asked.copy(), self._loop.create_future(), is_complete=asked == peers)
        self._open[question_id] = lookup
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                user = await lookup.answer if asked else None
        except TimeoutError:
            raise ApplicationError(errors.UNAVAILABLE, UNKNOWN) from None
        finally:
            del self._open[question_id]
        if user is None and not lookup.is_complete:
            raise ApplicationError(errors.UNAVAILABLE, UNKNOWN)
        return user

    def receive(self, peer: str, message: object) -> bool:
        """Handle a message from another node.

        Return False if the message is neither a question about a user nor a reply to such a question.
        """
        if isinstance(message, RelayedQuestion) and message.procedure == PROCEDURE:
            self._send(peer, self._answer(message))
            return True
        if isinstance(message, RelayedReply) and message.question_id < 0:
            lookup = self._open.get(message.question_id)
            if lookup is not None:
                lookup.resolve(peer, _user_of(message))
            return True
        return False

    def remove_peer(self, peer: str) -> None:
        """Stop waiting for a node that has left the cluster."""
        for lookup in list(self._open.values()):
            if peer in lookup.missing:
                lookup.resolve(peer, None, is_reply=False)

    def _answer(self, question: RelayedQuestion) -> RelayedReply:
        session = self._router.sessions.get(question.caller.session_id)
        if session is None:
            return RelayedReply("", question.question_id, errors.NO_SUCH_SESSION, SERIALIZED)
        user = SessionUser(self.user_key(session.id), session.authid, session.authprovider)
        return RelayedReply("", question.question_id, None, SERIALIZED, msgspec.json.encode([user]))


def _user_of(reply: RelayedReply) -> SessionUser | None:
    return None if reply.uri is not None else msgspec.json.decode(reply.args, type=list[SessionUser])[0]
