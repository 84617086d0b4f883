"""A router and its peers in memory, for wampnode's own tests. They exchange bytes without a network or delay.

    node = MemoryNode(anonymous_options("realm1"))
    alice = node.connect("json")
    alice.join("realm1")
    alice.send([32, 1, {}, "com.example.topic"])
    assert alice.receive()[0] == 33

A node drives a real :class:`~wamp_transport.router.router.Router` through the real serializers. When ``send`` returns,
all effects of the message have been carried out. Time passes only when the test calls ``pass_time``.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol

from ..router.deadlines import Deadlines
from ..router.decisions import Answer
from ..router.effects import (
    AuthenticationRequest,
    AuthorizationRequest,
    AwaitNextHello,
    Close,
    Effect,
    Hold,
    Pause,
    Produce,
    Record,
    Relay,
    ReleaseRegistration,
    RequestRegistration,
    Resume,
    Send,
    SilentRefusal,
    StopSending,
    Withdraw,
)
from ..router.environment import Environment
from ..router.options import AnonymousLogin, RealmOptions, RoleOptions, RouterOptions, ServiceOptions
from ..router.remote_calls import RemoteCalls
from ..router.router import Router
from ..serializers.registry import SERIALIZERS, is_deeper, serialize, values_of
from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.messages import Message
from . import wire_codecs

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""The time at which a node's clock starts."""

FIRST_SESSION_ID = 1_000_000_001
FIRST_PUBLICATION_ID = 2_000_000_001

ALL_ROLES: dict[str, Any] = {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}

OPEN_SERVICE = ServiceOptions("memory", AnonymousLogin())
"""A service on which all clients join as ``anonymous``."""


def anonymous_options(*realms: str, **options: Any) -> RouterOptions:
    """Return the options for a router with these realms. The role ``anonymous`` may do everything."""
    roles = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
    return RouterOptions(realms={name: RealmOptions(name, roles) for name in realms}, **options)


def take_effects(router: Router) -> list[Effect]:
    """Remove all effects from the router's outbox and return them, in order."""
    effects = router.outbox[:]
    router.outbox.clear()
    return effects


class MemoryLink(Protocol):
    """The connection of a node to other nodes.

    The ids of sessions and publications come from common iterators, so that no two nodes assign the same id.
    """

    session_ids: Iterator[int]
    publication_ids: Iterator[int]

    def send(self, sender: "MemoryNode", effect: Relay) -> None:
        """Send a message from a node to other nodes."""

    def change_ledger(self, sender: "MemoryNode", effect: RequestRegistration | ReleaseRegistration | Withdraw) -> None:
        """Carry out an effect about the table of registrations that the nodes share."""

    def on_idle(self) -> None:
        """Called when a node has carried out all its effects."""


