"""Connections, counted."""

import pytest

from wamp_transport.transports.connection_limits import Admission, counted_as
from wamp_transport.transports.proxies import TrustedProxies


def test_connections_are_let_in_up_to_the_limit() -> None:
    admission = Admission(2)
    admission.enter("a")
    assert admission.refusal("b") == ""
    admission.enter(None)
    assert "max_connections" in admission.refusal("b")
    admission.leave("a")
    assert admission.refusal("b") == ""


def test_limit_of_an_address_is_its_own() -> None:
    admission = Admission(100, 1)
    admission.enter("10.0.0.1")
    assert "max_connections_per_address" in admission.refusal("10.0.0.1")
    assert admission.refusal("10.0.0.2") == ""
    admission.enter(None)
    assert admission.refusal(None) == ""


def test_trusted_proxies_may_have_more() -> None:
    admission = Admission(3, 1, TrustedProxies(["10.0.0.0/8"]))
    for _ in range(2):
        assert admission.refusal("10.0.0.1") == ""
        admission.enter("10.0.0.1")
    admission.enter("10.0.0.1")
    assert "max_connections" in admission.refusal("10.0.0.1")


def test_nothing_is_left_of_those_who_have_gone() -> None:
    admission = Admission(10, 5)
    for address in ("a", "a", "b", None):
        admission.enter(address)
    for address in ("a", "b", None, "a"):
        admission.leave(address)
    assert (admission.count, admission.by_address) == (0, {})


def test_client_behind_a_proxy_takes_no_further_place_of_all() -> None:
    admission = Admission(1, 1)
    admission.enter(None)
    assert admission.client_refusal("10.0.0.9") == ""
    admission.enter_client("10.0.0.9")
    assert "10.0.0.9" in admission.client_refusal("10.0.0.9")
    assert admission.client_refusal("10.0.0.8") == ""
    assert admission.count == 1
    admission.leave_client("10.0.0.9")
    assert admission.by_address == {}


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
    assert counted_as(address) == expected


def test_ipv6_clients_share_the_limit_of_their_network() -> None:
    admission = Admission(10, 1)
    admission.enter("2001:db8::1")
    assert "2001:db8::/64" in admission.refusal("2001:db8::2")
    assert admission.refusal("2001:db8:0:1::2") == ""
    admission.leave("2001:db8::1")
    assert admission.by_address == {}
