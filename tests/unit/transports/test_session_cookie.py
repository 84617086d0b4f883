"""The session cookie of a handshake: found where the page may use it, and never told."""

from typing import Any

import pytest
from django.test import override_settings

from wamp_transport.transports.session_cookie import SessionCookie, SessionCookies

SITE = "https://example.com"


def scope(origin: str | None, cookie: str = "sessionid=abc", host: str = "example.com", **more: Any) -> dict[str, Any]:
    headers = [(b"host", host.encode()), (b"cookie", cookie.encode("latin-1"))]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return {"scheme": "wss", "headers": headers, **more}


def test_page_of_the_host_itself_may_use_the_cookie() -> None:
    assert SessionCookies().find(scope(SITE)) == SessionCookie("abc")
    assert SessionCookies().find(scope("https://example.com:444", host="example.com:444")) == SessionCookie("abc")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "file://",
        "https://evil.example.com",
        "https://example.com.evil.net",
        "http://example.com",
        "https://example.com:444",
        "nonsense",
        "https://example.com,https://evil.net",
    ],
)
def test_no_other_page_may(origin: str | None) -> None:
    assert SessionCookies().find(scope(origin)) is None


def test_trusted_origins_may_by_their_full_name() -> None:
    cookies = SessionCookies(["https://app.example.com"])
    assert cookies.find(scope("https://app.example.com")) == SessionCookie("abc")
    assert cookies.find(scope("https://app.example.com:8443")) is None
    assert cookies.find(scope(SITE)) == SessionCookie("abc")


@pytest.mark.parametrize(
    ("cookie", "key"),
    [
        ("a=b; sessionid=abc; c=d", "abc"),
        ("session=abc", None),
        ("sessionid=", None),
        ("", None),
        ("sessionid=" + "x" * 4097, None),
        ("sessionid=\xe9", "\xe9"),
    ],
)
def test_cookie_is_found_by_its_name(cookie: str, key: str | None) -> None:
    found = SessionCookies().find(scope(SITE, cookie))
    assert (found and found.key) == key


def test_cookie_has_the_name_that_the_settings_give_it() -> None:
    with override_settings(SESSION_COOKIE_NAME="sid"):
        assert SessionCookies().find(scope(SITE, "sessionid=abc; sid=xyz")) == SessionCookie("xyz")


def test_several_headers_are_one() -> None:
    both = scope(SITE, "a=b")
    both["headers"].append((b"Cookie", b"sessionid=abc"))
    assert SessionCookies().find(both) == SessionCookie("abc")


def test_key_is_not_shown() -> None:
    assert "abc" not in repr(SessionCookie("abc"))
