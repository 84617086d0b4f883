import re
from hashlib import sha1

import pytest

from wamp_transport.cluster.keys import ClusterKeys
from wamp_transport.cluster.ledger.operations import (
    Answer,
    JoinRequest,
    LeaveRequest,
    PurgeRequest,
    RegisterRequest,
    RenewRequest,
    Request,
    RestateRequest,
    StatedRow,
    UnregisterRequest,
)
from wamp_transport.cluster.ledger.scripts import COMMANDS, OPERATIONS, LedgerScripts, parse_answer, parse_snapshot

KEYS = ClusterKeys("shop", "secret")
SCRIPTS = LedgerScripts(KEYS)
ROW = StatedRow(b"exact r x", 1, 2, "single", "then", b"d", 3)
REQUESTS: list[Request] = [
    JoinRequest("n", "new", 10, b"r"),
    RenewRequest("n", 1, 10),
    RegisterRequest("n", 1, ROW, True, (b"c:f",)),
    UnregisterRequest("n", 1, ((b"exact r x", 1, 2), (b"exact r y", 1, 3))),
    RestateRequest("n", 1, "old", "new", 10, b"r", (ROW,)),
    PurgeRequest("n", "m", (b"c:f", b"c:g")),
    LeaveRequest("n"),
]
ARGUMENTS = {
    "join": ["new", 10, b"r"],
    "renew": [1, 10],
    "register": [1, 1, b"exact r x", 1, 2, "single", "then", b"d", b"c:f"],
    "unregister": [1, b"exact r x", 1, 2, b"exact r y", 1, 3],
    "restate": [1, "old", "new", 10, b"r", b"exact r x", 1, 2, 3, "single", "then", b"d"],
    "purge": ["m", b"c:f", b"c:g"],
    "leave": [],
}


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.script)
def test_commands_of_an_operation(request_: Request) -> None:
    sources = {sha1(source).hexdigest(): source for source in SCRIPTS.sources.values()}
    name, digest, *arguments = SCRIPTS.command(request_)
    assert name == "EVALSHA"
    expected = [3, KEYS.members, KEYS.rows, KEYS.log, "", "n", *ARGUMENTS[request_.script]]
    assert arguments == expected
    assert SCRIPTS.full_command(request_) == ("EVAL", sources[digest], *expected)
    assert SCRIPTS.command(request_, 5)[6] == 5


def test_there_is_one_script_for_each_operation() -> None:
    assert {request.script for request in REQUESTS} == set(OPERATIONS)
    assert len(set(SCRIPTS.sources.values())) == len(OPERATIONS)


def test_commands_of_the_scripts_are_listed() -> None:
    sources = b"".join(SCRIPTS.sources.values()).decode()
    assert sorted(set(re.findall(r"redis\.call\('(\w+)'", sources))) == list(COMMANDS)
    assert sources.count("redis.call(") == len(re.findall(r"redis\.call\('(\w+)'", sources))


def test_answer_is_parsed() -> None:
    assert parse_answer([b"ok", b"id", b"5-0 aa", [b"a", b"b"]]) == Answer("ok", "id", "5-0 aa", (b"a", b"b"))


def test_snapshot_is_parsed() -> None:
    assert parse_snapshot([[b"a", b"1", b"b", b"2"], []]) == ({b"a": b"1", b"b": b"2"}, {})
