import builtins
import sys

import pytest
from msgspec import Raw

from wamp_transport.serializers import registry
from wamp_transport.serializers.registry import BY_SUBPROTOCOL, SERIALIZERS, values_of
from wamp_transport.wamp.errors import PayloadError


def test_all_are_known_by_name_and_subprotocol():
    assert list(SERIALIZERS) == ["json", "msgpack", "cbor"]
    assert list(BY_SUBPROTOCOL) == ["wamp.2.json", "wamp.2.msgpack", "wamp.2.cbor"]
    assert [each.is_binary for each in SERIALIZERS.values()] == [False, True, True]


@pytest.mark.parametrize(("name", "raw"), [("json", b"[1]"), ("msgpack", b"\x91\x01"), ("cbor", b"\x81\x01")])
def test_values_are_read_by_the_serializer_of_the_format(name, raw):
    assert values_of(name, raw) == [1]


def test_values_of_the_router_are_values_already():
    values = ["a"]
    assert values_of("python", values) is values


def test_cbor_is_not_offered_without_its_package(monkeypatch):
    original = builtins.__import__

    def without_cbor2(name, *rest):
        if name == "cbor2":
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.delitem(sys.modules, "wamp_transport.serializers.cbor")
    monkeypatch.setattr(builtins, "__import__", without_cbor2)
    assert [each.name for each in registry._installed()] == ["json", "msgpack"]


def test_serializer_that_is_not_installed_is_a_fault_of_the_payload():
    with pytest.raises(PayloadError, match="'other' is installed"):
        values_of("other", Raw(b"[]"))
