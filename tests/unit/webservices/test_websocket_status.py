import json

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


def test_program_that_asks_for_json_gets_it(page, ask):
    answer = ask(page, headers={"Accept": "application/json"})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert json.loads(answer.body)["subprotocols"] == ["wamp.2.json", "wamp.2.msgpack"]
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    ("accept", "shown"),
    [("text/html", b"ws://h/&lt;b&gt;"), ("*/*", b"ws://h/<b>"), ("application/json", b"ws://h/<b>")],
)
def test_url_of_the_configuration_is_shown_and_does_no_harm(ask, accept, shown):
    page = WebSocketStatus(("json",), is_shown=True, url="ws://h/<b>")
    assert shown in ask(page, headers={"Accept": accept}).body


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
