"""Values on the command line and back, tables, and credentials."""

import io
import json
from argparse import ArgumentTypeError

import pytest

from wamp_transport.auth.credentials import Anonymous, SharedSecret, SigningKey, Ticket
from wamp_transport.management.client.credentials import KINDS, credential_given, credential_of_environment
from wamp_transport.management.client.failures import Failure, failure_of
from wamp_transport.management.client.tables import table
from wamp_transport.management.client.values import (
    as_json,
    format_arguments,
    format_value,
    jsonable,
    named_values,
    printable,
    value,
)
from wamp_transport.wamp.errors import ApplicationError, PayloadError, SessionClosed, TransportError

NOTHING = {**{f"{kind}_file": None for kind in KINDS}, "ask": None, "authid": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3),
        ("-2.5", -2.5),
        ("true", True),
        ("null", None),
        ('"3"', "3"),
        ('[1, {"a": "b"}]', [1, {"a": "b"}]),
        ("hello", "hello"),
        ("two words", "two words"),
        ("", ""),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("[1,", "[1,"),
        ("007", "007"),
    ],
)
def test_value_is_json_or_else_text(text, expected):
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_named_values():
    assert named_values("a=3") == {"a": 3}
    assert named_values("a=b=c") == {"a": "b=c"}
    assert named_values('{"a": 1, "b": [2]}') == {"a": 1, "b": [2]}
    for wrong in ("a", "=3", "{a: 1}", ""):
        with pytest.raises(ArgumentTypeError):
            named_values(wrong)


def test_json_is_valid_whatever_the_payload_holds():
    given = {"bytes": b"\x00\xff", "nan": float("nan"), 5: ("t", float("inf")), "lone": "\udc00"}
    assert json.loads(as_json(given)) == {"bytes": "\0AP8=", "nan": None, "5": ["t", None], "lone": "\udc00"}
    assert as_json(given).isascii()
    assert jsonable(object()).startswith("<object")


def test_what_a_terminal_would_obey_is_escaped():
    assert printable("a\x1b[2Jb\x07\u202ec\tü\n") == "a\\x1b[2Jb\\x07\\u202ec\tü\n"
    assert format_value("\x1b[2J") == "\\x1b[2J"
    assert format_value("\x1b[2J", is_raw=True) == "\x1b[2J"
    assert format_value({"\x1b": 1}) == '{"\\u001b": 1}'
    assert format_arguments(["a\nb", [1]], {"k": None}) == ["a\\nb", "[1]", "k=null"]


def test_table_is_aligned_and_cut_where_the_terminal_ends():
    rows = [("1", "a" * 30, "x"), ("22", "b\x1b\n", "y")]
    assert list(table(("ID", "NAME", "Z"), rows, right=("ID",))) == [
        "ID  NAME" + " " * 28 + "Z",
        " 1  " + "a" * 30 + "  x",
        "22  b\\x1b\\n" + " " * 25 + "y",
    ]
    narrow = list(table(("ID", "NAME", "Z"), rows, 20))
    assert narrow[1] == "1   " + "a" * 12 + "…  x"
    assert all(len(line) <= 20 for line in narrow)


def test_credentials_come_from_files(tmp_path):
    for kind, text, expected in (
        ("ticket", "t1", Ticket("eva", "t1")),
        ("secret", "s1", SharedSecret("eva", "s1")),
        ("token", "k1", Ticket("eva", "k1", "token")),
        ("key", "ab" * 32, SigningKey("eva", b"\xab" * 32)),
    ):
        file = tmp_path / kind
        file.write_text(f"{text}\nand more\n")
        assert credential_given({**NOTHING, f"{kind}_file": str(file), "authid": "eva"}) == expected


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        ("ticket", "t", "--authid is missing"),
        ("secret", "s", "--authid is missing"),
        ("key", "abc", "64 hex digits"),
        ("token", "", "is empty"),
        ("token", None, "cannot be read"),
    ],
)
def test_credential_that_cannot_be_is_told(tmp_path, kind, text, fault):
    file = tmp_path / "file"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Failure, match=fault) as caught:
        credential_given({**NOTHING, f"{kind}_file": str(file)})
    assert caught.value.returncode == 2


def test_credential_from_stdin_and_without_a_terminal_to_ask_on(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("t1\n"))
    assert credential_given({**NOTHING, "ticket_file": "-", "authid": "eva"}) == Ticket("eva", "t1")
    with pytest.raises(Failure, match="no terminal"):
        credential_given({**NOTHING, "ask": "ticket"})


def test_credentials_come_from_the_environment(monkeypatch):
    assert credential_of_environment(None) == Anonymous()
    monkeypatch.setenv("WAMP_AUTHID", "eva")
    assert credential_of_environment(None) == Anonymous("eva")
    monkeypatch.setenv("WAMP_TICKET", "t1")
    assert credential_of_environment(None) == Ticket("eva", "t1")
    assert credential_of_environment("joe") == Ticket("joe", "t1")
    monkeypatch.setenv("WAMP_SECRET", "s1")
    with pytest.raises(Failure, match="WAMP_TICKET and WAMP_SECRET"):
        credential_of_environment(None)


@pytest.mark.parametrize(
    ("fault", "is_joining", "code", "uri"),
    [
        (ApplicationError("com.sold", "A1", left=0), False, 1, "com.sold"),
        (PayloadError("too deep"), False, 1, "wamp.error.invalid_payload"),
        (TransportError("refused"), True, 3, ""),
        (SessionClosed("wamp.close.transport_lost", "lost"), True, 3, "wamp.close.transport_lost"),
        (SessionClosed("wamp.error.no_such_realm", "none"), True, 4, "wamp.error.no_such_realm"),
        (SessionClosed("wamp.close.killed", "bye"), False, 3, "wamp.close.killed"),
    ],
)
def test_exit_codes(fault, is_joining, code, uri):
    failure = failure_of(fault, is_joining=is_joining)
    assert (failure.returncode, failure.uri) == (code, uri)
    assert json.loads(as_json(failure.as_mapping()))["exit_code"] == code


def test_errors_are_told_with_all_that_came_with_them():
    failure = failure_of(ApplicationError("com.sold", "A1\x1b", left=0))
    assert str(failure) == "com.sold\n  A1\\x1b\n  left=0"
    assert failure.as_mapping()["args"] == ["A1\x1b"]
    assert failure.as_mapping()["kwargs"] == {"left": 0}
