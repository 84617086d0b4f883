"""Reasons as WebSocket close codes and texts."""

import pytest

from wamp_transport.transports.close_codes import close_code, close_text
from wamp_transport.wamp import errors


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (errors.PROTOCOL_VIOLATION, 1002),
        (errors.PAYLOAD_SIZE_EXCEEDED, 1009),
        (errors.INTERNAL_ERROR, 1011),
        (errors.CLOSE_SYSTEM_SHUTDOWN, 1001),
        (errors.CLOSE_REALM, 1001),
        (errors.CLOSE_NORMAL, 1000),
        (errors.NO_SUCH_REALM, 1000),
        ("", 1000),
    ],
)
def test_reason_has_its_code(reason: str, code: int) -> None:
    assert close_code(reason) == code


def test_text_joins_reason_and_message() -> None:
    assert close_text("a.b", "why") == "a.b: why"
    assert close_text("a.b", "") == "a.b"


@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
def test_long_text_is_cut_between_characters(letter: str) -> None:
    text = close_text("a.b", letter * 200)
    assert 120 <= len(text.encode()) <= 123
    assert text == f"a.b: {letter * (len(text) - 5)}"


def test_lone_surrogate_is_replaced() -> None:
    assert close_text("a.b", "\ud800") == "a.b: ?"
