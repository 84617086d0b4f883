"""A node's side of the ledger: which operations to request, and how the replies and the log affect its callees.

A REGISTER is *undecided* until the node reads its callee from the log. From then on, the node *holds* the callee: the
registration is valid. The node decides which callees it has:

- If the log or a snapshot contains a callee of this node that is neither held nor undecided, the node unregisters it.
- If the ledger lacks a callee that the node holds, or if the outcome of a change is unknown because the connection was
  lost, the node sends all its callees to the ledger again (it *restates* them).
- A session loses a registration in two cases only: another session has registered the procedure with
  ``force_reregister``, or another session has registered it while the ledger lacked the node's callees.

If the name of a REGISTER is already registered, the nodes of the existing callees are the *holders* of the name. See
:mod:`.attempts`.

:class:`LedgerClient` has no connection and no clock. The caller sends the requests in order, passes the answers in the
same order, and reports all changes of the table. Times are in seconds.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from math import inf
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from .attempts import DECISION_TIME, RegisterAttempt
from .layout import CalleeKey, CalleeRow, RegistrationKey, node_of, parse_callee_field
from .operations import (
    Answer,
    Change,
    JoinRequest,
    LeaveRequest,
    PurgeRequest,
    RegisterRequest,
    RenewRequest,
    Request,
    RestateRequest,
    StatedRow,
    Status,
    UnregisterRequest,
)
from .table import CalleeAdded, CalleeRemoved, LedgerTable, MemberLeft, TableChange

RENEW_INTERVAL: Final = 2.5
SETTLING_RETRY: Final = 0.5
SILENT_RETRY: Final = 1.0
UNKNOWN_HOLDER_RETRY: Final = 0.3
"""The times until a REGISTER is tried again, in this order: while the ledger settles; if the holders of the name may
have been killed; if the table contains no callee of the registration, or callees of nodes that are not members."""

FIELDS_PER_REQUEST: Final = 500
"""Maximum number of callees in an ``unregister`` or ``purge``. Redis serves nobody else while it carries one out."""


class Joined(NamedTuple):
    """The node has become a member. ``abandoned`` are nodes of an abandoned ledger. Their inboxes must be deleted."""

    abandoned: tuple[str, ...]


class MembersRemoved(NamedTuple):
    """This node has removed members whose lease had ended. Their inboxes must be deleted."""

    nodes: tuple[str, ...]


class RegisterCompleted(NamedTuple):
    """A REGISTER has succeeded."""

    token: int


class RegisterRefused(NamedTuple):
    """A REGISTER has failed. ``status`` is ``exists``, ``policy``, or ``unavailable`` if it was not decided in time."""

    token: int
    status: str


class CalleeRevoked(NamedTuple):
    """A session has lost its registration to another session."""

    registration: RegistrationKey
    session: int


class TableChanged(NamedTuple):
    """The table has changed because members did not restate their rows in time."""

    changes: list[TableChange]


class AnswersWanted(NamedTuple):
    """These nodes must be asked for an answer, because it is not known whether they are alive."""

    nodes: list[str]


class NodeRemoved(NamedTuple):
    """This node is no longer a member. It must end its sessions and begin anew with another id."""


Outcome: TypeAlias = (
    Joined
    | MembersRemoved
    | RegisterCompleted
    | RegisterRefused
    | CalleeRevoked
    | TableChanged
    | AnswersWanted
    | NodeRemoved
)

OwnKey: TypeAlias = tuple[bytes, int]
"""A callee of this node: the name of its registration, and its session id."""


class LedgerClient:
    """The membership and the callees of one node.

    - ``record``: an encoded :class:`.MemberRecord`
    - ``lease``: the duration of the lease in seconds
    - ``count_answers``: returns how many questions a node has answered, or None if it is not a peer
    - ``new_ledger_id``: returns a new random id for a ledger
    """

    def __init__(
        self,
        node: str,
        record: bytes,
        lease: float,
        table: LedgerTable,
        count_answers: Callable[[str], int | None],
        new_ledger_id: Callable[[], str],
    ) -> None:
        self.node = node
        self.table = table
        self.is_joined = False
        self.is_removed = False
        self._record = record
        self._lease = lease
        self._lease_milliseconds = round(lease * 1000)
        self._count_answers = count_answers
        self._new_ledger_id = new_ledger_id
        self._ledger = ""
        self._last_change = 0
        self._last_token = 0
        self._renew_at = 0.0
        self._must_restate = False
        self._is_answering = True
        self._is_connected = False
        self._is_leaving = False
        self._in_flight: deque[tuple[Request, str]] = deque()
        self._other_requests: list[PurgeRequest | LeaveRequest] = []
        self._held: dict[OwnKey, StatedRow] = {}
        self._attempts: dict[OwnKey, RegisterAttempt] = {}
        self._removing: dict[tuple[bytes, int, int], None] = {}
        self._orphans: set[str] = set()
        self._gone: set[str] = set()

    # --- what sessions want ----------------------------------------------------------------------------------------

    def register(
        self,
        key: RegistrationKey,
        session: int,
        policy: str,
        created: str,
        details: bytes,
        now: float,
        *,
        is_forced: bool = False,
    ) -> int | None:
        """Request a registration. Return a token that identifies it in the outcome that follows.

        Return None if the ledger is unavailable. The outcome is :class:`RegisterCompleted` or :class:`RegisterRefused`.
        ``details`` is an encoded :class:`~wamp_transport.router.relayed.CalleeDetails`.
        """
        if not self._is_answering:
            return None
        self.unregister(key, session)
        self._last_token += 1
        row = StatedRow(key.name, session, self._last_token, policy, created, details)
        self._attempts[key.name, session] = RegisterAttempt(row, is_forced, now)
        return self._last_token

    def unregister(self, key: RegistrationKey, session: int) -> None:
        """Remove a callee, whether it is held or undecided. No outcome is reported for it."""
        own = (key.name, session)
        attempt = self._attempts.pop(own, None)
        row = self._held.pop(own, None) if attempt is None else attempt.row
        if row is not None:
            self._removing[*own, row.token] = None

    def leave(self) -> None:
        """Request the end of the membership. Unregister all callees first, so that they are removed without delay."""
        self._is_leaving = True

    @property
    def is_idle(self) -> bool:
        """Whether the ledger has confirmed all changes of this node."""
        is_waiting = self._must_restate or self._attempts or self._removing
        return not is_waiting and not any(isinstance(request, Change) for request, _ in self._in_flight)

    # --- requests and answers --------------------------------------------------------------------------------------

    def next_requests(self, now: float) -> list[Request]:
        """Return the requests to send now, in this order. Call this only while connected."""
        self._is_connected = True
        has_work = self._attempts or self._removing or self._must_restate or self._other_requests or self._is_leaving
        if self.is_joined and not has_work and now < self._renew_at:
            return []  # the usual case: this method is called in each turn of the event loop
        requests = list(self._next_requests(now))
        self._in_flight += ((request, self.table.position) for request in requests)
        return requests

    def on_answer(self, answer: Answer, now: float) -> list[Outcome]:
        """Handle the answer to the oldest unanswered request."""
        request, position = self._in_flight.popleft()
        self._is_answering = True
        if answer.status == "dead":
            return self._on_removed()
        if isinstance(request, JoinRequest):
            self.is_joined = True
            self._ledger = answer.ledger
            self._renew_at = now + RENEW_INTERVAL
            return [Joined(tuple(name.decode() for name in answer.names))]
        if isinstance(request, LeaveRequest):
            self.is_removed = request.node == self.node
            return []
        self.table.compare(answer.ledger, answer.newest, position)
        if answer.status in ("restate", "late") and not self._is_restating:
            self._must_restate = True
        if isinstance(request, RenewRequest):
            return self._on_renewed(answer, now)
        if isinstance(request, RegisterRequest):
            return self._on_register_answer(request, answer.status, now)
        if isinstance(request, RestateRequest) and answer.status == "ok":
            return self._on_restated(answer, now)
        return []

    def on_disconnected(self, now: float) -> None:
        """Give up the unanswered requests. It is unknown whether they were carried out."""
        if any(isinstance(request, Change) for request, _ in self._in_flight):
            self._must_restate = True
        self._in_flight.clear()
        self._is_connected = False
        self._renew_at = now

    def on_changes(self, changes: Iterable[TableChange], now: float) -> list[Outcome]:
        """Handle changes of the table that came from the log."""
        outcomes: list[Outcome] = []
        for change in changes:
            if isinstance(change, CalleeAdded) and change.key.node == self.node:
                outcomes += self._on_own_callee(change.key, change.row)
            elif isinstance(change, CalleeRemoved) and change.key.node == self.node:
                own = (change.key.registration.name, change.key.session)
                held = self._held.get(own)
                is_member = self.node in self.table.members
                if is_member and held is not None and held.token == change.row.token:
                    del self._held[own]
                    outcomes.append(CalleeRevoked(change.key.registration, change.key.session))
            elif isinstance(change, MemberLeft):
                if change.node == self.node:
                    self._renew_at = now
                else:
                    self._gone.add(change.node)
        return outcomes

    def on_snapshot(self, changes: Iterable[TableChange], now: float) -> list[Outcome]:
        """Handle changes of the table that came from a snapshot, and compare the snapshot with the node's callees."""
        rows = self.table.rows
        own_fields = self.table.fields_of(self.node)
        outcomes = self.on_changes((each for each in changes if not isinstance(each, CalleeRemoved)), now)
        for field in own_fields:
            outcomes += self._on_own_callee(parse_callee_field(field), CalleeRow.decode(rows[field]))
        present = {(field, CalleeRow.decode(rows[field]).token) for field in own_fields}
        for own, row in self._held.items():
            if (self._field(own), row.token) not in present:
                self._must_restate = True
        for attempt in self._attempts.values():
            if attempt.is_answered:
                attempt.retry(now, 0)
        return outcomes

    def advance(self, now: float) -> list[Outcome]:
        """Refuse the REGISTERs that the ledger has not decided on in time."""
        outcomes: list[Outcome] = []
        for own, attempt in list(self._attempts.items()):
            if attempt.deadline <= now:
                if not attempt.is_answered:
                    self._is_answering = False
                outcomes.append(self._refuse(own, "unavailable"))
        return outcomes

    def next_deadline(self) -> float:
        """Return when :meth:`advance` (and, if connected, :meth:`next_requests`) must be called next, or infinity."""
        attempts = self._attempts.values()
        times = [attempt.deadline for attempt in attempts]
        if self._is_connected and not self.is_removed:
            times.append(self._renew_at)
            if self._can_change:
                times += (attempt.retry_at for attempt in attempts if not attempt.is_waiting)
        return min(times, default=inf)

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _next_requests(self, now: float) -> Iterable[Request]:
        """Yield the requests to send now."""
        if self.is_removed:
            return
        if not self.is_joined:
            self._renew_at = now + RENEW_INTERVAL
            if not self._in_flight:
                yield JoinRequest(self.node, self._new_ledger_id(), self._lease_milliseconds, self._record)
            return
        has_change = any(isinstance(request, Change) for request, _ in self._in_flight)
        if self._is_leaving:
            self._renew_at = now + RENEW_INTERVAL
            if not self._in_flight:
                yield LeaveRequest(self.node)
            return
        if self._renew_at <= now:
            self._renew_at = now + RENEW_INTERVAL
            yield RenewRequest(self.node, self._last_change, self._lease_milliseconds)
        yield from self._other_requests
        self._other_requests.clear()
        if self._must_restate and not has_change:
            yield self._restate()
        elif self._can_change:
            yield from self._changes(now)

    def _changes(self, now: float) -> Iterable[Request]:
        """Yield the changes to send now. Removals come first, because a session may register the same name again."""
        while self._removing:
            callees = tuple(islice(self._removing, FIELDS_PER_REQUEST))
            for callee in callees:
                del self._removing[callee]
            yield UnregisterRequest(self.node, self._next_change(), callees)
        for attempt in self._attempts.values():
            if attempt.is_due(now, self._count_answers):
                attempt.is_waiting = True
                known = tuple(self.table.holders(attempt.row.name)) if attempt.is_forced else ()
                yield RegisterRequest(self.node, self._next_change(), attempt.row, attempt.is_forced, known)

    def _restate(self) -> RestateRequest:
        self._must_restate = False
        self._removing.clear()
        undecided = (replace(attempt.row, number=-1) for attempt in self._attempts.values())
        rows = (*self._held.values(), *undecided)
        ledger, new_ledger, lease = self._ledger, self._new_ledger_id(), self._lease_milliseconds
        return RestateRequest(self.node, self._next_change(), ledger, new_ledger, lease, self._record, rows)

    def _next_change(self) -> int:
        self._last_change += 1
        return self._last_change

    def _field(self, own: OwnKey) -> bytes:
        return b"c:%b %b %d" % (own[0], self.node.encode(), own[1])

    def _on_removed(self) -> list[Outcome]:
        if self.is_removed:
            return []
        self.is_removed = True
        return [NodeRemoved()]

    def _on_renewed(self, answer: Answer, now: float) -> list[Outcome]:
        """Purge the rows of members that ``renew`` has removed, and of nodes unknown at two renewals."""
        changes = self.table.on_renewed(answer.newest, now)
        if answer.status == "ok":
            self._ledger = answer.ledger
        removed = tuple(name.decode() for name in answer.names)
        orphans = self.table.orphans()
        for node in {*removed, *(orphans & self._orphans)}:
            self._purge(node, self.table.fields_of(node))
        self._orphans = orphans
        self._other_requests += (LeaveRequest(node) for node in self._gone & self.table.members.keys())
        outcomes: list[Outcome] = [TableChanged(changes)] if changes else []
        if removed:
            outcomes.append(MembersRemoved(removed))
        return outcomes + self.on_changes(changes, now)

    def _purge(self, node: str, fields: Collection[bytes]) -> None:
        ordered = sorted(fields)
        for first in range(0, len(ordered), FIELDS_PER_REQUEST):
            part = tuple(ordered[first : first + FIELDS_PER_REQUEST])
            self._other_requests.append(PurgeRequest(self.node, node, part))

    def _on_register_answer(self, request: RegisterRequest, status: Status, now: float) -> list[Outcome]:
        own = (request.row.name, request.row.session)
        attempt = self._attempts.get(own)
        if attempt is None or attempt.row.token != request.row.token:
            return []
        if status == "ok":
            attempt.is_answered = True
            attempt.deadline = now + DECISION_TIME
        elif status == "wait":
            attempt.retry(now, SETTLING_RETRY)
        elif status in ("restate", "late"):
            attempt.retry(now, 0)
        else:
            return self._on_name_taken(own, attempt, status, now)
        return []

    def _on_name_taken(self, own: OwnKey, attempt: RegisterAttempt, status: Status, now: float) -> list[Outcome]:
        """Refuse a REGISTER if a holder of its name is alive. Otherwise try it again, for a limited time."""
        holders = self.table.holders(own[0])
        nodes = {node_of(field).decode() for field in holders}
        orphans = nodes - self.table.members.keys()
        for node in orphans:
            self._purge(node, [field for field in holders if node_of(field).decode() == node])
        waited = now - attempt.asked_at
        if orphans or (not nodes and waited < DECISION_TIME):
            attempt.retry(now, UNKNOWN_HOLDER_RETRY)
            return []
        if nodes and waited < self._lease + 2 * RENEW_INTERVAL:
            asked = attempt.ask_holders(nodes, self._count_answers)
            if asked is not None:
                attempt.retry(now, SILENT_RETRY)
                return [AnswersWanted(asked)] if asked else []
        del self._attempts[own]
        return [RegisterRefused(attempt.row.token, status)]

    def _refuse(self, own: OwnKey, status: str) -> RegisterRefused:
        attempt = self._attempts.pop(own)
        self._removing[*own, attempt.row.token] = None
        return RegisterRefused(attempt.row.token, status)

    def _on_restated(self, answer: Answer, now: float) -> list[Outcome]:
        """Stop holding the callees that were lost to other sessions, and retry the undecided REGISTERs."""
        self._ledger = answer.ledger
        for attempt in self._attempts.values():
            attempt.retry(now, 0)
        outcomes: list[Outcome] = []
        for field in answer.names:
            key = parse_callee_field(field)
            if self._held.pop((key.registration.name, key.session), None) is not None:
                outcomes.append(CalleeRevoked(key.registration, key.session))
        return outcomes

    def _on_own_callee(self, key: CalleeKey, row: CalleeRow) -> Sequence[Outcome]:
        """Handle a callee of this node in the table: complete its REGISTER, or remove it if it should not exist."""
        own = (key.registration.name, key.session)
        attempt = self._attempts.get(own)
        if attempt is not None and attempt.row.token == row.token:
            del self._attempts[own]
            self._held[own] = replace(attempt.row, number=row.number)
            return [RegisterCompleted(row.token)]
        held = self._held.get(own)
        if held is not None and held.token == row.token:
            self._held[own] = replace(held, number=row.number)
        elif not self._is_removing(own, row.token):
            self._removing[*own, row.token] = None
        return []

    @property
    def _can_change(self) -> bool:
        """Whether the node may send changes. While it restates its rows, further changes wait."""
        return self.is_joined and not (self._is_leaving or self._must_restate or self._is_restating)

    @property
    def _is_restating(self) -> bool:
        return any(isinstance(request, RestateRequest) for request, _ in self._in_flight)

    def _is_removing(self, own: OwnKey, token: int) -> bool:
        callee = (*own, token)
        sent = (request.callees for request, _ in self._in_flight if isinstance(request, UnregisterRequest))
        return callee in self._removing or any(callee in callees for callees in sent)
