"""The live server of the test tools, with a page in Chromium that is a WAMP client."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import sync_playwright

from tests.requirements import chromium
from wamp_transport import api
from wamp_transport.testing import WampLiveServerTestCase

from .conftest import ARGUMENTS

CALL = """url => new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'wamp.2.json');
    socket.onopen = () => socket.send(JSON.stringify([1, 'realm1', {roles: {caller: {}}}]));
    socket.onerror = () => reject(new Error('no connection'));
    socket.onmessage = event => {
        const message = JSON.parse(event.data);
        if (message[0] === 2) socket.send(JSON.stringify([48, 1, {}, 'com.shop.users']));
        else { socket.close(); resolve(message); }
    };
})"""


@pytest.mark.browser
class Pages(WampLiveServerTestCase):
    def test_page_calls_what_the_test_offers(self) -> None:
        User.objects.create_user("joe")
        api.register("com.shop.users", lambda invocation: User.objects.get().username)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            page = browser.new_page()
            page.goto(f"{self.live_server_url}/admin/login/")
            styled = page.evaluate("getComputedStyle(document.querySelector('#header')).display")
            answer = page.evaluate(CALL, self.wamp_url)
            browser.close()
        assert styled == "flex"  # its style sheet was served
        assert answer[0] == 50
        assert answer[3] == ["joe"]
