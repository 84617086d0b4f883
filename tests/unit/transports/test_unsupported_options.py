"""Options that other servers do not carry out are named, each of them, and no others."""

from pathlib import Path
from typing import Any

import pytest

from wamp_transport.config.configuration import Configuration, PathService, Transport
from wamp_transport.config.section import Section
from wamp_transport.config.webservices import JsonService
from wamp_transport.config.websocket import WebSocketOptions, WebSocketService
from wamp_transport.transports.unsupported_options import (
    CONSUMER_OPTIONS,
    IGNORED_OPTIONS,
    WAITING_SERVER_OPTIONS,
    describe_unsupported,
    unsupported_options,
)


def section(**settings: Any) -> WebSocketService:
    return WebSocketService.model_validate({"type": "websocket", **settings})


def configured(**services: Section) -> Configuration:
    paths = tuple(PathService(name, (name,), "x", settings) for name, settings in services.items())
    return Configuration("", Path(), (), (Transport("tcp:1", None, paths),))


CHANGED = {
    "allowed_origins": ("https://example.com",),
    "external_port": 443,
    "compression": {"deflate": {}},
    "flash_policy": "x",
    "auto_ping_size": 20,
    "outgoing_policy": "drop",
    "max_outgoing_size": 70_000,
}


@pytest.mark.parametrize("name", WebSocketOptions.model_fields)
def test_changed_option_is_named_unless_the_consumer_carries_it_out(name: str) -> None:
    default = WebSocketOptions.model_fields[name].default
    value = CHANGED.get(name, not default if isinstance(default, bool) else 5000)
    named = unsupported_options(section(options={name: value}))
    assert named == (() if name in CONSUMER_OPTIONS | IGNORED_OPTIONS else (name,))
    assert unsupported_options(section(options={name: default})) == ()


@pytest.mark.parametrize("name", sorted(WAITING_SERVER_OPTIONS))
def test_bounds_for_slow_peers_hold_where_the_server_waits_for_them(name: str) -> None:
    changed = section(options={name: CHANGED.get(name, 5000), "fail_by_drop": True})
    assert unsupported_options(changed, waits=True) == ("fail_by_drop",)
    assert set(unsupported_options(changed)) == {"fail_by_drop", name}
    assert describe_unsupported(configured(a=changed), waits=True) == "/a: fail_by_drop"


def test_debug_is_named() -> None:
    assert unsupported_options(section(debug=True)) == ("debug",)


def test_all_services_are_told_in_one_line() -> None:
    configuration = configured(
        a=section(options={"fail_by_drop": True, "auto_ping_interval": 1000}),
        b=section(),
        c=JsonService.model_validate({"type": "json", "value": 1}),
        d=section(debug=True),
    )
    assert describe_unsupported(configuration) == "/a: fail_by_drop, auto_ping_interval; /d: debug"
    assert describe_unsupported(configured()) == ""
