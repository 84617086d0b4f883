"""Where Django code finds its sessions, and what it is told where there are none."""

import pytest

from wamp_transport.api import backends
from wamp_transport.auth.credentials import Anonymous, SharedSecret, Ticket
from wamp_transport.conf import ApiSettings

URL = "ws://127.0.0.1:1/ws"


@pytest.fixture
def remote():
    """A home at a router elsewhere; nothing is connected."""
    made = []

    def make(**settings):
        made.append(backends.RemoteHome(ApiSettings(url=URL, **settings)))
        return made[-1]

    yield make
    for home in made:
        home.close()


@pytest.mark.parametrize(("settings", "expected"), [
    ({}, Anonymous(None)),
    ({"authid": "eva"}, Anonymous("eva")),
    ({"authid": "eva", "ticket": "t"}, Ticket("eva", "t")),
    ({"authid": "eva", "secret": "s"}, SharedSecret("eva", "s")),
])  # fmt: skip
def test_settings_are_a_credential(settings, expected):
    credential = backends.credential_of(ApiSettings(**settings))
    assert type(credential) is type(expected)
    assert vars(credential) == vars(expected) if hasattr(expected, "__dict__") else credential == expected


def test_process_without_a_router_is_told_what_to_set():
    with pytest.raises(backends.NotConfigured, match=r"WAMP_TRANSPORT = \{'URL'"):
        backends.current_home()


def test_role_and_realm_of_a_router_elsewhere(remote):
    home = remote(realm="realm1")
    assert not home.is_local
    assert home.lasting(None, None) is home.lasting("realm1", None)
    assert home.lasting("realm2", None) is not home.lasting("realm1", None)
    with pytest.raises(backends.NotConfigured, match="role"):
        home.lasting(None, "trusted")
    with pytest.raises(backends.NotConfigured, match="Which realm"):
        remote().lasting(None, None)


def test_other_settings_are_another_home(settings):
    settings.WAMP_TRANSPORT = {"URL": URL, "REALM": "realm1"}
    first = backends.current_home()
    assert backends.current_home() is first
    settings.WAMP_TRANSPORT = {"URL": URL, "REALM": "realm2"}
    try:
        assert backends.current_home() is not first
        assert first.loop.is_closed()
    finally:
        backends.disconnect()


def test_substitute_stands_for_all(remote):
    home = remote(realm="realm1")
    assert backends.substitute(home) is None
    try:
        assert backends.current_home() is home
    finally:
        assert backends.substitute(None) is home
