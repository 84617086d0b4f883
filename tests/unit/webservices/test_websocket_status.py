import pytest

from wamp_transport.webservices.websocket_status import WebSocketStatus


@pytest.fixture
def page():
    return WebSocketStatus(("json", "msgpack"), is_shown=True)


def test_browser_gets_a_page_that_names_the_subprotocols(page, ask):
    answer = ask(page, headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert b"wamp.2.json, wamp.2.msgpack" in answer.body
    assert answer.headers["cache-control"] == "no-store"


def test_program_gets_a_line_of_text(page, ask):
    answer = ask(page, headers={"Accept": "*/*"})
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body.count(b"\n") == 1


def test_method_that_is_no_read_is_refused(page, ask):
    assert ask(page, method="POST").status == 405


def test_page_that_is_not_shown_asks_for_the_upgrade(ask):
    answer = ask(WebSocketStatus(("json",), is_shown=False))
    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"
