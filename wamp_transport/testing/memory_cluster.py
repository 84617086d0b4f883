"""Several nodes in memory that form one router, for wampnode's own tests.

    nodes = MemoryCluster(anonymous_options("realm1"), size=3)
    alice, bob = nodes.join("realm1"), nodes.join("realm1")  # on the first and on the second node

Unless the test sets ``is_immediate`` to False, the messages between the nodes are delivered as soon as they are sent.
Otherwise they wait until the test calls ``deliver``.
"""

from collections import deque
from collections.abc import Iterator
from itertools import count, cycle

from ..cluster.ledger.memory import MemoryLedger
from ..router.decisions import Answer
from ..router.effects import AuthenticationRequest, AuthorizationRequest, Relay, SilentRefusal
from ..router.options import RouterOptions, ServiceOptions
from ..router.records import REQUEST_KEY
from ..router.relay import Cluster
from ..router.relayed import InterestPage, RelayedCall, RelayedMessage, WantRetained
from ..router.router import Router
from .memory import FIRST_PUBLICATION_ID, FIRST_SESSION_ID, OPEN_SERVICE, MemoryNode, MemoryPeer
from .memory_ledger import LedgerEffect, NodeLedger


class MemoryLinks:
    """Nodes that exchange messages and share a ledger. A node's *place* is its index in ``nodes``."""

    def __init__(self, options: RouterOptions, size: int) -> None:
        self.options = options
        self.session_ids: Iterator[int] = count(FIRST_SESSION_ID)
        self.publication_ids: Iterator[int] = count(FIRST_PUBLICATION_ID)
        self.is_immediate = True
        self.nodes: list[MemoryNode] = []
        self._queues: dict[tuple[int, int], deque[tuple[RelayedMessage | list[InterestPage], int]]] = {}
        """The undelivered messages, by sender and receiver. A message can be a snapshot of the sender's interest. It is
        stored with the number of the sender's latest announcement that the receiver knows after handling it."""
        self._acknowledged: dict[tuple[int, int], int] = {}
        """The number of the sender's latest announcement that the receiver has received, by sender and receiver."""
        self.full: set[tuple[int, int]] = set()
        """The (sender, receiver) pairs for which the sender cannot send new calls."""
        self._is_delivering = False
        self.ledger = MemoryLedger()
        self.ledgers: dict[int, NodeLedger] = {}
        """Each node's side of the ledger, by its place in ``nodes``."""
        for _ in range(size):
            self.add_node()

    # --- links -----------------------------------------------------------------------------------------------------

    def add_node(self) -> MemoryNode:
        """Start another node and make it known to the others."""
        place = len(self.nodes)
        node = MemoryNode(self.options, self)
        self.nodes.append(node)
        for other in range(place):
            for sender, receiver in ((place, other), (other, place)):
                self._queues[sender, receiver] = deque()
                self._acknowledged[sender, receiver] = 0
                self._cluster(sender).add_member(str(receiver))
                self.send_interest(sender, receiver)
        self.ledgers[place] = NodeLedger(str(place), node, self.ledger)
        for each in self.nodes:
            each.run_effects()
        return node

    def remove_node(self, place: int) -> None:
        """Remove a node from the cluster. It loses its peers, and messages that were not delivered are lost."""
        self._queues = {pair: queue for pair, queue in self._queues.items() if place not in pair}
        self._acknowledged = {pair: number for pair, number in self._acknowledged.items() if place not in pair}
        self.full = {pair for pair in self.full if place not in pair}
        self.ledgers.pop(place).remove()
        for other, node in enumerate(self.nodes):
            if other not in self.ledgers:
                continue
            self.ledgers[other].read()
            self._cluster(other).remove_member(str(place))
            self._report_known(other)
            node.run_effects()

    def send_interest(self, sender: int, receiver: int) -> None:
        """Send the complete interest of a node to another node."""
        cluster = self._cluster(sender)
        pages = [InterestPage(realm, changes, False, False) for realm, changes in cluster.interest().items()]
        self._queues[sender, receiver].append((pages, cluster.announcements.last))

    def lose_messages(self, place: int, other: int) -> None:
        """Drop all undelivered messages between two nodes. Calls between them fail. Both send their interest again."""
        for sender, receiver in ((place, other), (other, place)):
            self._queues[sender, receiver].clear()
            for realm, calls in self._cluster(sender).calls.realms.items():
                for call_id in list(calls.nodes[str(receiver)].sent if str(receiver) in calls.nodes else ()):
                    self._cluster(sender).calls.call_failed(str(receiver), realm, call_id)
            for realm, calls in self._cluster(receiver).calls.realms.items():
                for key in list(calls.nodes[str(sender)].received if str(sender) in calls.nodes else ()):
                    self._cluster(receiver).calls.call_interrupted(str(sender), realm, key ^ REQUEST_KEY)
            self.send_interest(sender, receiver)
        for each in (place, other):
            self.nodes[each].run_effects()

    def send_retained(self, sender: int, receiver: int) -> None:
        """Make a node send its retained events to another node."""
        self._cluster(sender).receive(str(receiver), WantRetained())
        self.nodes[sender].run_effects()

    def send(self, sender: MemoryNode, effect: Relay) -> None:
        """Queue a message from a node for other nodes."""
        place = self.nodes.index(sender)
        message = effect.message
        for name in effect.members:
            pair = place, int(name)
            if pair in self.full and isinstance(message, RelayedCall):
                self._cluster(place).calls.call_not_sent(name, message.realm, message.call_id)
            elif pair in self._queues:
                self._queues[pair].append((message, effect.interest))

    def change_ledger(self, sender: MemoryNode, effect: LedgerEffect) -> None:
        """Carry out an effect about the registrations that the nodes share."""
        ledger = self.ledgers.get(self.nodes.index(sender))
        if ledger is not None:
            ledger.run(effect)

    def on_idle(self) -> None:
        """Deliver all messages, unless the test delivers them itself. A node calls this when it has no more work."""
        if self.is_immediate and not self._is_delivering:
            self.deliver_all()

    def waiting(self) -> list[tuple[int, int]]:
        """Return the (sender, receiver) pairs that have undelivered messages."""
        return [pair for pair, queue in self._queues.items() if queue]

    def deliver(self, sender: int, receiver: int) -> None:
        """Deliver the oldest undelivered message from one node to another, and acknowledge it. There must be one.

        The receiver reads the log of the ledger first.
        """
        self.read_log(receiver)
        message, number = self._queues[sender, receiver].popleft()
        if isinstance(message, list):
            self._cluster(receiver).replace_interest(str(sender), message)
        else:
            self._cluster(receiver).receive(str(sender), message)
        self.nodes[receiver].run_effects()
        if number:
            self._acknowledged[sender, receiver] = number
            self._report_known(sender)

    def read_log(self, place: int) -> bool:
        """Make a node read the log of the ledger. Return whether there were new entries."""
        ledger = self.ledgers.get(place)
        if ledger is None:
            return False
        is_new = ledger.read()
        self.nodes[place].run_effects()
        return is_new

    def work(self, place: int) -> bool:
        """Make the ledger carry out the requests of a node. Return False if there were none."""
        is_working = self.ledgers[place].work()
        self.nodes[place].run_effects()
        return is_working

    def deliver_all(self) -> None:
        """Deliver messages and carry out requests to the ledger until there are no more."""
        self._is_delivering = True
        try:
            while self._deliver_some():
                pass
        finally:
            self._is_delivering = False

    def _deliver_some(self) -> bool:
        is_working = any([self.work(place) for place in self.ledgers])
        is_working |= any([self.read_log(place) for place in self.ledgers])
        waiting = self.waiting()
        if waiting:
            self.deliver(*waiting[0])
        return is_working or bool(waiting)

    def _cluster(self, place: int) -> Cluster:
        cluster = self.nodes[place].router.cluster
        assert cluster is not None  # noqa: S101 - a node with a link has a cluster
        return cluster

    def _report_known(self, sender: int) -> None:
        """Report to a node the number of its latest announcement that all other nodes have received."""
        numbers = [number for (place, _), number in self._acknowledged.items() if place == sender]
        self.nodes[sender].on_interest_known(min(numbers, default=self._cluster(sender).announcements.last))


