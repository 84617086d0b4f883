"""Origins against patterns: the table of the configuration's documentation, and what browsers send besides."""

import pytest

from wamp_transport.transports.origins import OriginPolicy


def allows(
    origin: str | None, *patterns: str, null: bool = True, host: str | None = "example.com", secure: bool = False
) -> bool:
    return OriginPolicy(patterns, allow_null=null).allows(origin, host, is_secure=secure)


@pytest.mark.parametrize(
    ("origin", "pattern"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com", "https://example.com:443"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com", "http://example.com:80"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://a.example.com", "https://*.example.com:*"),
        ("https://a.example.com", "https://*.example.com"),
        ("https://a.example.com:8443", "https://*.example.com:*"),
        ("HTTPS://EXAMPLE.com", "https://example.com:443"),
        ("https://example.com", "HTTPS://EXAMPLE.COM:443"),
        ("https://example.com", "https://example.com/"),
        ("chrome-extension://abc", "chrome-extension://abc"),
        ("chrome-extension://abc", "chrome-extension://*"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[::1]", "http://[::1]"),
        ("http://example.com:81", "http://example*"),
        ("https://anything.at:1", "*"),
        (" https://example.com ", "https://example.com"),
    ],
)
def test_origin_that_a_pattern_means_is_allowed(origin: str, pattern: str) -> None:
    assert allows(origin, "http://other", pattern)


@pytest.mark.parametrize(
    ("origin", "pattern"),
    [
        ("https://example.com", "https://*.example.com:*"),
        ("https://example.com", "http://example.com"),
        ("https://example.com:8443", "https://example.com"),
        ("https://exampleXcom", "https://example.com"),
        ("https://example.com.evil.net", "https://example.com"),
        ("https://evil.net/https://example.com", "https://example.com"),
        ("https://example.com@evil.net", "https://example.com*"),
        ("https://example.com", "example.com"),
        ("http://example.com:0", "http://example.com"),
        ("http://aaa", "http://a+"),
    ],
)
def test_other_origin_is_refused(origin: str, pattern: str) -> None:
    assert not allows(origin, pattern)


def test_no_pattern_refuses_all_with_a_host() -> None:
    assert not allows("https://example.com")


@pytest.mark.parametrize("patterns", [(), ("*",), ("http://x",)])
def test_no_origin_is_allowed(patterns: tuple[str, ...]) -> None:
    assert allows(None, *patterns, null=False)


@pytest.mark.parametrize("origin", ["null", "NULL", "file://", "file:///home/page.html"])
@pytest.mark.parametrize("patterns", [(), ("*",)])
def test_null_origin_depends_on_its_option_alone(origin: str, patterns: tuple[str, ...]) -> None:
    assert allows(origin, *patterns, null=True)
    assert not allows(origin, *patterns, null=False)


@pytest.mark.parametrize(
    "origin", ["foo", "", "http://", "//host", "http://h:99999", "http://h:x", "http://[::1", "http://a,http://b"]
)
def test_what_is_no_origin_is_refused_even_where_all_are_allowed(origin: str) -> None:
    assert not allows(origin, "*")


@pytest.mark.parametrize(
    ("origin", "host", "secure"),
    [
        ("http://example.com", "example.com", False),
        ("http://example.com:8080", "Example.com:8080", False),
        ("https://example.com", "example.com", True),
        ("https://example.com", "example.com:443", True),
        ("https://example.com", "example.com", False),  # a TLS proxy stands in front
        ("http://[::1]:8080", "[::1]:8080", False),
    ],
)
def test_same_origin_allows_pages_of_the_host_asked(origin: str, host: str, secure: bool) -> None:
    assert allows(origin, "same-origin", host=host, secure=secure)


@pytest.mark.parametrize(
    ("origin", "host", "secure"),
    [
        ("http://other.com", "example.com", False),
        ("http://example.com:81", "example.com", False),
        ("http://example.com", "example.com", True),
        ("http://example.com", None, False),
    ],
)
def test_same_origin_refuses_pages_of_others(origin: str, host: str | None, secure: bool) -> None:
    assert not allows(origin, "same-origin", host=host, secure=secure)


def test_client_without_an_origin_is_let_in_by_policy() -> None:
    for allow in (True, False):
        policy = OriginPolicy(["*"], allow_null=True, allow_missing=allow)
        assert policy.allows(None, "here", is_secure=False) is allow
        assert policy.allows("http://there", "here", is_secure=False)


def test_origin_that_would_take_long_to_match_is_refused() -> None:
    pattern = "http://*.example.*.test.*:8080"
    assert allows("http://a.example.b.test.c:8080", pattern)
    assert not allows("http://" + ".example" * 70 + ".test.c:8080", pattern)
