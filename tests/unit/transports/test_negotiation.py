"""Handshakes settled: subprotocol, origin and port."""

from typing import Any

import pytest

from wamp_transport.transports.negotiation import Agreement, HandshakeTerms, Refusal, headers_of, installed, negotiate
from wamp_transport.transports.origins import OriginPolicy

ALL = ("cbor", "msgpack", "json")


def settle(
    *offered: str, headers: tuple[tuple[str, str], ...] = (), origins: tuple[str, ...] = ("*",), **terms: Any
) -> Agreement | Refusal:
    scope = {"subprotocols": list(offered), "headers": [(name.encode(), value.encode()) for name, value in headers]}
    policy = OriginPolicy(origins, allow_null=True)
    return negotiate(scope, HandshakeTerms(**{"serializers": ALL, "origins": policy, **terms}))


def chosen(outcome: Agreement | Refusal) -> tuple[str, str | None]:
    assert isinstance(outcome, Agreement)
    return outcome.serializer.name, outcome.subprotocol


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (("wamp.2.json",), "json"),
        (("wamp.2.msgpack", "wamp.2.json"), "msgpack"),
        (("wamp.2.json", "wamp.2.msgpack"), "json"),
        (("wamp.1", "soap", "wamp.2.cbor", "wamp.2.json"), "cbor"),
    ],
)
def test_several_offers_take_the_first_that_is_known(offered: tuple[str, ...], expected: str) -> None:
    assert chosen(settle(*offered)) == (expected, f"wamp.2.{expected}")


def test_serializer_switched_off_is_passed_over() -> None:
    assert chosen(settle("wamp.2.msgpack", "wamp.2.json", serializers=("json",))) == ("json", "wamp.2.json")


@pytest.mark.parametrize("offered", [(), ("soap",), ("wamp.1.json", "WAMP.2.JSON")])
def test_no_known_offer_is_refused_naming_what_is_spoken(offered: tuple[str, ...]) -> None:
    outcome = settle(*offered)
    assert isinstance(outcome, Refusal)
    assert outcome.status == 400
    assert "wamp.2.cbor, wamp.2.msgpack, wamp.2.json" in outcome.message
    assert all(repr(name) in outcome.message for name in offered)


@pytest.mark.parametrize("offered", [(), ("soap",)])
def test_no_known_offer_speaks_json_where_none_is_required(offered: tuple[str, ...]) -> None:
    assert chosen(settle(*offered, require_subprotocol=False)) == ("json", None)


def test_no_known_offer_is_refused_where_json_is_off() -> None:
    assert isinstance(settle(require_subprotocol=False, serializers=("msgpack",)), Refusal)


def test_scope_without_subprotocols_offers_none() -> None:
    policy = OriginPolicy(("*",), allow_null=True)
    assert isinstance(negotiate({"type": "websocket"}, HandshakeTerms(ALL, policy)), Refusal)


@pytest.mark.parametrize("name", ["Origin", "sec-websocket-origin"])
def test_foreign_origin_is_forbidden(name: str) -> None:
    outcome = settle("wamp.2.json", headers=((name, "http://evil"),), origins=("http://good",))
    assert isinstance(outcome, Refusal)
    assert outcome.status == 403
    assert "http://evil" in outcome.message


def test_two_origins_are_forbidden() -> None:
    headers = (("origin", "http://evil"), ("origin", "http://good"))
    outcome = settle("wamp.2.json", headers=headers, origins=("http://good",))
    assert isinstance(outcome, Refusal)


def test_same_origin_reads_host_and_scheme() -> None:
    policy = OriginPolicy(("same-origin",), allow_null=True)
    for scheme, allowed in (("wss", False), ("ws", True)):
        scope = {
            "scheme": scheme,
            "subprotocols": ["wamp.2.json"],
            "headers": [(b"host", b"here"), (b"origin", b"http://here")],
        }
        assert isinstance(negotiate(scope, HandshakeTerms(ALL, policy)), Agreement) is allowed


@pytest.mark.parametrize("host", ["example.com:8080", "[::1]:8080"])
def test_other_port_than_the_external_one_is_refused(host: str) -> None:
    outcome = settle("wamp.2.json", headers=(("Host", host),), external_port=443)
    assert isinstance(outcome, Refusal)
    assert outcome.status == 400
    assert "8080" in outcome.message
    assert "443" in outcome.message


@pytest.mark.parametrize("headers", [(), (("Host", "a:443"),), (("Host", "a"),), (("Host", "[::1]"),)])
def test_external_port_or_none_named_is_fine(headers: tuple[tuple[str, str], ...]) -> None:
    assert isinstance(settle("wamp.2.json", headers=headers, external_port=443), Agreement)


def test_headers_with_one_name_become_one_list() -> None:
    scope = {"headers": [(b"X-A", b"1"), (b"x-a", b"2"), (b"b", b"\xe9")]}
    assert headers_of(scope) == {b"x-a": "1,2", b"b": "é"}


def test_installed_keeps_order_and_drops_what_is_not_there() -> None:
    assert installed(["json", "ubjson", "msgpack"]) == ("json", "msgpack")
