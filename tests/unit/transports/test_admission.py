"""Connections, counted."""

from wamp_transport.transports.admission import Admission
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
