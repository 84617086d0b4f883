"""A member of a cluster: it connects the link and the ledger of a node to Redis.

Terms:

- The *link* exchanges numbered batches of messages with the other nodes. See :mod:`.link`.
- The *ledger* is the record of all members and registrations. A node follows it with a *table*. See :mod:`.ledger`.
- The *writing connection* appends batches to the inboxes of other nodes and changes the ledger. The *reading
  connection* reads the ledger's log and the inbox of this node.
- The *handler* is the part of the node that uses the cluster.

Everything but :meth:`ClusterMember.wait_joined`, :meth:`ClusterMember.leave` and :meth:`ClusterMember.close` is
synchronous, and must be called in the thread of the event loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from secrets import token_hex
from typing import Any, Final, Protocol

import msgspec

from .connection_reports import ConnectionReports
from .inbox_deletions import InboxDeletions
from .keys import ClusterKeys
from .ledger.client import AnswersWanted, Joined, LedgerClient, MembersRemoved, NodeRemoved, Outcome, TableChanged
from .ledger.layout import MemberRecord
from .ledger.log import LogEntry, entry_id
from .ledger.operations import Answer
from .ledger.scripts import LedgerScripts
from .ledger.table import LedgerTable, MemberJoined, MemberLeft, TableChange
from .ledger_exchange import LedgerExchange
from .link import DEFAULT_SIZES, Link
from .link_events import LinkEvent
from .peer import ACKNOWLEDGE_SECONDS
from .protocol_versions import common_version, supported_versions
from .redis_address import RedisAddress
from .redis_connection import RedisConnection, UnreachableError
from .redis_reader import BLOCK_SECONDS, RedisReader
from .redis_writer import Output, RedisWriter
from .waiters import Waiters
from .window import LinkSizes

LOGGER = logging.getLogger(__name__)

COMMANDS: Final = ("DEL", "EVAL", "EVALSHA", "EXEC", "HGETALL", "MULTI", "XADD", "XREAD", "XTRIM")
"""The commands that a member sends, besides those of the scripts (:data:`.ledger.scripts.COMMANDS`) and of the login
(``AUTH``, which every user may send, and ``SELECT`` for a database number other than 0)."""

MIN_RETRY_SECONDS: Final = 0.05
MAX_RETRY_SECONDS: Final = 1.0
"""The shortest and the longest time between two attempts to connect. The time doubles after each failure."""

STABLE_SECONDS: Final = 5.0
"""If a connection was in use for this time, the next attempt again follows after the shortest time."""

SILENCE_SECONDS: Final = 2.0
"""A connection ends when Redis has owed a reply for this time. On the reading connection, the time for which a read may
block is added."""

MAX_TIMER_SECONDS: Final = 1.0
MIN_TIMER_SECONDS: Final = 0.01
"""The longest and the shortest time between two checks of all deadlines."""


class ClusterHandler(Protocol):
    """The part of a node that handles the events of the cluster.

    All methods are synchronous and must not raise exceptions. They may call the methods of the member and of its parts.
    """

    def on_table_changes(self, changes: Sequence[TableChange]) -> None:
        """Handle changes of the table: members and visible callees."""

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Handle the outcomes of requests to the ledger, except AnswersWanted and TableChanged.

        The member itself handles AnswersWanted. It reports the changes of TableChanged with :meth:`on_table_changes`.
        After the outcome NodeRemoved, the member has ended. The node must create a new one with another id.
        """

    def on_link_events(self, events: Sequence[LinkEvent]) -> None:
        """Handle events of the link. Answer a :class:`.SnapshotWanted` event before returning."""

    def on_unreachable(self, reason: str) -> None:
        """Handle the loss of a connection to Redis, or a failed attempt to connect.

        This is called again every five seconds while the problem persists.
        """

    def on_reachable(self) -> None:
        """Handle the recovery of both connections after :meth:`on_unreachable`."""


