"""Several nodes with the ledger in memory: a simulation in which requests, answers and log entries can be late or lost.

Each node has a connection to the ledger: a queue of requests that were not carried out yet, and a queue of answers that
have not arrived yet. The time is simulated too.
"""

from collections import Counter, deque
from collections.abc import Iterable
from itertools import count

from wamp_transport.cluster.ledger.client import (
    AnswersWanted,
    CalleeRevoked,
    Joined,
    LedgerClient,
    MembersRemoved,
    NodeRemoved,
    Outcome,
    RegisterCompleted,
    RegisterRefused,
    TableChanged,
)
from wamp_transport.cluster.ledger.layout import CALLEE, CalleeKey, CalleeRow, RegistrationKey, node_of
from wamp_transport.cluster.ledger.memory import MemoryLedger
from wamp_transport.cluster.ledger.operations import Answer, Request
from wamp_transport.cluster.ledger.table import (
    CalleeAdded,
    CalleeRemoved,
    LedgerTable,
    MemberJoined,
    MemberLeft,
    TableChange,
)

LEASE = 10.0
STEP = 0.25

Own = tuple[RegistrationKey, int]


class Node:
    """A node, with what its core knows: members and callees from the table, and its own callees from the outcomes."""

    def __init__(self, cluster: "Cluster", name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.table = LedgerTable(name)
        self.client = LedgerClient(name, b"record", LEASE, self.table, self.answers, cluster.new_id)
        self.is_alive = self.is_connected = True
        self.requests: deque[Request] = deque()
        self.answers: deque[Answer] = deque()
        self.snapshot: tuple[dict[bytes, bytes], dict[bytes, bytes]] | None = None
        self.members: set[str] = set()
        self.callees: dict[CalleeKey, CalleeRow] = {}
        self.own: dict[Own, str] = {}
        self.tokens: dict[Own, int] = {}
        self.undecided: dict[int, tuple[Own, str]] = {}
        self.refused: list[str] = []

    def answers(self, name: str) -> int | None:
        """Return how many questions of this node another one has answered."""
        return None if name == self.name else self.cluster.answers.get(name, 0)

    # --- sessions --------------------------------------------------------------------------------------------------

    def register(self, key: RegistrationKey, session: int, policy: str, *, is_forced: bool) -> None:
        if (key, session) in self.own or any(own == (key, session) for own, _ in self.undecided.values()):
            return
        now = self.cluster.time
        token = self.client.register(key, session, policy, "then", b"details", now, is_forced=is_forced)
        if token is not None:
            self.undecided[token] = ((key, session), policy)

    def unregister(self, key: RegistrationKey, session: int) -> None:
        self.client.unregister(key, session)
        self.own.pop((key, session), None)
        self.undecided = {token: each for token, each in self.undecided.items() if each[0] != (key, session)}

    # --- connection ------------------------------------------------------------------------------------------------

    def send(self) -> None:
        self.handle(self.client.advance(self.cluster.time))
        if self.is_connected:
            if self.name in self.cluster.asked:
                self.answer_question()
            self.requests += self.client.next_requests(self.cluster.time)
        assert self.client.next_deadline() > self.cluster.time

    def answer_question(self) -> None:
        self.cluster.asked.discard(self.name)
        self.cluster.answers[self.name] += 1

    def execute(self, limit: int = 1000) -> None:
        """Let the ledger carry out the next requests."""
        for _ in range(min(limit, len(self.requests))):
            self.answers.append(self.cluster.run(self.requests.popleft()))

    def receive(self) -> None:
        while self.answers and self.is_alive:
            self.handle(self.client.on_answer(self.answers.popleft(), self.cluster.time))
            if self.client.is_removed:
                self.is_alive = False
                self.cluster.start()

    def read_log(self) -> None:
        if self.is_connected and self.client.is_joined:
            changes = self.table.apply(self.cluster.ledger.entries(self.table.read_position))
            self.change_core(changes)
            self.handle(self.client.on_changes(changes, self.cluster.time))

    def read_snapshot(self) -> None:
        """Request a snapshot, or receive the requested one. The ledger can change between the two."""
        if not self.is_connected or not self.table.needs_snapshot or not self.client.is_joined:
            return
        if self.snapshot is None:
            self.snapshot = dict(self.cluster.ledger.members), dict(self.cluster.ledger.rows)
            return
        snapshot, self.snapshot = self.snapshot, None
        changes = self.table.replace(*snapshot)
        self.change_core(changes)
        self.handle(self.client.on_snapshot(changes, self.cluster.time))

    def disconnect(self, executed: int = 0, late: int = 0) -> None:
        """Lose the connection: some requests are carried out, some are carried out later, and the rest is lost."""
        self.execute(executed)
        self.cluster.late += list(self.requests)[:late]
        self.requests.clear()
        self.answers.clear()
        self.snapshot = None
        self.client.on_disconnected(self.cluster.time)

    # --- core ------------------------------------------------------------------------------------------------------

    def change_core(self, changes: Iterable[TableChange]) -> None:
        for change in changes:
            match change:
                case MemberJoined(node):
                    assert node not in self.members
                    self.members.add(node)
                case MemberLeft(node):
                    self.members.remove(node)
                    assert not any(key.node == node for key in self.callees)
                case CalleeAdded(key, row):
                    assert key not in self.callees
                    assert key.node in self.members
                    self.callees[key] = row
                case CalleeRemoved(key, row):
                    assert self.callees.pop(key) == row

    def handle(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case RegisterCompleted(token):
                    own, policy = self.undecided.pop(token)
                    assert own not in self.own
                    self.own[own] = policy
                    self.tokens[own] = token
                case RegisterRefused(token, status):
                    del self.undecided[token]
                    self.refused.append(status)
                case CalleeRevoked(key, session):
                    del self.own[key, session]
                case TableChanged(changes):
                    self.change_core(changes)
                case AnswersWanted(nodes):
                    self.cluster.asked.update(nodes)
                case Joined() | MembersRemoved() | NodeRemoved():
                    pass


class Cluster:
    """The nodes and the ledger. ``time`` is in seconds. ``wall`` is the wall clock of Redis in milliseconds.

    ``answers`` are the numbers of answered questions by node, and ``asked`` are the nodes that must answer one.
    """

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.time = 0.0
        self.wall = 1_700_000_000_000
        self.nodes: list[Node] = []
        self.late: list[Request] = []
        self.answers: Counter[str] = Counter()
        self.asked: set[str] = set()
        self.copies: list[MemoryLedger] = []
        self._numbers = count(1)

    def new_id(self) -> str:
        return f"{next(self._numbers):04}"

    def start(self) -> None:
        self.nodes = [node for node in self.nodes if node.is_alive]
        self.nodes.append(Node(self, f"node{self.new_id()}"))

    def run(self, request: Request) -> Answer:
        return self.ledger.run(request, self.wall)

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        self.wall += round(seconds * 1000)

    def work(self, seconds: float) -> None:
        """Let everything happen without delay for some time."""
        for _ in range(round(seconds / STEP)):
            self.pass_time(STEP)
            for node in list(self.nodes):
                for step in (node.send, node.execute, node.receive, node.read_log, node.read_snapshot):
                    if node.is_alive and node.is_connected:
                        step()
                    elif node.is_alive:
                        node.handle(node.client.advance(self.time))
        self.copies = [*self.copies[-8:], self.ledger.copy()]

    def rows_of(self, node: Node) -> set[tuple[bytes, int]]:
        """Return the ledger's callees of a node with their tokens."""
        fields = (field for field in self.ledger.rows if field.startswith(CALLEE))
        name = node.name.encode()
        return {(field, CalleeRow.decode(self.ledger.rows[field]).token) for field in fields if node_of(field) == name}
