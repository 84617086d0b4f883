"""Request the operations of the ledger, and its snapshots, on one connection to Redis."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from redis.exceptions import ResponseError

from .ledger.client import LedgerClient
from .ledger.operations import Answer, Request
from .ledger.scripts import Command, LedgerScripts, parse_answer, parse_snapshot
from .redis_writer import Output

SNAPSHOT_RETRY: Final = 0.5
"""The minimum time in seconds between two requests for a snapshot. The first may have been empty or inconsistent."""

SnapshotHandler = Callable[[Mapping[bytes, bytes], Mapping[bytes, bytes]], None]


class LedgerExchange:
    """Turns the requests of a :class:`.LedgerClient` into commands, and the replies into answers and snapshots.

    The first command for each operation contains its script, which Redis then stores. If Redis no longer has the script
    later, its error ends the connection, and the next connection sends the script again.

    ``on_answer`` handles an answer, and ``on_snapshot`` the two hashes of a snapshot. Create a new exchange for each
    connection.
    """

    def __init__(
        self,
        client: LedgerClient,
        scripts: LedgerScripts,
        on_answer: Callable[[Answer], None],
        on_snapshot: SnapshotHandler,
    ) -> None:
        self._client = client
        self._scripts = scripts
        self._on_answer = on_answer
        self._on_snapshot = on_snapshot
        self._sent_scripts: set[str] = set()
        self._snapshot_at: float | None = 0.0

    def take_outputs(self, now: float) -> list[Output]:
        """Return the commands to send now."""
        outputs = [Output(self._shortest_command(each), self._on_reply) for each in self._client.next_requests(now)]
        if self._client.is_joined and self._client.table.needs_snapshot and self._is_snapshot_due(now):
            self._snapshot_at = None
            *others, last = self._scripts.snapshot_commands()
            outputs += [Output(each, _ignore) for each in others]
            outputs.append(Output(last, partial(self._on_snapshot_reply, now)))
        return outputs

    def next_deadline(self) -> float | None:
        """Return the time at which :meth:`take_outputs` must be called because a snapshot is due, or None."""
        return self._snapshot_at if self._client.table.needs_snapshot else None

    def _is_snapshot_due(self, now: float) -> bool:
        return self._snapshot_at is not None and self._snapshot_at <= now

    def _shortest_command(self, request: Request) -> Command:
        """Return the command for an operation, with the operation's script if this connection has not sent it yet."""
        if request.script in self._sent_scripts:
            return self._scripts.command(request)
        self._sent_scripts.add(request.script)
        return self._scripts.full_command(request)

    def _on_reply(self, reply: Any) -> None:
        self._on_answer(parse_answer(reply))

    def _on_snapshot_reply(self, asked_at: float, reply: Any) -> None:
        for each in reply:
            if isinstance(each, ResponseError):
                raise each
        self._snapshot_at = asked_at + SNAPSHOT_RETRY
        self._on_snapshot(*parse_snapshot(reply))


def _ignore(reply: Any) -> None:
    """Ignore the reply to a command of a transaction before ``EXEC``."""
