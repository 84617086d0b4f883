"""Members of a cluster in one event loop, for tests with a real Redis."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from wamp_transport.cluster import link_events
from wamp_transport.cluster.keys import ClusterKeys
from wamp_transport.cluster.ledger.client import CalleeRevoked, NodeRemoved, Outcome, RegisterCompleted, RegisterRefused
from wamp_transport.cluster.ledger.layout import MemberRecord, RegistrationKey
from wamp_transport.cluster.ledger.table import MemberJoined, MemberLeft, TableChange
from wamp_transport.cluster.link import DEFAULT_SIZES
from wamp_transport.cluster.member import ClusterMember
from wamp_transport.cluster.redis_address import RedisAddress
from wamp_transport.cluster.window import LinkSizes
from wamp_transport.router.relayed import RelayedEvent
from wamp_transport.wamp.messages import PublishOptions

KEYS = ClusterKeys("test", "secret")
DEADLINE = 20.0
_numbers = count(1)


class Node:
    """A member and its handler, which records what is reported.

    ``received`` contains the publication ids of the events by peer. ``reports`` contains everything in order.
    """

    def __init__(
        self,
        url: str,
        *,
        lease: float = 10.0,
        keys: ClusterKeys = KEYS,
        sizes: LinkSizes = DEFAULT_SIZES,
        protocols: tuple[int, int] = (1, 1),
    ) -> None:
        self.name = f"n{os.getpid()}x{next(_numbers)}"
        self.received: dict[str, list[int]] = defaultdict(list)
        self.payloads: list[bytes] = []
        self.members: set[str] = set()
        self.open: set[str] = set()
        self.registered: set[int] = set()
        self.refused: dict[int, str] = {}
        self.revoked: list[tuple[RegistrationKey, int]] = []
        self.is_removed = False
        self.lost = 0
        self.problems: list[str] = []
        self.recoveries = 0
        self.published = 0
        record = MemberRecord(self.name, protocols, round(lease * 1000))
        self.member = ClusterMember(RedisAddress(url), keys, self.name, record, lease, self, sizes)
        self.link = self.member.link

    # --- handler ---------------------------------------------------------------------------------------------------

    def on_table_changes(self, changes: Sequence[TableChange]) -> None:
        for change in changes:
            if isinstance(change, MemberJoined):
                self.members.add(change.node)
            elif isinstance(change, MemberLeft):
                self.members.discard(change.node)

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case RegisterCompleted(token):
                    self.registered.add(token)
                case RegisterRefused(token, status):
                    self.refused[token] = status
                case CalleeRevoked(key, session):
                    self.revoked.append((key, session))
                case NodeRemoved():
                    self.is_removed = True
                case _:
                    pass

    def on_link_events(self, events: Sequence[link_events.LinkEvent]) -> None:
        for event in events:
            if isinstance(event, link_events.SnapshotWanted):
                self.link.send_snapshot(event.peer, {})
            elif isinstance(event, link_events.PeerOpened):
                self.open.add(event.peer)
            elif isinstance(event, link_events.PeerGone):
                self.open.discard(event.peer)
            elif isinstance(event, link_events.BatchesLost):
                self.lost += event.count
            elif isinstance(event, link_events.Received) and isinstance(event.message, RelayedEvent):
                self.received[event.peer].append(event.message.publication_id)
                self.payloads.append(event.message.args)

    def on_unreachable(self, reason: str) -> None:
        self.problems.append(reason)

    def on_reachable(self) -> None:
        self.recoveries += 1

    # --- what the sessions of the node do --------------------------------------------------------------------------

    def publish(self, times: int = 1, payload: bytes = b"") -> None:
        """Send events with the next ids to all peers."""
        for _ in range(times):
            self.published += 1
            options, number = PublishOptions(), self.published
            event = RelayedEvent(
                "realm", number, None, "com.topic", 1, "ann", "user", None, False, options, "json", payload
            )  # fmt: skip
            self.link.send_event(list(self.link.peers), event)
        self.member.flush_soon()

    def register(self, uri: str, session: int = 1, policy: str = "single", *, is_forced: bool = False) -> int | None:
        key, now = RegistrationKey("realm", "exact", uri), asyncio.get_running_loop().time()
        token = self.member.ledger.register(key, session, policy, "then", b"d", now, is_forced=is_forced)
        self.member.flush_soon()
        return token

    def unregister(self, uri: str, session: int = 1) -> None:
        self.member.ledger.unregister(RegistrationKey("realm", "exact", uri), session)
        self.member.flush_soon()

    def callees(self, uri: str) -> list[tuple[str, int]]:
        """Return the callees of a procedure in the node's table: node and session."""
        found = self.member.table.callees.get(RegistrationKey("realm", "exact", uri), {})
        return sorted((key.node, key.session) for key in found)


@asynccontextmanager
async def nodes(*urls: str, **options: Any) -> AsyncIterator[list[Node]]:
    """Start one node for each URL, and wait until all have joined and know each other."""
    found = [Node(url, **options) for url in urls]
    try:
        for node in found:
            node.member.start()
        names = {node.name for node in found}
        await until(lambda: all(node.member.is_joined for node in found), "all nodes have joined")
        await until(lambda: all(node.open == names - {node.name} for node in found), "all nodes know each other")
        yield found
    finally:
        for node in found:
            await node.member.close()


async def until(condition: Callable[[], Any], what: str, seconds: float = DEADLINE) -> None:
    """Let the event loop run until a condition is true."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, f"not within {seconds} seconds: {what}"
        await asyncio.sleep(0.002)
