"""Connections, counted."""

import pytest

from wamp_transport.transports.connection_limits import ConnectionLimiter, counting_key
from wamp_transport.transports.proxies import TrustedProxies


def test_connections_are_let_in_up_to_the_limit() -> None:
    limiter = ConnectionLimiter(2)
    limiter.acquire("a")
    assert limiter.refusal("b") == ""
    limiter.acquire(None)
    assert "max_connections" in limiter.refusal("b")
    limiter.release("a")
    assert limiter.refusal("b") == ""


def test_limit_of_an_address_is_its_own() -> None:
    limiter = ConnectionLimiter(100, 1)
    limiter.acquire("10.0.0.1")
    assert "max_connections_per_address" in limiter.refusal("10.0.0.1")
    assert limiter.refusal("10.0.0.2") == ""
    limiter.acquire(None)
    assert limiter.refusal(None) == ""


def test_trusted_proxies_may_have_more() -> None:
    limiter = ConnectionLimiter(3, 1, TrustedProxies(["10.0.0.0/8"]))
    for _ in range(2):
        assert limiter.refusal("10.0.0.1") == ""
        limiter.acquire("10.0.0.1")
    limiter.acquire("10.0.0.1")
    assert "max_connections" in limiter.refusal("10.0.0.1")


def test_nothing_is_left_of_those_who_have_gone() -> None:
    limiter = ConnectionLimiter(10, 5)
    for address in ("a", "a", "b", None):
        limiter.acquire(address)
    for address in ("a", "b", None, "a"):
        limiter.release(address)
    assert (limiter.count, limiter.by_address) == (0, {})


def test_client_behind_a_proxy_takes_no_further_place_of_all() -> None:
    limiter = ConnectionLimiter(1, 1)
    limiter.acquire(None)
    assert limiter.client_refusal("10.0.0.9") == ""
    limiter.acquire_client("10.0.0.9")
    assert "10.0.0.9" in limiter.client_refusal("10.0.0.9")
    assert limiter.client_refusal("10.0.0.8") == ""
    assert limiter.count == 1
    limiter.release_client("10.0.0.9")
    assert limiter.by_address == {}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1", "fe80::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
        ("no:address", "no:address"),
    ],
)
def test_address_counts_as_what_its_client_cannot_choose(address: str, expected: str) -> None:
    assert counting_key(address) == expected


def test_ipv6_clients_share_the_limit_of_their_network() -> None:
    limiter = ConnectionLimiter(10, 1)
    limiter.acquire("2001:db8::1")
    assert "2001:db8::/64" in limiter.refusal("2001:db8::2")
    assert limiter.refusal("2001:db8:0:1::2") == ""
    limiter.release("2001:db8::1")
    assert limiter.by_address == {}