NODE_ATTRIBUTES = frozenset({"random", "runs_cleanup", "stores_records"})
"""The attributes of :class:`.MemoryNode` that a test can also set for a whole cluster."""


class MemoryCluster(MemoryLinks):
    """A cluster that tests of clients can use in place of one node. It connects each new peer to the next node in turn.

    It has the methods of :class:`.MemoryNode` that such tests need.
    """

    def __init__(self, options: RouterOptions, size: int) -> None:
        super().__init__(options, size)
        self._places = cycle(range(size))

    def connect(self, serializer: str = "json", service: ServiceOptions = OPEN_SERVICE) -> MemoryPeer:
        """Return a new peer with an open transport to the next node. It has not sent HELLO yet."""
        return self.nodes[next(self._places)].connect(serializer, service)

    def join(self, realm: str, serializer: str = "json", service: ServiceOptions = OPEN_SERVICE) -> MemoryPeer:
        """Return a new peer with a session on the next node."""
        return self.nodes[next(self._places)].join(realm, serializer, service)

    def leave(self, peer: MemoryPeer, reason: str, message: str = "") -> None:
        """Make the router close a peer's session."""
        peer.node.leave(peer, reason, message)

    def pass_time(self, seconds: float) -> None:
        """Advance the clocks of all nodes."""
        for node in self.nodes:
            node.now += seconds
        for place, node in enumerate(self.nodes):
            if place in self.ledgers:
                self.ledgers[place].pass_time()
            node.pass_time(0)

    def configure(self, options: RouterOptions) -> None:
        """Apply new options to all nodes."""
        self.options = options
        for node in self.nodes:
            node.configure(options)

    def run_cleanup(self) -> None:
        """Make all routers remove the subscriptions and registrations of closed sessions."""
        for node in self.nodes:
            node.run_cleanup()
            node.run_effects()

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute of the cluster or, if its name is in NODE_ATTRIBUTES, of each node."""
        if name in NODE_ATTRIBUTES:
            for node in self.nodes:
                setattr(node, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def questions(self) -> list[AuthenticationRequest | AuthorizationRequest]:
        """The open requests to authenticators and authorizers."""
        return [question for node in self.nodes for question in node.questions]

    def decide(self, answer: Answer, question: AuthenticationRequest | AuthorizationRequest | int = 0) -> None:
        """Answer an open request; see :meth:`.MemoryNode.decide`."""
        if isinstance(question, int):
            question = self.questions[question]
        for node in self.nodes:
            if question in node.questions or question.session_id in node.router.sessions:
                node.decide(answer, question)
                return

    @property
    def routers(self) -> list[Router]:
        """The routers of all nodes."""
        return [node.router for node in self.nodes]

    @property
    def silent_refusals(self) -> list[SilentRefusal]:
        """The refused requests whose senders did not ask for an answer."""
        return [refusal for node in self.nodes for refusal in node.silent_refusals]
