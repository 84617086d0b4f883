import asyncio

import pytest

from wamp_transport.webservices.answers import UnsupportedScope
from wamp_transport.webservices.redirect import Redirect


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("/elsewhere", "/elsewhere"),
        ("../up", "../up"),
        ("/é", "/%C3%A9"),
        ("/a%20b", "/a%20b"),
        ('/"<>', "/%22%3C%3E"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_read_is_sent_to_the_encoded_url(ask, url, location, method):
    reply = ask(Redirect(url), "/old/rest?query", method=method)
    assert (reply.status, reply.headers["location"]) == (302, location)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_method_is_refused(ask, method):
    reply = ask(Redirect("/x"), method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert "location" not in reply.headers


@pytest.mark.parametrize("url", ["", "/a\r\nX: y", "/a\nb", "/a\rb", "/\0", "/a b", "\t/", "/\x7f"])
def test_url_empty_or_with_blanks_or_control_characters_is_refused(url):
    with pytest.raises(ValueError, match="URL"):
        Redirect(url)


@pytest.mark.parametrize("encoded", ["/%0d%0aX:y", "/\x85", "/\u2028"])
def test_line_breaks_in_disguise_stay_encoded(ask, encoded):
    location = ask(Redirect(encoded)).headers["location"]
    assert location.isascii()
    assert location.isprintable()


def test_other_scope_is_refused():
    with pytest.raises(UnsupportedScope):
        asyncio.run(Redirect("/")({"type": "lifespan"}, None, None))
