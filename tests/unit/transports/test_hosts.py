"""Hosts of the project, and the pages that same-origin stands for."""

from typing import Any

import pytest

from wamp_transport.config.reader import read_mapping
from wamp_transport.config.websocket import WebSocketSection
from wamp_transport.transports.hosts import is_host_of_django, is_known_host, request_host
from wamp_transport.transports.negotiation import Agreement, Refusal, negotiate
from wamp_transport.transports.service import WampService

CASES = [
    # ALLOWED_HOSTS, DEBUG, host, Django serves it, it can be the host of a same-origin page
    (["example.com"], False, "example.com", True, True),
    (["example.com"], False, "EXAMPLE.com:8443", True, True),
    (["example.com"], False, "example.com.", True, True),
    (["example.com"], True, "localhost", False, False),
    (["example.com"], False, "evil.net", False, False),
    (["example.com"], False, "example.com.evil.net", False, False),
    ([".example.com"], False, "a.example.com", True, True),
    (["*"], False, "evil.net", True, True),
    ([], True, "localhost:8000", True, True),
    ([], True, "shop.localhost:8000", True, True),
    ([], True, "127.0.0.1:8000", True, True),
    ([], True, "[::1]:8000", True, True),
    ([], True, "192.168.1.7:8000", False, False),
    ([], True, "evil.net", False, False),
    ([], False, "example.com", False, True),
    ([], False, "localhost", False, True),
    (["*"], False, "", False, False),
    (["*"], False, "a b", False, False),
]


@pytest.mark.parametrize(("allowed", "debug", "host", "is_served", "is_known"), CASES)
def test_hosts_are_those_of_django(
    settings: Any, allowed: list[str], debug: bool, host: str, is_served: bool, is_known: bool
) -> None:
    settings.ALLOWED_HOSTS, settings.DEBUG = allowed, debug
    assert (is_host_of_django(host), is_known_host(host)) == (is_served, is_known)


@pytest.mark.parametrize(
    ("uses_forwarded", "scope", "host"),
    [(False, {}, "inner"), (True, {}, "outer"), (True, {"wamp_transport": "tcp:8080"}, "inner")],
)
def test_forwarded_host_is_used_as_in_django(settings: Any, uses_forwarded: bool, scope: Any, host: str) -> None:
    settings.USE_X_FORWARDED_HOST = uses_forwarded
    assert request_host(scope, {b"host": "inner", b"x-forwarded-host": "outer"}) == host
    assert request_host(scope, {b"host": "inner"}) == "inner"
    assert request_host(scope, {}) is None


def handshake(host: str, **section: Any) -> Agreement | Refusal:
    """The result of a handshake of a page of ``host`` at a service for pages of the same origin."""
    service = {"type": "websocket", "options": {"allowed_origins": ["same-origin"]}, **section}
    transport = {"type": "web", "endpoint": {"type": "tcp", "port": 8080}, "paths": {"ws": service}}
    document = {"version": 2, "workers": [{"type": "router", "transports": [transport]}]}
    (found,) = read_mapping(document, ".").services
    assert isinstance(found.settings, WebSocketSection)
    terms = WampService.build(None, None, found.settings).terms  # type: ignore[arg-type]
    headers = [(b"host", host.encode()), (b"origin", f"http://{host}".encode())]
    return negotiate({"scheme": "ws", "subprotocols": ["wamp.2.json"], "headers": headers}, terms)


@pytest.mark.parametrize("auth", [None, {"django-session": {}}])
def test_page_of_an_unknown_host_is_not_from_the_same_origin(settings: Any, auth: Any) -> None:
    settings.ALLOWED_HOSTS = ["example.com"]
    assert isinstance(handshake("example.com:8080", auth=auth), Agreement)
    refusal = handshake("evil.net:8080", auth=auth)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 403
    assert "'evil.net:8080' is not in ALLOWED_HOSTS" in refusal.message


def test_without_allowed_hosts_only_logins_with_django_need_a_known_host(settings: Any) -> None:
    settings.ALLOWED_HOSTS = []
    assert isinstance(handshake("example.com"), Agreement)
    assert isinstance(handshake("example.com", auth={"django-session": {}}), Refusal)
    settings.DEBUG = True
    assert isinstance(handshake("example.com"), Refusal)
    assert isinstance(handshake("localhost:8080"), Agreement)
    assert isinstance(handshake("localhost:8080", auth={"django-session": {}}), Agreement)