class MemoryNode:
    """A router whose clock the test advances.

    The router uses consecutive IDs, and the attribute ``random`` instead of random numbers. If ``runs_cleanup`` is
    False, the subscriptions and registrations of closed sessions are kept until :meth:`run_cleanup` is called.

    - ``questions`` contains the open requests to authenticators and authorizers, in order. A test answers them with
      :meth:`decide`.
    - ``records`` contains the events to store in durable histories. By default, the node reports to the router
      immediately that they are stored. To prevent this, set ``stores_records`` to False.
    - ``silent_refusals`` contains the refused requests whose senders did not ask for an answer.

    ``link`` connects the node with others; see :class:`~wamp_transport.testing.memory_cluster.MemoryCluster`.
    """

    runs_cleanup = True

    def __init__(self, options: RouterOptions, link: "MemoryLink | None" = None) -> None:
        session_ids = link.session_ids if link else count(FIRST_SESSION_ID)
        publication_ids = link.publication_ids if link else count(FIRST_PUBLICATION_ID)
        self._link = link
        self._held: list[MemoryPeer] = []
        self.now = 0.0
        self.records: list[Record] = []
        self.stores_records = True
        self.silent_refusals: list[SilentRefusal] = []
        self.questions: list[AuthenticationRequest | AuthorizationRequest] = []
        self.random = 0
        self.router = Router(
            options,
            Environment(
                clock=lambda: self.now,
                utc_now=lambda: EPOCH + timedelta(seconds=self.now),
                time_from=datetime.fromisoformat,
                next_millisecond=lambda time: time + timedelta(milliseconds=1),
                new_session_id=lambda: next(session_ids),
                new_publication_id=lambda: next(publication_ids),
                random_below=lambda end: self.random % end,
                values_of=values_of,
                serialize=serialize,
                is_deeper=is_deeper,
                deadlines=Deadlines(lambda: self.now),
            ),
            is_clustered=link is not None,
        )
        self.peers: dict[int, MemoryPeer] = {}
        self._leaving: dict[int, MemoryPeer] = {}
        self._paused: list[MemoryPeer] = []

    def connect(self, serializer: str = "json", service: ServiceOptions = OPEN_SERVICE) -> "MemoryPeer":
        """Return a new peer with an open transport. It has not sent HELLO yet."""
        peer = MemoryPeer(self, serializer, service)
        self.open_session(peer)
        return peer

    def join(self, realm: str, serializer: str = "json", service: ServiceOptions = OPEN_SERVICE) -> "MemoryPeer":
        """Return a new peer with a session in ``realm``."""
        peer = self.connect(serializer, service)
        peer.join(realm)
        return peer

    def pass_time(self, seconds: float) -> None:
        """Advance the clock, handle the deadlines that have passed, and carry out their effects."""
        self.now += seconds
        self.router.advance(self.now)
        self.run_effects()

    def configure(self, options: RouterOptions) -> None:
        """Apply new options to the running router."""
        self.router.configure(options)
        self.run_effects()

    def decide(self, answer: Answer, question: AuthenticationRequest | AuthorizationRequest | int = 0) -> None:
        """Answer an open request to an authenticator or authorizer.

        ``question`` is the request, or its index in ``questions``.
        """
        if isinstance(question, int):
            question = self.questions[question]
        if question in self.questions:
            self.questions.remove(question)
        self.router.decide(question.ticket, answer)
        self.run_effects()

    def leave(self, peer: "MemoryPeer", reason: str, message: str = "") -> None:
        """Make the router close a peer's session."""
        self.router.leave(peer.session_id, reason, message)
        self.run_effects()

    def open_session(self, peer: "MemoryPeer") -> None:
        """Prepare a peer for a new session. The peer can then send HELLO."""
        peer.session_id = self.router.open_session(peer.service, peer.serializer)
        self.peers[peer.session_id] = peer

    def lost(self, peer: "MemoryPeer") -> None:
        """Close the session of a peer whose transport was lost."""
        self.peers.pop(peer.session_id, None)
        self._leaving.pop(peer.session_id, None)
        self.router.close_session(peer.session_id)
        self.run_effects()

    def run_effects(self) -> None:
        """Carry out the router's effects, such as sending messages, in order."""
        while (
            (effects := take_effects(self.router)) or (self.runs_cleanup and self.router.has_cleanup) or self._read_on()
        ):
            for effect in effects:
                self._run(effect)
            if self.runs_cleanup:
                self.run_cleanup()
        if self._link is not None:
            self._link.on_idle()

    def on_interest_known(self, number: int) -> None:
        """Send the messages that were held back until the announcements up to ``number`` were acknowledged.

        See :class:`~wamp_transport.router.effects.Hold`.
        """
        assert self.router.cluster is not None  # noqa: S101 - only nodes with a link have holds
        self.router.cluster.announcements.on_known(number)
        for peer in self._held:
            if peer.hold <= number:
                peer.release()
        self._held = [peer for peer in self._held if peer.hold]

    @property
    def routers(self) -> list[Router]:
        """The routers: one for a node, several for a :class:`.MemoryCluster`."""
        return [self.router]

    @property
    def remote_calls(self) -> RemoteCalls:
        """The calls and registrations that the node shares with others. The node must have a link."""
        assert self.router.cluster is not None  # noqa: S101 - fails the test
        return self.router.cluster.calls

    def run_cleanup(self) -> None:
        """Make the router remove all subscriptions and registrations of closed sessions."""
        while self.router.has_cleanup:
            self.router.run_cleanup(100)

    def _read_on(self) -> bool:
        """Pass to the router one message that a peer sent while it was paused. Return False if there is none."""
        for peer in self._paused:
            if not peer.is_paused and peer.unread:
                peer.deliver(peer.unread.popleft())
                return True
        self._paused = [peer for peer in self._paused if peer.is_paused]
        return False

    def _run(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            for session_id in effect.recipients:
                if session_id in self.peers:
                    self._send(self.peers[session_id], effect.message, effect.payload_format)
        elif isinstance(effect, Produce):
            self._produce(effect)
        elif isinstance(effect, AwaitNextHello):
            self.open_session(self.peers.pop(effect.session_id))
        elif isinstance(effect, StopSending):
            self._leaving[effect.session_id] = self.peers.pop(effect.session_id)
        elif isinstance(effect, Record):
            self._record(effect)
        elif isinstance(effect, SilentRefusal):
            self.silent_refusals.append(effect)
        elif isinstance(effect, AuthenticationRequest | AuthorizationRequest | Withdraw):
            self._ask(effect)
        elif isinstance(effect, Close):
            self._close(effect)
        else:
            self._run_rare(effect)

    def _run_rare(self, effect: Effect) -> None:
        if isinstance(effect, Pause | Resume):
            self._pause(effect)
        elif isinstance(effect, Hold):
            self._hold(effect)
        elif isinstance(effect, Relay) and self._link is not None:
            self._link.send(self, effect)
        elif isinstance(effect, RequestRegistration | ReleaseRegistration) and self._link is not None:
            self._link.change_ledger(self, effect)

    def _record(self, effect: Record) -> None:
        self.records.append(effect)
        if self.stores_records:
            self.router.on_recorded(effect, is_stored=True)

    def _produce(self, effect: Produce) -> None:
        """Send all messages of a large answer immediately, because the inbox of a peer in memory has no limit."""
        for send in effect.messages:
            if send is not None:
                self._run(send)

    def _ask(self, effect: AuthenticationRequest | AuthorizationRequest | Withdraw) -> None:
        if isinstance(effect, Withdraw):
            self.questions = [each for each in self.questions if each.ticket != effect.ticket]
            if self._link is not None:
                self._link.change_ledger(self, effect)
        else:
            self.questions.append(effect)

    def _pause(self, effect: Pause | Resume) -> None:
        peer = self.peers.get(effect.session_id)
        if peer is not None:
            peer.is_paused = isinstance(effect, Pause)
            if peer.is_paused:
                self._paused.append(peer)

    def _hold(self, effect: Hold) -> None:
        peer = self.peers.get(effect.session_id)
        if peer is not None:
            peer.hold = max(peer.hold, effect.interest)
            self._held.append(peer)

    def _send(self, peer: "MemoryPeer", message: Message, payload_format: str) -> None:
        queue = peer.held if peer.hold else peer.inbox
        try:
            queue.append(SERIALIZERS[peer.serializer].encode(message, payload_format))
        except PayloadError as fault:
            self.router.on_undeliverable(peer.session_id, message, fault)

    def _close(self, effect: Close) -> None:
        peer = self.peers.pop(effect.session_id, None) or self._leaving.pop(effect.session_id)
        peer.release()
        peer.is_closed = True
        peer.close_reason, peer.close_message = effect.reason, effect.message


class MemoryPeer:
    """The client's end of a transport.

    ``inbox`` contains the messages that the test has not read yet, as bytes. ``close_reason`` is the URI with which the
    router closed the transport; None while it is open. ``unread`` contains the messages that the router has not read
    yet, because the test sent them while ``is_paused`` was true. ``held`` contains the messages that the node has not
    sent yet, because other nodes have not acknowledged the announcement with the number ``hold``.
    """

    def __init__(self, node: MemoryNode, serializer: str, service: ServiceOptions) -> None:
        self.node = node
        self.serializer = serializer
        self.service = service
        self.session_id = 0
        self.inbox: deque[bytes] = deque()
        self.is_closed = False
        self.close_reason: str | None = None
        self.close_message = ""
        self.is_paused = False
        self.unread: deque[bytes] = deque()
        self.hold = 0
        self.held: list[bytes] = []

    def send(self, message: list[Any]) -> None:
        """Encode and send a message, given as a list of Python values."""
        self.send_bytes(wire_codecs.dump(self.serializer, message))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes. They are discarded if the transport is closed."""
        if self.is_closed:
            return
        if self.is_paused:
            self.unread.append(data)
            return
        self.deliver(data)
        self.node.run_effects()

    def deliver(self, data: bytes) -> None:
        """Decode a message and pass it to the router."""
        try:
            message = SERIALIZERS[self.serializer].decode(data)
        except ProtocolViolation as violation:
            self.node.router.violate(self.session_id, str(violation))
        else:
            self.node.router.receive(self.session_id, message)

    def release(self) -> None:
        """Add the held messages to the inbox."""
        self.inbox.extend(self.held)
        self.held.clear()
        self.hold = 0

    def receive_bytes(self) -> bytes:
        """Return the oldest unread message as bytes. Raises AssertionError if there is none."""
        assert self.inbox, "no message has come"  # noqa: S101 - fails the test
        return self.inbox.popleft()

    def receive(self) -> list[Any]:
        """Return the oldest unread message as a list of Python values. Raises AssertionError if there is none."""
        message = wire_codecs.load(self.serializer, self.receive_bytes())
        assert isinstance(message, list)  # noqa: S101 - fails the test
        return message

    def receive_all(self) -> list[list[Any]]:
        """Return all unread messages as lists of Python values."""
        return [self.receive() for _ in range(len(self.inbox))]

    def request(self, message: list[Any]) -> list[Any]:
        """Send a message and return the reply."""
        self.send(message)
        return self.receive()

    def join(self, realm: str, **details: Any) -> list[Any]:
        """Open a session, with all roles unless ``details`` contains others. Return the WELCOME message."""
        welcome = self.request([1, realm, {"roles": ALL_ROLES, **details}])
        assert welcome[0] == 2, f"no WELCOME but {welcome}"  # noqa: S101 - fails the test
        return welcome

    def lose(self) -> None:
        """Disconnect the transport without a closing handshake."""
        if not self.is_closed:
            self.is_closed = True
            self.node.lost(self)
