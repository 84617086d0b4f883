import pytest

from wamp_transport.config.limits import LimitsSection
from wamp_transport.config.websocket import WebSocketOptions, WebSocketService, url_finding

PLACE = "workers[0].transports[0].paths.ws"
LIMIT = 64 * 1024 * 1024

BOOLEANS = {
    "allow_null_origin": True,
    "allow_missing_origin": True,
    "enable_hybi10": True,
    "enable_rfc6455": True,
    "enable_webstatus": True,
    "validate_utf8": True,
    "mask_server_frames": False,
    "require_masked_client_frames": True,
    "apply_mask": True,
    "fail_by_drop": False,
    "echo_close_codereason": False,
    "tcp_nodelay": True,
    "auto_ping_restart_on_any_traffic": True,
    "require_websocket_subprotocol": True,
    "show_server_version": False,
    "enable_flash_policy": False,
}
NUMBERS = {  # default, lowest, highest
    "external_port": (None, 1, 65535),
    "max_frame_size": (0, 0, LIMIT),
    "max_message_size": (16 * 1024 * 1024, 0, LIMIT),
    "auto_fragment_size": (0, 0, LIMIT),
    "auto_ping_size": (12, 12, 125),
    "outgoing_limit": (2**20, 0, 2**26),
    "max_outgoing_size": (2**24, 2**16, 2**26),
}
TIMES = {
    "open_handshake_timeout": 0,
    "close_handshake_timeout": 0,
    "auto_ping_interval": 0,
    "auto_ping_timeout": 0,
    "message_timeout": 120_000,
    "outgoing_grace_period": 10_000,
}
OTHERS = {"outgoing_policy": "close", "allowed_origins": ("*",), "compression": None, "flash_policy": None}


def option_faults(service, problems, **options):
    service["options"] = options
    return problems(f"{PLACE}.options")[0]


def test_every_option_has_its_default():
    expected = BOOLEANS | {key: numbers[0] for key, numbers in NUMBERS.items()} | TIMES | OTHERS
    expected |= LimitsSection().model_dump()
    assert WebSocketOptions().model_dump() == expected


@pytest.mark.parametrize("key", BOOLEANS)
def test_switch_accepts_booleans_only(service, problems, key):
    assert not option_faults(service, problems, **{key: True})
    assert not option_faults(service, problems, **{key: False})
    for wrong in (0, 1, "true", None, []):
        assert "expected true or false" in option_faults(service, problems, **{key: wrong})[key].message


@pytest.mark.parametrize("key", NUMBERS)
def test_number_keeps_its_range(service, problems, key):
    _, lowest, highest = NUMBERS[key]
    assert not option_faults(service, problems, **{key: lowest})
    assert not option_faults(service, problems, **{key: highest})
    for wrong in (lowest - 1, highest + 1, -(2**70), 2**3000, True, False, 12.0, "12", [12], {}):
        fault = option_faults(service, problems, **{key: wrong})[key]
        assert f"an integer from {lowest} to {highest}" in fault.message


@pytest.mark.parametrize("key", TIMES)
def test_time_is_zero_or_a_second_and_more(service, problems, key):
    for right in (0, 1000, 86_400_000):
        assert not option_faults(service, problems, **{key: right})
    for wrong in (1, 999, -1, 2**31, True, 1.5, "1000", None):
        assert key in option_faults(service, problems, **{key: wrong})


def test_time_that_looks_like_seconds_is_explained(service, problems):
    fault = option_faults(service, problems, open_handshake_timeout=5)["open_handshake_timeout"]
    assert fault.message == "expected 0, or at least 1000 milliseconds, found 5"
    assert fault.hint == "1 s is 1000"


def test_null_means_unset_where_an_option_may_be_unset(service, problems):
    assert not option_faults(service, problems, external_port=None, compression=None, flash_policy=None)


@pytest.mark.parametrize("right", [[], ["*"], ["https://*.example.com:*", "same-origin"]])
def test_origins_are_a_list(service, problems, right):
    assert not option_faults(service, problems, allowed_origins=right)


@pytest.mark.parametrize(
    ("wrong", "path"), [("*", "allowed_origins"), ([1], "allowed_origins[0]"), ({}, "allowed_origins")]
)
def test_other_origins_are_refused(service, problems, wrong, path):
    assert path in option_faults(service, problems, allowed_origins=wrong)


def test_origin_that_matches_nothing_is_told(service, problems):
    service["options"] = {"allowed_origins": ["example.com"]}
    assert "matches no origin" in problems(PLACE)[1]["options.allowed_origins[0]"].message


def test_both_protocol_versions_off_is_refused(service, problems):
    faults = option_faults(service, problems, enable_hybi10=False, enable_rfc6455=False)
    assert "no client could connect" in faults["enable_rfc6455"].message


def test_ping_timeout_without_pings_is_told(service, problems):
    service["options"] = {"auto_ping_timeout": 1000}
    assert "options.auto_ping_timeout" in problems(PLACE)[1]


