import asyncio

import pytest

from wamp_transport.webservices.answers import UnsupportedScope
from wamp_transport.webservices.not_found import NotFound


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("*/*", "text/plain"),
        ("application/json", "text/plain"),
        ("text/html;q=0, */*", "text/plain"),
        ("", "text/plain"),
    ],
)
def test_browser_gets_page_and_others_text(ask, accept, kind):
    reply = ask(NotFound(), headers={"Accept": accept})
    assert reply.status == 404
    assert reply.headers["content-type"] == f"{kind}; charset=utf-8"
    assert reply.headers["vary"] == "Accept"
    assert (b"<h1>" in reply.body) == (kind == "text/html")


def test_request_without_accept_gets_text(ask):
    assert ask(NotFound()).body == b"Not found.\n"


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE", "OPTIONS", "NONSENSE"])
def test_every_method_is_answered_the_same(ask, method):
    assert ask(NotFound(), method=method).status == 404


def test_path_asked_for_is_not_repeated(ask):
    reply = ask(NotFound(), "/%3Cscript%3E?secret", headers={"Accept": "text/html"})
    assert b"script" not in reply.body
    assert b"secret" not in reply.body


def test_other_scope_is_refused():
    with pytest.raises(UnsupportedScope):
        asyncio.run(NotFound()({"type": "lifespan"}, None, None))
