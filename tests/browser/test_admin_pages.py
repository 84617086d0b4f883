"""The admin in Chromium: a person configures WAMP, the running server follows, the pages look right."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ..integration.servers import free_port, manage, running
from ..live import LiveServer, live_server

pytestmark = [pytest.mark.browser, pytest.mark.full]

PASSWORD = "correct horse battery staple"
ADMIN = "/admin/wamp_transport"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    directory = tmp_path_factory.mktemp("admin")
    environment = {
        "WAMPNODE_DATABASE": str(directory / "live.sqlite3"),
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    with live_server(directory) as server:
        create = manage("createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.com")
        with running(create, directory, **environment) as process:
            assert process.ended(seconds=60) == 0, process.output
        yield server


@pytest.fixture
def page(browser: Browser, live: LiveServer) -> Iterator[Page]:
    """The admin's index, logged in. Whatever a person must never see fails the test."""
    with browser.new_context(base_url=live.url, viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", lambda answer: complaints.append(answer.url) if answer.status >= 400 else None)
        page.goto("/admin/")
        page.fill("#id_username", "admin")
        page.fill("#id_password", PASSWORD)
        page.click("input[type=submit]")
        yield page
        assert complaints == []


def welcomed(live: LiveServer, path: str, realm: str) -> bool:
    """Whether a client gets a session there now."""
    try:
        with connect(live.url.replace("http", "ws") + path, subprotocols=["wamp.2.json"]) as client:  # type: ignore[list-item]
            client.send(json.dumps([1, realm, {"roles": {"caller": {}}}]))
            return bool(json.loads(client.recv(timeout=10))[0] == 2)
    except InvalidStatus:
        return False


def becomes(live: LiveServer, path: str, realm: str, expected: bool) -> float:
    """Wait until a client is welcomed, or no longer; how long that took."""
    begin = time.monotonic()
    while welcomed(live, path, realm) != expected:
        assert time.monotonic() - begin < 10, live.log
    return time.monotonic() - begin


def save(page: Page) -> None:
    """Save the form that is open; it must be accepted."""
    page.click("input[name=_save]")
    expect(page.locator(".messagelist .success")).to_be_visible()


def test_transport_configured_in_the_admin_serves_and_goes(page: Page, live: LiveServer) -> None:
    assert welcomed(live, "/ws", "realm1"), "the default of development"

    page.goto(f"{ADMIN}/realm/add/")
    page.fill("#id_name", "office")
    save(page)
    page.goto(f"{ADMIN}/role/add/")
    page.select_option("#id_realm", label="office")
    page.fill("#id_name", "anonymous")
    save(page)
    becomes(live, "/ws", "office", True)
    page.goto(f"{ADMIN}/transport/add/?type=web")
    page.select_option("#id_endpoint_type", "tcp")
    page.fill("#id_port", str(free_port()))
    save(page)
    page.goto(f"{ADMIN}/webpath/add/?type=websocket")
    page.select_option("#id_transport", index=1)
    page.fill("#id_path", "wamp")
    page.locator("summary", has_text=re.compile(r"^\s*Limits\s*$")).click()
    page.fill("#id_attr_options__max_message_size", "-1")
    page.click("input[name=_save]")
    wrong = page.locator("#id_attr_options__max_message_size").locator("xpath=ancestor::div[contains(@class,'errors')]")
    expect(wrong.first).to_be_visible()
    page.fill("#id_attr_options__max_message_size", "65536")
    save(page)

    becomes(live, "/wamp", "office", True)
    assert not welcomed(live, "/ws", "office"), "the default is gone once a transport has a path"
    page.goto(f"{ADMIN}/runningnode/")
    expect(page.locator("#wamp-nodes")).to_be_visible()
    expect(page.locator("#wamp-revision")).to_be_visible()

    with connect(live.url.replace("http", "ws") + "/wamp", subprotocols=["wamp.2.json"]) as client:  # type: ignore[list-item]
        client.send(json.dumps([1, "office", {"roles": {"caller": {}}}]))
        assert json.loads(client.recv(timeout=10))[0] == 2
        page.goto(f"{ADMIN}/webpath/")
        page.click("#result_list tbody th a")
        page.click("a.deletelink")
        expect(page.locator("#wamp-impact")).to_contain_text("1 session ends.")
        page.click("input[type=submit]")
        goodbye = json.loads(client.recv(timeout=10))
        assert goodbye[0] == 6
        assert "removed" in goodbye[1]["message"]
    becomes(live, "/wamp", "office", False)
    becomes(live, "/ws", "office", True)


def test_change_that_ends_sessions_is_confirmed(page: Page, live: LiveServer) -> None:
    """The sessions are those of the process that serves the admin."""
    page.goto(f"{ADMIN}/realm/add/")
    page.fill("#id_name", "lobby")
    page.fill("#id_roles-0-name", "anonymous")
    page.click("input[name=_save]")
    with connect(live.url.replace("http", "ws") + "/ws", subprotocols=["wamp.2.json"]) as client:  # type: ignore[list-item]
        becomes(live, "/ws", "lobby", True)
        client.send(json.dumps([1, "lobby", {"roles": {"caller": {}}}]))
        assert json.loads(client.recv(timeout=10))[0] == 2
        page.goto(f"{ADMIN}/realm/")
        page.click("text=lobby")
        page.fill("#id_name", "lounge")
        page.click("input[name=_save]")
        expect(page.locator("#wamp-impact")).to_contain_text("1 session ends.")
        page.click("#wamp-confirm input[type=submit]")
        expect(page.locator(".messagelist .success")).to_be_visible()
        assert json.loads(client.recv(timeout=10))[2] == "wamp.close.close_realm"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_look_right(page: Page, scheme: str, tmp_path: Path) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for name, path in (
        ("transports", "/transport/"),
        ("transport", "/transport/add/?type=web"),
        ("service", "/webpath/add/?type=websocket"),
        ("realms", "/realm/"),
        ("role", "/role/add/"),
        ("running", "/runningnode/"),
    ):
        page.goto(ADMIN + path)
        page.screenshot(path=str(tmp_path / f"{name}-{scheme}.png"), full_page=True)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} is wider than the window"
