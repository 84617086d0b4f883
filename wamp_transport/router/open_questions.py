"""Ask the other nodes of a cluster questions for the meta API, and collect their replies.

See :mod:`.relayed` for the terms. A *question* is the call of a meta procedure whose answer depends on several nodes.
The caller's node sends it to the other nodes, and answers the call when all of them have replied.

An open question is a call in flight like any other, and :class:`OtherNodes` takes the place of its callee. Therefore, a
question ends if its caller cancels the call or leaves, and the limits for calls in flight apply.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ..wamp import errors
from ..wamp.errors import PayloadError, RequestRefused
from ..wamp.messages import Call, RegisterOptions
from .calls import Calls
from .effects import Effect, Relay
from .environment import Environment
from .members import Members
from .records import Callee, CallRecord, Registration, Session, State
from .relayed import Identity, RelayedQuestion, RelayedReply, payload_bytes

REPLY_SECONDS: Final = 2.0
"""The time in seconds after which a question is answered without the nodes that have not replied."""

MAX_LARGE_QUESTIONS: Final = 16
"""Maximum number of open questions of one session whose answers can be much larger than the CALL.

The replies of all nodes are stored until the answer is sent.
"""

NO_OPTIONS: Final = RegisterOptions()

Payload = tuple[str, bytes, bytes]
"""The format, args and kwargs of a question."""

Finish = Callable[[Sequence[RelayedReply]], None]
"""A function that takes the replies of the other nodes and sends the answer to the caller. It may raise RequestRefused.

