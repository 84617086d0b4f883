"""The operations of the ledger and its snapshots on one connection to Redis."""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from redis.exceptions import NoScriptError, ResponseError

from .ledger.client import LedgerClient
from .ledger.operations import Answer, Request
from .ledger.scripts import LedgerScripts, parse_answer, parse_snapshot
from .redis_writer import Output

SNAPSHOT_RETRY: Final = 0.5
"""The minimum time in seconds between two requests for a snapshot. The first may have been empty or inconsistent."""

SnapshotHandler = Callable[[Mapping[bytes, bytes], Mapping[bytes, bytes]], None]


class LedgerExchange:
    """Turns the requests of a :class:`.LedgerClient` into commands, and the replies into answers and snapshots.

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
        self._in_flight: deque[Request] = deque()
        self._missing_scripts: list[Request] = []
        self._snapshot_at: float | None = 0.0

    def take_outputs(self, now: float) -> list[Output]:
        """Return the commands to send now."""
        scripts = self._scripts
        outputs = [Output(scripts.full_command(each), partial(self._on_reply, each)) for each in self._missing_scripts]
        self._missing_scripts.clear()
        for request in self._client.next_requests(now):
            self._in_flight.append(request)
            outputs.append(Output(scripts.command(request), partial(self._on_reply, request)))
        if self._client.is_joined and self._client.table.needs_snapshot and self._is_snapshot_due(now):
            self._snapshot_at = None
            *others, last = scripts.snapshot_commands()
            outputs += [Output(each, _ignore) for each in others]
            outputs.append(Output(last, partial(self._on_snapshot_reply, now)))
        return outputs

    def next_deadline(self) -> float | None:
        """Return the time at which :meth:`take_outputs` must be called because a snapshot is due, or None."""
        return self._snapshot_at if self._client.table.needs_snapshot else None

    def _is_snapshot_due(self, now: float) -> bool:
        return self._snapshot_at is not None and self._snapshot_at <= now

    def _on_reply(self, request: Request, reply: Any) -> None:
        """Handle the reply to an operation. If Redis does not have its script, send the operation with its script.

        The client needs the answers in the order of its requests. If this operation has overtaken an earlier one that
        is sent again, raise an error, which ends the connection. On the next connection, the node restates its rows.
        """
        if isinstance(reply, NoScriptError):
            self._missing_scripts.append(request)
            return
        if self._in_flight.popleft() is not request:
            raise ResponseError("the scripts of the ledger were removed while operations were under way")
        self._on_answer(parse_answer(reply))

    def _on_snapshot_reply(self, asked_at: float, reply: Any) -> None:
        for each in reply:
            if isinstance(each, ResponseError):
                raise each
        self._snapshot_at = asked_at + SNAPSHOT_RETRY
        self._on_snapshot(*parse_snapshot(reply))


def _ignore(reply: Any) -> None:
    """Ignore the reply to a command of a transaction before ``EXEC``."""
