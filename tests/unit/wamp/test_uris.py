import pytest

from wamp_transport.wamp.uris import component_excess, describe_fault, is_reserved, is_uri

MATCHES = ("exact", "prefix", "wildcard")


@pytest.mark.parametrize(
    ("uri", "valid"),
    [
        ("a.b_c.0", MATCHES),
        ("a.", ("prefix", "wildcard")),
        ("", ("prefix", "wildcard")),
        ("a..b", ("wildcard",)),
        (".a", ("wildcard",)),
        ("..", ("wildcard",)),
        ("a.b\n", ()),
        ("a b", ()),
        ("a#b", ()),
    ],
)
@pytest.mark.parametrize("loose", [False, True])
def test_empty_components_depend_on_match(uri, valid, loose):
    assert tuple(match for match in MATCHES if is_uri(uri, match, loose=loose)) == valid


@pytest.mark.parametrize("uri", ["A", "ä", "a-b", "a/b", "٣", "a\x00b"])
def test_other_characters_are_only_for_loose_uris(uri):
    for match in MATCHES:
        assert not is_uri(uri, match)
        assert is_uri(uri, match, loose=True)


@pytest.mark.long
@pytest.mark.parametrize("uri", ["a." * 200_000, "a" * 1_000_000 + "!", "." * 1_000_000, "a." * 200_000 + "#"])
def test_check_takes_no_long_time(uri):
    for match in MATCHES:
        is_uri(uri, match)
        is_uri(uri, match, loose=True)


@pytest.mark.parametrize(("uri", "reserved"), [("wamp", True), ("wamp.x", True), ("wampx", False), ("a.wamp", False)])
def test_first_component_wamp_is_reserved(uri, reserved):
    assert is_reserved(uri) is reserved


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
def test_number_of_components_is_limited_in_patterns_alone(match):
    most = ".".join("a" * 64)
    assert component_excess(most, match) == ""
    expected = "" if match == "exact" else "a pattern may have at most 64 components, not 65"
    assert component_excess(most + ".", match) == expected


@pytest.mark.parametrize(
    ("uri", "match", "text"),
    [
        ("com.example.getUser", "exact", "invalid URI 'com.example.getUser': capital letters need `uri_check: loose`"),
        ("com.my-app", "exact", "invalid URI 'com.my-app': dashes need `uri_check: loose`"),
        ("com.My-App.", "prefix", "invalid URI 'com.My-App.': capital letters and dashes need `uri_check: loose`"),
        (
            "com..\u00e4/b",
            "wildcard",
            "invalid URI 'com..\u00e4/b': characters such as '/' '\u00e4' need `uri_check: loose`",
        ),
        ("com..A", "exact", "invalid URI 'com..A'"),
        ("com.A b", "exact", "invalid URI 'com.A b'"),
    ],
)
def test_error_names_the_option_that_would_accept_a_uri(uri, match, text):
    assert describe_fault(uri, match, loose=False) == text


def test_error_names_no_option_that_does_not_help():
    assert describe_fault("com.A b", loose=True) == "invalid URI 'com.A b'"
