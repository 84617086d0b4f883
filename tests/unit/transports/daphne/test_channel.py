"""HTTP of one connection: limits in size and time, and answers that are whole."""

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.http import Request

from wamp_transport.config.transport import WebOptions
from wamp_transport.transports.daphne.channel import LINGER_SECONDS, MAX_HEADER_LINES, LimitedChannel, is_host


class Transport(StringTransport):  # type: ignore[misc]
    """A transport that, like a socket, does not mind when there is no producer to unregister."""

    def unregisterProducer(self) -> None:
        if self.producer is not None:
            super().unregisterProducer()

    def abortConnection(self) -> None:
        self.loseConnection()


class Echo(Request):
    """A request that is answered at once."""

    def process(self) -> None:
        self.write(b"ok")
        self.finish()


class Served:
    """A channel, its transport and its clock."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.refusal = ""
        self.transport = Transport()
        self.channel: Any = LimitedChannel(WebOptions(**options), 5.0)
        self.channel.requestFactory = Echo
        self.channel.callLater = self.clock.callLater
        self.channel.timeOut = 60
        self.channel.site = None
        self.channel.factory = self
        self.channel.makeConnection(self.transport)

    def log(self, request: Any) -> None:
        """Twisted tells its factory of every request."""

    def client_refusal(self, channel: Any) -> str:
        """Ours asks it whether the client of a request may come."""
        return self.refusal

    def send(self, *pieces: bytes) -> bytes:
        for piece in pieces:
            self.channel.dataReceived(piece)
        value: bytes = self.transport.value()
        return value

    def lose(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))

    def status(self) -> int:
        return int(self.transport.value().split(b" ")[1])

    @property
    def is_closed(self) -> bool:
        return bool(self.transport.disconnecting)


GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


def test_requests_are_answered_one_after_the_other() -> None:
    served = Served()
    assert served.send(GET + b"\r\n" + GET, b"\r\n").count(b"200 OK") == 2
    assert not served.is_closed


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * 2000, 414),
        (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n", 414),
        (GET + b"X: " + b"a" * 2000, 431),
        (GET + b"X: " + b"a" * 900 + b"\r\nY: " + b"a" * 900 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 101\r\nHost: a\r\nX: y\r\n\r\n", 413),
        (b"nonsense\r\n\r\n", 400),
        (GET + b"no colon\r\nHost: b\r\n\r\n", 400),
        (GET + b"Content-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
    ids=lambda value: repr(value)[:40],
)
@pytest.mark.parametrize("is_whole", [True, False])
def test_bad_request_gets_one_whole_answer_and_the_close(data: bytes, status: int, is_whole: bool) -> None:
    served = Served(max_request_head=1024, max_request_body=100)
    pieces = [data] if is_whole else [data[index : index + 1] for index in range(len(data))]
    answer = served.send(*pieces, b"more\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert served.status() == status
    assert answer.count(b"HTTP/1.1") == 1
    assert f"Content-Length: {len(body)}".encode() in head
    served.clock.advance(LINGER_SECONDS)
    assert served.is_closed
    served.lose()
    assert served.clock.getDelayedCalls() == []


def test_too_many_headers_are_refused() -> None:
    lines = b"".join(b"X%d: y\r\n" % number for number in range(MAX_HEADER_LINES))
    served = Served()
    served.send(b"GET / HTTP/1.0\r\n" + lines + b"\r\n")
    assert served.status() == 200
    served = Served()
    served.send(GET + lines + b"\r\n")
    assert served.status() == 431


def test_head_in_time_is_answered_and_one_that_dribbles_is_not() -> None:
    served = Served()
    for piece in (GET[:5], GET[5:10], GET[10:]):
        served.send(piece)
        served.clock.advance(1.5)
    assert not served.is_closed
    served.send(b"X: y\r\n")
    served.clock.advance(1)
    assert served.status() == 408
    assert served.is_closed


def test_time_of_the_next_head_begins_with_its_first_byte() -> None:
    served = Served(request_timeout=5)
    served.send(GET + b"\r\n")
    served.clock.advance(30)
    served.transport.clear()
    served.send(b"G")
    served.clock.advance(4)
    assert not served.is_closed
    served.send(b"E")
    served.clock.advance(1)
    assert served.status() == 408


@pytest.mark.parametrize(("options", "seconds"), [({}, 60), ({"client_timeout": 3}, 3)])
def test_idle_connection_is_closed_without_a_word(options: dict[str, Any], seconds: int) -> None:
    served = Served(**options)
    served.send(GET + b"\r\n")
    served.transport.clear()
    served.clock.advance(seconds - 1)
    assert not served.is_closed
    served.clock.advance(1)
    assert (served.is_closed, served.transport.value()) == (True, b"")


def test_body_may_be_slow_but_not_stand_still() -> None:
    served = Served(client_timeout=3)
    served.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
    for _ in range(5):
        served.clock.advance(2)
        served.send(b"x")
    assert not served.is_closed
    served.clock.advance(3)
    assert served.status() == 408


def test_body_without_limit() -> None:
    served = Served(max_request_body=0)
    served.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000)
    assert served.status() == 200


def test_nothing_is_timed_after_the_end() -> None:
    served = Served()
    served.send(GET)
    served.lose()
    assert served.clock.getDelayedCalls() == []


@pytest.mark.parametrize("body", [b"", b"Content-Length: 3\r\n"])
def test_client_that_has_too_many_connections_is_told_so(body: bytes) -> None:
    served = Served()
    served.refusal = "3 connections are open"
    answer = served.send(GET + body + b"\r\nabc")
    assert served.status() == 503
    assert b"3 connections are open; close one" in answer
    assert (served.is_closed, b"200 OK" in answer) == (True, False)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], True),
        ([b""], True),
        ([b"example.com"], True),
        ([b"my_service:65535"], True),
        ([b"example.com:"], True),
        ([b"[::1]:80"], True),
        ([b"[fe80::1%25eth0]"], True),
        ([b"a", b"a"], False),
        ([b"a,b"], False),
        ([b"a:65536"], False),
        ([b"a:+1"], False),
        ([b"a:b"], False),
        ([b"me@a"], False),
        ([b"a b"], False),
        ([b"a/b"], False),
        ([b"\xff"], False),
        ([b"::1"], False),
    ],
)
def test_host_is_one_host(values: list[bytes], expected: bool) -> None:
    assert is_host(values, is_required=False) is expected


@pytest.mark.parametrize(("version", "status"), [(b"1.0", 200), (b"1.1", 400)])
def test_host_is_required_since_http_1_1(version: bytes, status: int) -> None:
    served = Served()
    served.send(b"GET / HTTP/" + version + b"\r\n\r\n")
    assert served.status() == status


@pytest.mark.parametrize("digit", [b"0", b"9"])
def test_length_with_more_digits_than_python_converts_is_refused(digit: bytes) -> None:
    served = Served()
    served.send(GET + b"Content-Length: " + digit * 5000 + b"\r\n\r\n")
    assert served.status() == 400
    assert served.is_closed


def test_request_with_two_hosts_is_refused() -> None:
    served = Served()
    served.send(GET + b"Host: b\r\n\r\n")
    assert served.status() == 400
    assert served.is_closed


def test_refused_client_that_reads_nothing_is_dropped_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    served, drops = Served(), []
    monkeypatch.setattr(served.transport, "abortConnection", lambda: drops.append(served.clock.seconds()))
    served.send(b"nonsense\r\n\r\n")
    assert (served.is_closed, drops) == (True, [])
    served.clock.advance(60)
    assert len(drops) == 1
