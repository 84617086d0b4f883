from collections.abc import Mapping
from typing import Any

import pytest
from redis.exceptions import ResponseError

from wamp_transport.cluster.keys import ClusterKeys
from wamp_transport.cluster.ledger.client import LedgerClient
from wamp_transport.cluster.ledger.layout import RegistrationKey
from wamp_transport.cluster.ledger.operations import Answer
from wamp_transport.cluster.ledger.scripts import LedgerScripts
from wamp_transport.cluster.ledger.table import LedgerTable
from wamp_transport.cluster.ledger_exchange import SNAPSHOT_RETRY, LedgerExchange
from wamp_transport.cluster.redis_writer import Output

SCRIPTS = LedgerScripts(ClusterKeys("shop", "secret"))
OK = [b"ok", b"ledger", b"1-0 aa", []]


class Owner:
    """A client of the ledger, and what the exchange reports."""

    def __init__(self, *, is_joined: bool = True) -> None:
        self.client = LedgerClient("n", b"r", 10.0, LedgerTable("n"), lambda node: None, lambda: "new")
        self.answers: list[Answer] = []
        self.snapshots: list[Any] = []
        self.exchange = LedgerExchange(self.client, SCRIPTS, self.on_answer, self.on_snapshot)
        if is_joined:
            (join,) = self.exchange.take_outputs(0)
            join.on_reply(OK)
            self.answers.clear()

    def on_answer(self, answer: Answer) -> None:
        self.answers.append(answer)
        self.client.on_answer(answer, 0)

    def on_snapshot(self, members: Mapping[bytes, bytes], rows: Mapping[bytes, bytes]) -> None:
        self.snapshots.append((members, rows))
        self.client.table.replace(members, rows)

    def take(self, now: float) -> list[Output]:
        return self.exchange.take_outputs(now)

    def read_snapshot(self, now: float, ledger: bytes = b"ledger") -> None:
        content = [b"id", ledger] if ledger else []
        replies = [b"OK", b"QUEUED", b"QUEUED", [content, content]]
        for output, reply in zip(self.take(now), replies, strict=True):
            output.on_reply(reply)


def names(outputs: list[Output]) -> list[object]:
    return [output.command[0] for output in outputs]


def test_answers_are_parsed() -> None:
    owner = Owner(is_joined=False)
    (join,) = owner.take(0)
    assert join.command[0] == "EVAL"
    join.on_reply(OK)
    assert owner.answers == [Answer("ok", "ledger", "1-0 aa")]


def test_first_command_of_each_operation_contains_its_script() -> None:
    """A command without the script could be answered after a later one whose script Redis has."""
    owner = Owner()
    owner.read_snapshot(0)
    for uri in ("a", "b"):
        owner.client.register(RegistrationKey("r", "exact", uri), 1, "single", "then", b"d", 1)
    assert names(owner.take(1)) == ["EVAL", "EVALSHA"]
    owner.client.on_disconnected(2)
    owner.exchange = LedgerExchange(owner.client, SCRIPTS, owner.on_answer, owner.on_snapshot)
    assert names(owner.take(3)) == ["EVAL", "EVAL"]


def test_snapshot_is_read_when_the_table_needs_one() -> None:
    owner = Owner()
    assert owner.exchange.next_deadline() == 0
    outputs = owner.take(1)
    assert names(outputs) == ["MULTI", "HGETALL", "HGETALL", "EXEC"]
    assert owner.take(1) == []
    assert owner.exchange.next_deadline() is None
    for output, reply in zip(outputs, [b"OK", b"QUEUED", b"QUEUED", [[b"id", b"x"], [b"id", b"x"]]], strict=True):
        output.on_reply(reply)
    assert owner.snapshots == [({b"id": b"x"}, {b"id": b"x"})]
    assert owner.exchange.next_deadline() is None
    assert owner.take(2) == []


def test_snapshot_without_content_is_read_again_later() -> None:
    owner = Owner()
    owner.read_snapshot(1, b"")
    assert owner.client.table.needs_snapshot
    assert owner.exchange.next_deadline() == 1 + SNAPSHOT_RETRY
    assert owner.take(1) == []
    owner.read_snapshot(1 + SNAPSHOT_RETRY)
    assert not owner.client.table.needs_snapshot


def test_error_within_a_snapshot_is_raised() -> None:
    owner = Owner()
    outputs = owner.take(1)
    with pytest.raises(ResponseError, match="wrong kind"):
        outputs[-1].on_reply([[b"id", b"x"], ResponseError("wrong kind of value")])
