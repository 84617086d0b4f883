"""Where Django code finds its sessions, and what it is told where there are none."""

import pytest

from wamp_transport.api import backends
from wamp_transport.auth.credentials import Anonymous, SharedSecret, Ticket
from wamp_transport.conf import ApiSettings

URL = "ws://127.0.0.1:1/ws"


@pytest.fixture
def remote():
    """A backend for a router elsewhere; nothing is connected."""
    made = []

    def make(**settings):
        made.append(backends.RemoteBackend(ApiSettings(url=URL, **settings)))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


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
    with pytest.raises(backends.NotConfigured, match=r"WAMP_TRANSPORT = \{'API'"):
        backends.current_backend()


def test_role_and_realm_of_a_router_elsewhere(remote):
    backend = remote(realm="realm1")
    assert not backend.is_local
    assert backend.session(None, None) is backend.session("realm1", None)
    assert backend.session("realm2", None) is not backend.session("realm1", None)
    with pytest.raises(backends.NotConfigured, match="role"):
        backend.session(None, "trusted")
    with pytest.raises(backends.NotConfigured, match="Which realm"):
        remote().session(None, None)


def test_other_settings_are_another_backend(settings):
    settings.WAMP_TRANSPORT = {"API": {"URL": URL, "REALM": "realm1"}}
    first = backends.current_backend()
    assert backends.current_backend() is first
    settings.WAMP_TRANSPORT = {"API": {"URL": URL, "REALM": "realm2"}}
    try:
        assert backends.current_backend() is not first
        assert first.bridge.loop.is_closed()
    finally:
        backends.disconnect()


def test_override_is_used_within_its_block(remote):
    outer, inner = remote(realm="realm1"), remote(realm="realm1")
    with backends.override_backend(outer):
        with backends.override_backend(inner):
            assert backends.current_backend() is inner
        assert backends.current_backend() is outer
    with pytest.raises(backends.NotConfigured):
        backends.current_backend()


@pytest.mark.parametrize(("realms", "text"), [([], "There is none yet"), (["b", "a"], "There are a, b")])
def test_realm_has_to_be_named_unless_it_is_the_only_one(realms, text):
    assert backends.only_realm(["realm1"]) == "realm1"
    with pytest.raises(backends.NotConfigured, match=text):
        backends.only_realm(realms)