The order of the replies depends only on the nodes, not on the times at which the replies have arrived.
"""


class OtherNodes:
    """The other nodes, in place of the callee of an open question. See :class:`.CallPeer` for the attributes.

    The ids of questions are the invocation ids of this callee. This callee has no transport, so messages to it are
    dropped.
    """

    remote: Final = None

    def __init__(self) -> None:
        self.id = 0
        self.authid = ""
        self.authrole = ""
        self.trustlevel: int | None = None
        self.state: State = "established"
        self.realm = ""
        self.payload_format = ""
        self.registrations: dict[int, Registration] = {}
        self.calls: dict[int, CallRecord] = {}
        self.calls_size = 0
        self.invocations: dict[int, CallRecord] = {}
        self.last_invocation = 0
        self.ended_streams: set[int] = set()

    def has(self, role: str, *features: str) -> bool:
        """Return False, so that INTERRUPT is never sent to this callee."""
        return False


class OpenQuestion(Callee):
    """A question to which some nodes have not replied yet. ``missing`` is the set of these nodes.

    ``replies`` maps the bits of the other nodes to their replies. ``calls`` are the calls of the realm. ``is_large`` is
    True if the answer can be much larger than the CALL.
    """

    __slots__ = ("calls", "finish", "is_large", "missing", "replies")

    def __init__(self, nodes: OtherNodes, calls: Calls, missing: int, finish: Finish, *, is_large: bool) -> None:
        super().__init__(nodes, 0, NO_OPTIONS)
        self.calls = calls
        self.missing = missing
        self.finish = finish
        self.is_large = is_large
        self.replies: dict[int, RelayedReply] = {}


class OpenQuestions:
    """The open questions of a node to the other nodes, in all its realms."""

    def __init__(self, members: Members, outbox: list[Effect], environment: Environment) -> None:
        self.unanswered = 0
        """How often a node was left out of an answer because it was silent, was unreachable or replied too late."""
        self._members = members
        self._outbox = outbox
        self._environment = environment
        self._nodes = OtherNodes()
        self._registration = Registration(0, "", "exact", "single", "")

    def __len__(self) -> int:
        return len(self._nodes.invocations)

    @property
    def has_nodes(self) -> bool:
        """Whether there are other nodes that are not silent."""
        return bool(self._members.everyone & ~self._members.silent)

    def count_silent(self) -> None:
        """Add the number of silent nodes to ``unanswered``, because an answer is sent without them."""
        self.unanswered += self._members.silent.bit_count()

    def check_room(self, caller: Session, call: Call, *, is_large: bool) -> None:
        """Check that a session may have one more open question. Raises RequestRefused."""
        caller.limits.check_calls(len(caller.calls), caller.calls_size + _size(call))
        if is_large and _count_large(caller) >= MAX_LARGE_QUESTIONS:
            text = f"more than {MAX_LARGE_QUESTIONS} calls in flight with large answers from several nodes"
            raise RequestRefused(errors.QUOTA_EXCEEDED, text)

    def payload(self, caller: Session, call: Call) -> Payload:
        """Return the payload of a CALL for :meth:`ask`. Raises RequestRefused if it cannot be sent to other nodes."""
        try:
            return payload_bytes(caller.payload_format, call, self._environment.serialize)
        except PayloadError as fault:
            raise RequestRefused(fault.uri, str(fault)) from fault

    def ask(
        self,
        calls: Calls,
        caller: Session,
        call: Call,
        procedure: str,
        payload: Payload,
        finish: Finish,
        *,
        is_large: bool,
    ) -> None:
        """Ask all other nodes that are not silent to run a meta procedure. There must be at least one such node.

        ``call`` is the CALL of the session ``caller``. ``finish`` is called when no more replies are expected, at the
        latest after :data:`REPLY_SECONDS` or the timeout of the call. It is not called if the call ends earlier.
        """
        asked = self._members.everyone & ~self._members.silent
        self.count_silent()
        question = OpenQuestion(self._nodes, calls, asked, finish, is_large=is_large)
        record = calls.open(caller, call, self._registration, question)
        record.is_streaming = call.options.progress is True
        if _size(call) > caller.limits.unchecked_size:
            calls.count_size(record)
        self._set_deadline(calls, record)
        identity = Identity(caller.id, caller.authid, caller.authrole)
        message = RelayedQuestion(
            caller.realm, record.invocation_id, procedure, identity, *payload, transport=caller.transport
        )
        self._outbox.append(Relay(self._members.names(asked), message))

    def on_reply(self, bit: int, reply: RelayedReply) -> None:
        """Handle the reply from the node with this bit. Ignore a late or repeated reply."""
        record, question = self._find(reply.question_id)
        if record is not None and question is not None and question.missing & bit:
            question.replies[bit] = reply
            self._stop_waiting(record, question, bit)

    def on_unsent(self, name: str, question_id: int) -> None:
        """Handle the report that a question could not be sent to a node, and leave the node out of the answer."""
        record, question = self._find(question_id)
        bit = self._members.bit(name)
        if record is not None and question is not None and question.missing & bit:
            self.unanswered += 1
            self._stop_waiting(record, question, bit)

    def remove_member(self, bit: int) -> None:
        """Stop waiting for the node with this bit, because it has left the cluster."""
        for question_id in list(self._nodes.invocations):
            record, question = self._find(question_id)
            if record is not None and question is not None and question.missing & bit:
                self._stop_waiting(record, question, bit)

    def on_deadline(self, record: CallRecord) -> None:
        """Answer a question to which some nodes have not replied in time."""
        _, question = self._find(record.invocation_id)
        if question is not None:
            self.unanswered += question.missing.bit_count()
            self._finish(record, question)

    def _find(self, question_id: int) -> tuple[CallRecord | None, OpenQuestion | None]:
        record = self._nodes.invocations.get(question_id)
        return record, record.callee if record is not None and isinstance(record.callee, OpenQuestion) else None

    def _set_deadline(self, calls: Calls, record: CallRecord) -> None:
        """Set the time at which a question is answered at the latest.

        This is when the call would time out, but at most :data:`REPLY_SECONDS` from now.
        """
        calls.start_timeout(record, record.call.options)
        if record.deadline is not None:
            record.deadline.cancel()
        seconds = min(record.timeout or REPLY_SECONDS, REPLY_SECONDS)
        record.deadline = self._environment.deadlines.after(seconds, "question", (self, record))

    def _stop_waiting(self, record: CallRecord, question: OpenQuestion, bit: int) -> None:
        question.missing &= ~bit
        if not question.missing:
            self._finish(record, question)

    def _finish(self, record: CallRecord, question: OpenQuestion) -> None:
        question.calls.end(record)
        try:
            question.finish([reply for _, reply in sorted(question.replies.items())])
        except RequestRefused as refused:
            question.calls.refuse(record.caller, record.request_id, refused.uri, str(refused))


def on_question_deadline(subject: tuple[OpenQuestions, CallRecord]) -> None:
    """Handle the deadline of an open question."""
    questions, record = subject
    questions.on_deadline(record)


def _size(call: Call) -> int:
    return len(call.procedure) + len(call.args) + len(call.kwargs)


def _count_large(caller: Session) -> int:
    return sum(isinstance(each.callee, OpenQuestion) and each.callee.is_large for each in caller.calls.values())
