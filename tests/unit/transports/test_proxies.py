"""Who the client is behind trusted proxies."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamp_transport.transports.proxies import Forwarded, TrustedProxies, forward, forwarded, parsed

PROXIES = TrustedProxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8", "unix"])


def headers(**given: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in given.items()]


@pytest.mark.parametrize(
    ("peer", "is_trusted"),
    [
        ("127.0.0.1", True), ("10.255.0.1", True), ("11.0.0.1", False), ("fd00::1", True), ("::1", False),
        ("::ffff:10.0.0.1", True), (None, True), ("nonsense", False), ("", False),
    ],
)  # fmt: skip
def test_proxies_are_known_by_address_and_network(peer: str | None, is_trusted: bool) -> None:
    assert PROXIES.trusts(peer) is is_trusted
    assert not TrustedProxies().trusts(peer)


@pytest.mark.parametrize("wrong", ["proxy", "10.0.0.1/8", "", "unix:", "300.0.0.1"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        TrustedProxies([wrong])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Forwarded()),
        ({"x_forwarded_for": "1.2.3.4"}, Forwarded(("1.2.3.4", 0))),
        ({"x_forwarded_for": "6.6.6.6, 1.2.3.4"}, Forwarded(("1.2.3.4", 0))),
        ({"x_forwarded_for": "6.6.6.6, 1.2.3.4, 10.0.0.2"}, Forwarded(("1.2.3.4", 0))),
        ({"x_forwarded_for": "10.0.0.3, 10.0.0.2"}, Forwarded(("10.0.0.3", 0))),
        ({"x_forwarded_for": "unknown, 10.0.0.2"}, Forwarded(("10.0.0.2", 0))),
        ({"x_forwarded_for": "unknown"}, Forwarded()),
        ({"x_forwarded_for": "[2001:db8::1]:4711"}, Forwarded(("2001:db8::1", 4711))),
        ({"x_forwarded_proto": "https"}, Forwarded(is_secure=True)),
        ({"x_forwarded_proto": "WSS"}, Forwarded(is_secure=True)),
        ({"x_forwarded_proto": "gopher"}, Forwarded()),
        ({"x_forwarded_for": "1.2.3.4", "x_forwarded_proto": "https, http"}, Forwarded(("1.2.3.4", 0), False)),
        (
            {"x_forwarded_for": "1.2.3.4, 10.0.0.2", "x_forwarded_proto": "https, http"},
            Forwarded(("1.2.3.4", 0), True),
        ),
        ({"x_forwarded_host": "example.com"}, Forwarded(host="example.com")),
        ({"x_forwarded_host": "example.com", "x_forwarded_port": "8443"}, Forwarded(host="example.com:8443")),
        ({"x_forwarded_host": "a:1", "x_forwarded_port": "2"}, Forwarded(host="a:1")),
        ({"x_forwarded_host": "[::1]", "x_forwarded_port": "2"}, Forwarded(host="[::1]:2")),
        ({"x_forwarded_host": "a", "x_forwarded_port": "99999"}, Forwarded(host="a")),
        ({"x_forwarded_host": "a b"}, Forwarded()),
        (
            {"x_forwarded_host": "a", "x_forwarded_port": "443", "x_forwarded_proto": "https"},
            Forwarded(is_secure=True, host="a"),
        ),
        (
            {"forwarded": 'for="[2001:db8::1]:47";proto=https;host="a.com:8"'},
            Forwarded(("2001:db8::1", 47), True, "a.com:8"),
        ),
        ({"forwarded": "For=6.6.6.6;proto=https, for=1.2.3.4;proto=http"}, Forwarded(("1.2.3.4", 0), False)),
        ({"forwarded": "for=1.2.3.4;proto=https, for=10.0.0.2;proto=http"}, Forwarded(("1.2.3.4", 0), True)),
        ({"forwarded": 'for="_hidden, \\"one\\"", for=10.0.0.2'}, Forwarded(("10.0.0.2", 0))),
        ({"forwarded": "for=6.6.6.6", "x_forwarded_for": "1.2.3.4"}, Forwarded(("1.2.3.4", 0))),
        ({"forwarded": ""}, Forwarded()),
    ],
)
def test_headers_are_read_from_the_nearest_proxy_on(given: dict[str, str], expected: Forwarded) -> None:
    assert forwarded(headers(**given), PROXIES) == expected


def test_lines_of_the_same_header_are_one_list() -> None:
    lines = [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"1.2.3.4")]
    assert forwarded(lines, PROXIES).client == ("1.2.3.4", 0)


NAMES = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-x"]
VALUES = st.text("for=proto;host,\"\\ :[]1.%'h", max_size=40) | st.sampled_from(["0" * 5000, "9" * 5000])


@given(st.lists(st.tuples(st.sampled_from([name.encode() for name in NAMES]), VALUES.map(str.encode)), max_size=6))
def test_no_headers_raise(given: list[tuple[bytes, bytes]]) -> None:
    found = forwarded(given, PROXIES)
    assert found.client is None or parsed(found.client[0]) is not None


def scope(kind: str, client: list[Any] | None) -> dict[str, Any]:
    told = headers(host="inner", x_forwarded_for="1.2.3.4", x_forwarded_proto="https", x_forwarded_host="outer")
    return {"type": kind, "scheme": "ws" if kind == "websocket" else "http", "client": client, "headers": told}


@pytest.mark.parametrize("client", [["127.0.0.1", 5], None])
def test_scope_tells_what_a_trusted_proxy_tells(client: list[Any] | None) -> None:
    websocket, http = scope("websocket", client), scope("http", client)
    forward(websocket, PROXIES)
    forward(http, PROXIES)
    assert (websocket["client"], websocket["scheme"]) == (["1.2.3.4", 0], "wss")
    assert (http["client"], http["scheme"]) == (["1.2.3.4", 0], "https")
    assert dict(websocket["headers"])[b"host"] == b"outer"
    assert dict(http["headers"])[b"host"] == b"inner"


@pytest.mark.parametrize("proxies", [PROXIES, TrustedProxies()])
def test_anyone_else_is_not_believed(proxies: TrustedProxies) -> None:
    asked = scope("websocket", ["6.6.6.6", 5])
    forward(asked, proxies)
    assert asked == scope("websocket", ["6.6.6.6", 5])