class ClusterMember:
    """The membership of a node, from :meth:`start` until :meth:`leave`, :meth:`close` or :class:`.NodeRemoved`.

    - ``link``: sends messages to other nodes with its methods ``send...``
    - ``ledger``: changes registrations with its methods ``register`` and ``unregister``
    - ``table``: the node's copy of the ledger

    After each call of one of these methods, call :meth:`flush_soon`. ``node_id`` must be a new random id. ``lease`` is
    the duration of the lease in seconds.
    """

    def __init__(
        self,
        address: RedisAddress,
        keys: ClusterKeys,
        node_id: str,
        record: MemberRecord,
        lease: float,
        handler: ClusterHandler,
        sizes: LinkSizes = DEFAULT_SIZES,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.node_id = node_id
        self.link = Link(node_id, self._loop.time(), sizes, supported_versions(record))
        self.table = LedgerTable(node_id)
        encoded = msgspec.msgpack.encode(record)
        self.ledger = LedgerClient(node_id, encoded, lease, self.table, self.link.count_answers, partial(token_hex, 8))
        self._address = address
        self._keys = keys
        self._handler = handler
        self._scripts = LedgerScripts(keys)
        self._deletions = InboxDeletions()
        self._writer: RedisWriter | None = None
        self._exchange: LedgerExchange | None = None
        self._connections: set[RedisConnection] = set()
        self._reports = ConnectionReports(handler.on_unreachable, handler.on_reachable)
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Future[Any] | None = None
        self._waiters = Waiters(self._loop, lambda: self._is_closed)
        self._has_table = asyncio.Event()
        # Whether the ledger has confirmed the membership on this writing connection, so that batches may be sent.
        self._is_confirmed = False
        # Whether no batch was appended yet on this writing connection.
        self._is_first_append = False
        self._is_reading = False
        self._is_turn_due = False
        self._is_closed = False

    # --- public ----------------------------------------------------------------------------------------------------

    @property
    def is_joined(self) -> bool:
        """Whether the node is a member, has read the table, and reads the log and its inbox."""
        return self.ledger.is_joined and self._has_table.is_set() and self._is_reading

    @property
    def is_closed(self) -> bool:
        """Whether the member has left, was removed from the ledger, or was closed."""
        return self._is_closed

    def start(self) -> None:
        """Start to connect and to join. Both are retried until they succeed."""
        self._task = asyncio.ensure_future(self._run())
        self._schedule_timer(self._loop.time())

    async def wait_joined(self) -> None:
        """Wait until :attr:`is_joined` is true, or the member has ended."""
        await self._waiters.wait(lambda: self.is_joined)

    def flush_soon(self) -> None:
        """At the end of this turn of the event loop, send everything that was passed to the link and the ledger."""
        if not self._is_turn_due and not self._is_closed:
            self._is_turn_due = True
            if self._writer is None or not self._writer.wake():
                self._loop.call_soon(self._end_turn_unconnected)

    async def leave(self) -> None:
        """Leave the cluster after the ledger has confirmed all changes of this node. Then close the connections.

        While Redis is unreachable, this method waits. Use a timeout, and call :meth:`close` if it expires.
        """
        await self._waiters.wait(lambda: self.ledger.is_idle)
        self.ledger.leave()
        self.flush_soon()
        await self._waiters.wait(lambda: self.ledger.is_removed)
        inbox = self._keys.inbox(self.node_id)
        self._deletions.add(inbox, self._loop.time(), is_immediate=True)
        self.flush_soon()
        await self._waiters.wait(lambda: not self._deletions.is_pending(inbox))
        await self.close()

    async def close(self) -> None:
        """Close the connections. The node remains a member until its lease ends, unless it has left."""
        self._end()
        if self._task is not None:
            await asyncio.wait([self._task])

    # --- connections -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_connected("writing", self._write))
            group.create_task(self._keep_connected("reading", self._read))

    async def _keep_connected(self, name: str, run: Callable[[RedisConnection], Awaitable[None]]) -> None:
        """Make a connection and use it. Repeat this, with a growing delay, until the member is closed."""
        delay = MIN_RETRY_SECONDS
        while True:
            began = self._loop.time()
            silence = SILENCE_SECONDS if name == "writing" else SILENCE_SECONDS + BLOCK_SECONDS
            connection = RedisConnection(self._address, silence)
            self._connections.add(connection)
            try:
                await run(connection)
            except UnreachableError as error:
                problem = str(error)
            except Exception as error:
                LOGGER.exception("error while using the %s connection of the cluster", name)
                problem = f"internal error: {error!r}"
            finally:
                self._connections.discard(connection)
            if self._is_closed:
                return
            now = self._loop.time()
            self._reports.add(name, problem, now)
            if now - began >= STABLE_SECONDS:
                delay = MIN_RETRY_SECONDS
            await asyncio.sleep(delay)
            delay = min(2 * delay, MAX_RETRY_SECONDS)

    async def _write(self, connection: RedisConnection) -> None:
        self._exchange = LedgerExchange(self.ledger, self._scripts, self._on_answer, self._on_snapshot)
        writer = self._writer = RedisWriter(connection, self._take_outputs)
        try:
            await writer.run()
        finally:
            self._writer = self._exchange = None
            self._is_turn_due = False
            now = self._loop.time()
            self._deletions.disconnected(now)
            if self._is_confirmed:
                self._is_confirmed = False
                self.link.connection_lost(now)
            self.ledger.on_disconnected(now)

    async def _read(self, connection: RedisConnection) -> None:
        await self._has_table.wait()
        try:
            await RedisReader(connection, self._keys, self.node_id, self, self._on_reading).run()
        finally:
            self._is_reading = False

    def _on_reading(self) -> None:
        self._is_reading = True
        self._reports.remove("reading")
        self._waiters.check()

    def _end(self) -> None:
        """End the membership, and close the connections after the current callback has returned."""
        if not self._is_closed:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()
            if self._task is not None:
                self._loop.call_soon(self._task.cancel)
            self._waiters.check()

    # --- turns -----------------------------------------------------------------------------------------------------

    # Hot path.

    def _take_outputs(self) -> list[Output]:
        """End a turn of the event loop: return all commands to send on the writing connection."""
        self._is_turn_due = True
        self._report_events()
        self._is_turn_due = False
        now = self._loop.time()
        if self._exchange is None or self._is_closed:
            return []
        outputs = self._exchange.take_outputs(now)
        inbox, on_reply = self._keys.inbox, self._on_appended
        outputs += [Output(("XADD", inbox(each.peer), "*", "b", each.data), on_reply) for each in self.link.flush(now)]
        if self._is_confirmed or self.ledger.is_removed:
            keys = self._deletions.take(now)
            if keys:
                outputs.append(Output(("DEL", *keys), partial(self._on_deleted, keys, now)))
        self._schedule_timer(now + ACKNOWLEDGE_SECONDS)
        return outputs

    def _end_turn_unconnected(self) -> None:
        """End a turn of the event loop without a writing connection that accepts commands."""
        self._is_turn_due = False
        self._report_events()
        if not self._is_confirmed:
            self.link.flush(self._loop.time())  # returns nothing, but moves the times of the next notes

    def _report_events(self) -> None:
        """Report the events of the link, and those that their handling causes."""
        while events := self.link.take_events():
            self._handler.on_link_events(events)

    def on_batch(self, data: bytes) -> None:
        """Handle an entry of the inbox."""
        self.link.receive(data, self._loop.time())
        if events := self.link.take_events():
            self._handler.on_link_events(events)
        self.flush_soon()

    def _on_appended(self, _reply: Any) -> None:
        if self._is_first_append:
            self._is_first_append = False
            self.link.connection_confirmed()
            self._reports.remove("writing")

    # End of the hot path.

    def _schedule_timer(self, when: float) -> None:
        """Check all deadlines at the time ``when`` or earlier."""
        if self._timer is not None:
            if self._timer.when() <= when or self._is_closed:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._loop.time()
        try:
            for connection in self._connections:
                connection.check(now)
            self._reports.report(now)
            self.link.advance(now)
            self._handle_outcomes(self.ledger.advance(now))
            self.flush_soon()
            self._waiters.check()
        finally:
            if not self._is_closed:
                self._schedule_timer(self._next_deadline(now))

    def _next_deadline(self, now: float) -> float:
        deadlines = [now + MAX_TIMER_SECONDS, self.ledger.next_deadline(), self.link.next_deadline()]
        if self._is_confirmed:
            deadlines.append(self._deletions.next_deadline())
            if self._exchange is not None:
                deadlines.append(self._exchange.next_deadline())
        return max(min(each for each in deadlines if each is not None), now + MIN_TIMER_SECONDS)

    # --- ledger ----------------------------------------------------------------------------------------------------

    def log_position(self) -> str:
        """Return the id of the log entry after which to continue reading."""
        return entry_id(self.table.read_position)

    def on_log(self, entries: Sequence[LogEntry]) -> None:
        """Handle entries of the log."""
        changes = self.table.apply(entries)
        self._handle_changes(changes)
        self._handle_outcomes(self.ledger.on_changes(changes, self._loop.time()))
        self.flush_soon()
        self._waiters.check()

    def _on_answer(self, answer: Answer) -> None:
        now = self._loop.time()
        outcomes = self.ledger.on_answer(answer, now)
        if not self._is_confirmed and not self.ledger.is_removed:
            # The ledger has answered the first operation on this connection. So the node is still a member, or becomes
            # one again, and the batches for others may follow.
            self._is_confirmed = True
            self.link.connection_made()
            self._is_first_append = bool(self.link.peers)
            if not self._is_first_append:
                self.link.connection_confirmed()
                self._reports.remove("writing")
        self._handle_outcomes(outcomes)
        self.flush_soon()
        self._waiters.check()

    def _on_snapshot(self, members: Mapping[bytes, bytes], rows: Mapping[bytes, bytes]) -> None:
        changes = self.table.replace(members, rows)
        self._handle_changes(changes)
        self._handle_outcomes(self.ledger.on_snapshot(changes, self._loop.time()))
        if self.table.ledger:
            self._has_table.set()
        self.flush_soon()
        self._waiters.check()

    def _handle_changes(self, changes: Sequence[TableChange]) -> None:
        """Update the peers of the link, and then report the changes."""
        if not changes:
            return
        now = self._loop.time()
        for change in changes:
            if isinstance(change, MemberJoined):
                self._add_peer(change, now)
            elif isinstance(change, MemberLeft) and change.node != self.node_id:
                self.link.member_removed(change.node)
                self._deletions.add(self._keys.inbox(change.node), now, is_immediate=False)
        self._handler.on_table_changes(changes)
        self._report_events()

    def _add_peer(self, change: MemberJoined, now: float) -> None:
        """Add a peer to the link unless it has no version of the protocol in common with this node."""
        version = common_version(self.link.protocols, change.record)
        if version is not None:
            self.link.member_joined(change.node, now, version)

    def _handle_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        """Report outcomes in their order. Delete the inboxes of nodes that are no longer members."""
        for outcome in outcomes:
            if isinstance(outcome, TableChanged):
                self._handle_changes(outcome.changes)
                continue
            if isinstance(outcome, AnswersWanted):
                self.link.ask(outcome.nodes)
                continue
            if isinstance(outcome, Joined | MembersRemoved):
                for node in outcome.abandoned if isinstance(outcome, Joined) else outcome.nodes:
                    self._deletions.add(self._keys.inbox(node), self._loop.time(), is_immediate=True)
            elif isinstance(outcome, NodeRemoved):
                self._end()
            self._handler.on_outcomes([outcome])

    def _on_deleted(self, keys: Sequence[str], sent_at: float, _reply: Any) -> None:
        self._deletions.confirm(keys, sent_at)
        self._waiters.check()
