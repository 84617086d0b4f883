import pytest

from wamp_transport.config.attributes import attributes_of, describe, expected, kind_of
from wamp_transport.config.node import Node
from wamp_transport.config.paths import SERVICE_TYPES
from wamp_transport.config.realm import PermissionSection, RealmSection, RoleSection
from wamp_transport.config.reference import _sections
from wamp_transport.config.schema_walk import attributes
from wamp_transport.config.secret import Secret
from wamp_transport.config.webservices import StaticOptions
from wamp_transport.config.websocket import WebSocketOptions, WebSocketService

ALL = {attribute.path: attribute for attribute in attributes_of(WebSocketService)}


def test_leaves_of_a_section_have_dotted_paths():
    assert {"url", "serializers", "options.max_frame_size", "auth.anonymous.role", "cookie.store.type"} <= set(ALL)
    assert "options" not in ALL


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("debug", "bool"),
        ("options.max_frame_size", "int"),
        ("options.open_handshake_timeout", "int"),
        ("options.external_port", "int"),
        ("url", "str"),
        ("serializers", "list[str]"),
        ("options.allowed_origins", "list[str]"),
        ("cookie.same_site", "choice"),
        ("auth.ticket.principals", "json"),
        ("auth.ticket.type", "choice"),
    ],
)
def test_kind_follows_the_type(path, kind):
    assert ALL[path].kind == kind


def test_attribute_tells_limits_unit_and_default():
    size = ALL["options.max_message_size"]
    assert (size.minimum, size.maximum, size.unit, size.default) == (0, 64 * 1024 * 1024, "bytes", 16 * 1024 * 1024)
    time = ALL["options.auto_ping_interval"]
    assert (time.minimum, time.unit) == (0, "ms")
    port = ALL["options.external_port"]
    assert (port.minimum, port.maximum, port.nullable, port.default) == (1, 65535, True, None)


def test_attribute_tells_what_is_offered():
    assert ALL["options.max_frame_size"].offered
    assert not ALL["options.flash_policy"].offered
    assert ALL["options.compression.deflate.memory_level"].offered
    assert ALL["cookie.name"].offered
    assert not ALL["cookie.store.maxsize"].offered
    assert "Flash is gone" in ALL["options.flash_policy"].instead
    proxy = ALL["auth.anonymous-proxy"]
    assert (proxy.offered, proxy.refused, proxy.secret) == (False, True, True)
    assert ALL["auth.ticket.principals"].secret


def test_choices_and_required_are_told():
    assert ALL["cookie.same_site"].choices == ("Strict", "Lax", "None")
    assert ALL["type"].required
    assert not ALL["url"].required


def test_list_of_sections_is_one_json_leaf():
    roles = next(one for one in attributes_of(RealmSection) if one.path == "roles")
    assert roles.kind == "json"


@pytest.mark.parametrize("section", [section for section, _ in _sections()], ids=lambda section: section.__name__)
def test_every_attribute_has_help_and_a_kind(section):
    assert section.__doc__
    for key, field in attributes(section):
        attribute = describe(key, field)
        assert attribute.help.endswith((".", ")")), (section, key)
        if not attribute.offered:
            assert attribute.instead


@pytest.mark.parametrize("section", SERVICE_TYPES.values(), ids=SERVICE_TYPES)
def test_default_of_every_leaf_is_valid_by_itself(section):
    for attribute in attributes_of(section):
        if attribute.default is None and not attribute.required:
            assert attribute.nullable, attribute.path


def test_expected_values_are_put_in_words():
    def words(section, key):
        field = dict(attributes(section))[key]
        return expected(field.annotation, field)

    assert words(WebSocketOptions, "auto_ping_size") == "an integer from 12 to 125 (bytes)"
    assert words(WebSocketOptions, "external_port") == "an integer from 1 to 65535 or null"
    assert words(StaticOptions, "cache_timeout") == "an integer, 0 or more (s), or null"
    assert words(PermissionSection, "match") == 'one of "exact", "prefix", "wildcard", or null'
    assert words(RoleSection, "authorizer_function").endswith("(such as shop.wamp.authorize), or null")
    assert words(WebSocketOptions, "allowed_origins") == "a list of strings"
    assert words(WebSocketService, "options") == "an object"
    assert words(WebSocketService, "type") == '"websocket"'
    assert words(Node, "workers") == "a list of objects"
    assert expected(str, WebSocketOptions.model_fields["allowed_origins"]) == "a string"
    assert expected(int, None) == "an integer"
    assert kind_of(dict[str, int]) == "json"
    assert kind_of(Secret | None) == "str"
