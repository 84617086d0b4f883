"""Answers to refused handshakes are whole."""

import pytest

from wamp_transport.transports.daphne.handshake_answers import DenialResponse, error_answer, http_answer


def test_answer_has_a_length_and_ends_the_connection_whatever_the_headers_say() -> None:
    headers = [("X-Y", "z"), ("content-length", "99"), ("Connection", "keep-alive")]
    assert http_answer(404, headers, b"no\n") == (
        b"HTTP/1.1 404 Not Found\r\nX-Y: z\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n"
    )


@pytest.mark.parametrize(
    ("status", "headers", "expected", "header"),
    [
        (400, [("Sec-WebSocket-Version", "13")], 426, b"\r\nUpgrade: websocket\r\n"),
        (426, [], 426, b"\r\nUpgrade: websocket\r\n"),
        (405, [], 405, b"\r\nAllow: GET\r\n"),
        (400, [], 400, b"\r\nContent-Type: text/plain; charset=utf-8\r\n"),
    ],
)
def test_error_has_its_status_and_its_header(
    status: int, headers: list[tuple[str, str]], expected: int, header: bytes
) -> None:
    answer = error_answer(status, "why", headers)
    assert answer.startswith(b"HTTP/1.1 %d " % expected)
    assert header in answer
    assert answer.endswith(b"\r\n\r\nwhy\n")


def test_denial_is_whole_with_its_last_piece() -> None:
    denial = DenialResponse({"status": 401, "headers": [(b"www-authenticate", b"Basic")]})
    assert not denial.add({"body": b"not ", "more_body": True})
    assert denial.add({"body": b"you"})
    assert denial.answer() == http_answer(401, [("www-authenticate", "Basic")], b"not you")


def test_denial_without_events_is_empty() -> None:
    assert DenialResponse({"status": 403}).answer() == http_answer(403, [], b"")
