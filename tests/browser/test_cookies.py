"""A service's cookie in Chromium: set by the first connection, sent by all later ones, out of reach for scripts."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ..integration.servers import configuration, free_port, node, web
from ..live import REALM

pytestmark = [pytest.mark.browser, pytest.mark.full]

JOIN = """realm => new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${location.host}/ws`, 'wamp.2.json');
    socket.onopen = () => socket.send(JSON.stringify([1, realm, {roles: {caller: {}}}]));
    socket.onerror = () => reject(new Error('no connection'));
    socket.onmessage = event => { resolve(JSON.parse(event.data)[2].authid); socket.close(); };
})"""


def authid(page: Page) -> str:
    return str(page.evaluate(JOIN, REALM))


def test_cookie_sticks_across_reloads_beside_the_session_cookie(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "index.html").write_text("<title>page</title>")
    paths = {
        "/": {"type": "static", "directory": "../files"},
        "ws": {"type": "websocket", "cookie": {"store": {"type": "file", "filename": "../cookies.txt"}}},
    }
    url = f"http://127.0.0.1:{port}"
    with node(tmp_path, configuration(web(port, paths)), port) as process:
        context = browser.new_context()
        context.add_cookies([{"name": "sessionid", "value": "abc=", "url": url}])
        page = context.new_page()
        page.goto(url)
        first = authid(page)
        (cookie,) = [one for one in context.cookies() if one["name"] == "cbtid"]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"], cookie["secure"]) == (True, "Lax", "/", False)
        assert "cbtid" not in page.evaluate("document.cookie")
        page.reload()
        assert authid(page) == authid(page) == first
        assert [one for one in context.cookies() if one["name"] == "cbtid"] == [cookie]
        stranger = browser.new_context()
        other = stranger.new_page()
        other.goto(url)
        assert authid(other) != first
        stranger.close()
        assert process.stop() == 0
        with node(tmp_path, configuration(web(port, paths)), port) as again:
            page.goto(url)
            assert authid(page) == first
            assert again.stop() == 0
        context.close()
