"""The ledger in Redis: build the commands that carry out operations, and parse their replies.

Each operation is one Lua script, ``<operation>.lua``, which begins with ``prelude.lua``. This module has no connection.
For the first run of a script, the caller sends :meth:`LedgerScripts.full_command`, with which Redis also stores the
script; after that, it sends :meth:`LedgerScripts.command`. If Redis does not have the script, it replies ``NOSCRIPT``.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any, Final, cast

from ..keys import ClusterKeys
from .operations import Answer, Argument, Request, Status

OPERATIONS: Final = ("join", "renew", "register", "unregister", "restate", "purge", "leave")

COMMANDS: Final = ("DEL", "HDEL", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HMGET", "HSET", "TIME", "XADD")
"""The commands that the scripts run. Redis checks them against the permissions of the user that runs the script."""

Command = tuple[Argument, ...]


class LedgerScripts:
    """The scripts of the ledger, for the keys of one cluster. ``sources`` maps the operations to their scripts."""

    def __init__(self, keys: ClusterKeys) -> None:
        self._keys = (keys.members, keys.rows, keys.log)
        prelude = _read("prelude")
        self.sources = {name: prelude + _read(name) for name in OPERATIONS}
        self._digests = {name: sha1(source, usedforsecurity=False).hexdigest() for name, source in self.sources.items()}

    def command(self, request: Request, now: int | None = None) -> Command:
        """Return the command for an operation. Redis must have the script of the operation.

        ``now`` is the wall-clock time in milliseconds. Tests pass it to replace the clock of Redis.
        """
        return ("EVALSHA", self._digests[request.script], *self._arguments(request, now))

    def full_command(self, request: Request, now: int | None = None) -> Command:
        """Return a command that contains the script of an operation and carries it out."""
        return ("EVAL", self.sources[request.script], *self._arguments(request, now))

    def snapshot_commands(self) -> list[Command]:
        """Return the commands that read the ledger as one transaction. :func:`parse_snapshot` parses the last reply."""
        members, rows, _ = self._keys
        return [("MULTI",), ("HGETALL", members), ("HGETALL", rows), ("EXEC",)]

    def _arguments(self, request: Request, now: int | None) -> Iterable[Argument]:
        time = "" if now is None else now
        return (len(self._keys), *self._keys, time, request.node, *request.arguments())


def parse_answer(reply: Sequence[Any]) -> Answer:
    """Return the answer in the reply to an operation's command. The reply consists of bytes and lists."""
    status, ledger, newest, names = reply
    return Answer(cast(Status, status.decode()), ledger.decode(), newest.decode(), tuple(names))


def parse_snapshot(reply: Sequence[Sequence[bytes]]) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Return the hashes ``members`` and ``rows``. The reply contains two lists of alternating fields and values."""
    members, rows = (dict(zip(each[::2], each[1::2], strict=True)) for each in reply)
    return members, rows


def _read(name: str) -> bytes:
    return files(__package__).joinpath(f"{name}.lua").read_bytes() + b"\n"