@pytest.mark.parametrize("options", [{"enable_flash_policy": True}, {"flash_policy": "<xml/>"}])
def test_flash_is_told_to_be_ignored(service, problems, options):
    service["options"] = options
    (key,) = options
    assert "has no effect" in problems(PLACE)[1][f"options.{key}"].message


def test_misspelt_option_gets_a_suggestion(service, problems):
    fault = option_faults(service, problems, max_frame_sise=1)["max_frame_sise"]
    assert (fault.message, fault.hint) == ("unknown attribute 'max_frame_sise'", "did you mean 'max_frame_size'?")


@pytest.mark.parametrize("key", ["maxConnections", "trustXForwardedFor"])
def test_options_of_the_library_only_are_refused(service, problems, key):
    assert key in option_faults(service, problems, **{key: 1})


@pytest.mark.parametrize("given", [["json"], ["cbor", "msgpack", "json"], ["json", "json"], None])
def test_serializers_offered_are_accepted(service, problems, given):
    service["serializers"] = given
    assert problems(f"{PLACE}.serializers") == ({}, {})


def test_serializer_not_offered_is_ignored_beside_others(service, problems):
    service["serializers"] = ["ubjson", "json"]
    faults, notices = problems(f"{PLACE}.serializers")
    assert not faults
    assert 'serializer "ubjson" is not offered' in notices["0]"].message


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ([], "serializers"),
        (["ubjson"], "serializers"),
        (["flatbuffers", "ubjson"], "serializers"),
        (["json", "foo"], "serializers[1]"),
        (["json", 5], "serializers[1]"),
        ("json", "serializers"),
        ({"json": True}, "serializers"),
    ],
)
def test_other_serializers_are_refused(service, problems, given, path):
    service["serializers"] = given
    assert path in problems(PLACE)[0]


def test_serializers_to_announce_are_offered_ones_in_order_and_once():
    def announced(*names):
        return WebSocketService.model_validate({"type": "websocket", "serializers": names}).offered_serializers

    assert announced("msgpack", "ubjson", "json", "msgpack") == ("msgpack", "json")
    assert WebSocketService.model_validate({"type": "websocket"}).offered_serializers == ("cbor", "msgpack", "json")


@pytest.mark.parametrize("key", ["endpoint", "max_connections", "paths"])
def test_attribute_of_the_transport_is_refused_with_an_explanation(service, problems, key):
    service[key] = {"type": "tcp", "port": 8080}
    fault = problems(PLACE)[0][key]
    assert fault.message == f"unknown attribute '{key}'"
    assert fault.hint == WebSocketService.foreign_keys[key]


@pytest.mark.parametrize(
    ("key", "value"),
    [("debug", 1), ("debug", "yes"), ("id", "a"), ("id", "A_b"), ("id", 7), ("options", []), ("url", 5)],
)
def test_other_attributes_keep_their_types(service, problems, key, value):
    service[key] = value
    assert key in problems(PLACE)[0]


def test_id_and_debug_are_accepted(service, problems):
    service.update(debug=True, id="websocket1")
    assert problems(PLACE) == ({}, {})


@pytest.mark.parametrize(
    "url",
    [
        "ws://localhost/ws",
        "ws://localhost:8080/ws",
        "wss://example.com/ws/",
        "WS://[::1]:8080/ws",
        "ws://localhost/%77s",
        "ws://unix:/tmp/sock",
    ],
)
def test_url_with_the_path_of_the_service_is_accepted(url):
    assert url_finding(url, ("ws",)) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost/ws", "ws:// or wss://"),
        ("localhost/ws", "ws:// or wss://"),
        ("", "ws:// or wss://"),
        ("ws:///ws", "with a host"),
        ("ws://:80/ws", "with a host"),
        ("ws://local host/ws", "no blanks"),
        ("ws://localhost:0/ws", "with a host"),
        ("ws://localhost:65536/ws", "port"),
        ("ws://localhost:x/ws", "port"),
        ("ws://[::1/ws", "port"),
        ("ws://joe:hunter2@localhost/ws", "without user name"),
        ("ws://localhost/ws?a=1", "without query"),
        ("ws://localhost/ws#a", "without query"),
        ("ws://localhost", '"/ws"'),
        ("ws://localhost/", '"/ws"'),
        ("ws://localhost/wsx", '"/ws"'),
        ("ws://localhost/WS", '"/ws"'),
        ("ws://localhost/a/ws", '"/ws"'),
        ("ws://localhost//x/ws", '"/ws"'),
    ],
)
def test_bad_url_is_refused(url, words):
    finding = url_finding(url, ("ws",))
    assert finding.location == ("url",)
    assert words in finding.message
    assert "hunter2" not in str(finding)


def test_url_is_checked_at_the_root_and_where_it_is_no_text():
    assert url_finding("ws://localhost:8080", ()) is url_finding("ws://localhost/", ()) is url_finding(5, ()) is None
