"""Django's session cookie in Chromium: a page of the site joins as its user, a page of another site does not."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from ..integration.servers import configuration, free_port, node, web
from ..integration.test_cookies import migrated
from ..integration.test_django_identity import Site

pytestmark = [pytest.mark.browser, pytest.mark.full]

JOIN = """url => new Promise((resolve, reject) => {
    const socket = window.socket = new WebSocket(url, 'wamp.2.json');
    const hello = {roles: {caller: {}}, authmethods: ['django-session']};
    window.messages = [];
    socket.onopen = () => socket.send(JSON.stringify([1, 'realm1', hello]));
    socket.onerror = () => reject(new Error('no connection'));
    socket.onmessage = event => { window.messages.push(JSON.parse(event.data)); resolve(window.messages[0]); };
})"""
PREPARE = """
from django.contrib.auth.models import User
from wamp_transport.models import UserRole
UserRole.objects.create(kind="staff", role="user")
User.objects.create_user("joe", password="pw", is_staff=True)
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[str]:
    """The address of a site of somebody else: same host, another port, so that the browser sends the cookie."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "index.html").write_text("<title>another site</title>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "files")))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def logged_in(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}/admin/")
    page.fill("#id_username", "joe")
    page.fill("#id_password", "pw")
    page.click("input[type=submit]")
    page.wait_for_selector("#logout-form")
    return page


def test_page_joins_as_the_user_and_is_closed_on_logout(browser: Browser, tmp_path: Path, other_site: str) -> None:
    migrated(tmp_path)
    port = free_port()
    Site(tmp_path, port).run(PREPARE)
    url, socket = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/ws"
    realms = [{"name": "realm1", "roles": [{"name": "user", "permissions": []}]}]
    paths = {"ws": {"type": "websocket", "auth": {"django-session": {}}}}
    running = node(tmp_path, configuration(web(port, paths), realms=realms), port)
    with running as process, browser.new_context() as context:
        page = logged_in(context, url)
        welcome = page.evaluate(JOIN, socket)
        assert (welcome[0], welcome[2]["authid"], welcome[2]["authrole"]) == (2, "joe", "user")
        elsewhere = context.new_page()
        elsewhere.goto(other_site)
        abort = elsewhere.evaluate(JOIN, socket)
        assert (abort[0], abort[2]) == (3, "wamp.error.no_matching_auth_method")
        tab = context.new_page()
        tab.goto(f"{url}/admin/")
        tab.click("#logout-form button")
        page.wait_for_function("() => window.messages.length > 1")
        goodbye = page.evaluate("window.messages[1]")
        assert (goodbye[0], goodbye[2]) == (6, "wamp.close.logout")
        assert page.evaluate(JOIN, socket)[0] == 3
        assert process.stop() == 0
