"""The demo page in Chromium: its own interface between two tabs, and other people's libraries inside it."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from ..integration.clients import Client, Event, Kind, ProcessClient, from_json, joined_client
from ..integration.scenarios import BETWEEN_TWO
from ..live import REALM, LiveServer, live_server
from ..requirements import JAVASCRIPT, javascript_packages

pytestmark = pytest.mark.browser

BUNDLES = {
    "autobahn-js": ("autobahn-browser/autobahn.min.js",),
    "wampy": ("wampy/dist/browser/wampy.min.js", "wampy/dist/browser/wampy-all.min.js"),
    "demo": (),
}
PAGE_KINDS = [
    Kind("autobahn-js", "json"),
    Kind("autobahn-js", "msgpack"),
    Kind("wampy", "json"),
    Kind("wampy", "msgpack"),
    Kind("demo", "json"),
]
PAGE_PAIRS = [(kind, PAGE_KINDS[(place + step) % 5]) for place, kind in enumerate(PAGE_KINDS) for step in (0, 2)]
"""Each with itself, and with one of another library; two pairs have two serializations."""
PYTHON_KINDS = [Kind("autobahn-python", "json"), Kind("autobahn-python", "msgpack")]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("live")) as server:
        yield server


class Tabs:
    """Tabs of one browser context, each watched for what a visitor must never see."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.troubles: list[str] = []

    def open(self, *, connected: bool = True) -> Page:
        """A new tab with the demo page, its client connected."""
        page = self.context.new_page()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.troubles.append(f"exception: {error}"))
        page.on("requestfailed", lambda request: self._on_failure(request.failure, request.url))
        page.on("response", lambda answer: self._on_response(answer.status, answer.url))
        page.goto(self.url)
        if connected:
            expect(page.get_by_test_id("state")).to_have_attribute("data-state", "online")
        return page

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text}")

    def _on_failure(self, failure: str | None, url: str) -> None:
        if failure != "net::ERR_ABORTED":  # as the icon of a page that is closed meanwhile
            self.troubles.append(f"failed: {url}: {failure}")

    def _on_response(self, status: int, url: str) -> None:
        if status >= 400:
            self.troubles.append(f"{status}: {url}")


@contextmanager
def opened_tabs(browser: Browser, url: str, **options: Any) -> Iterator[Tabs]:
    """Tabs, closed at the end; nothing may have gone wrong in them that the test does not name."""
    context = browser.new_context(**options)
    tabs = Tabs(context, url)
    try:
        yield tabs
    finally:
        context.close()
    assert tabs.troubles == []


@pytest.fixture
def tabs(browser: Browser, live: LiveServer) -> Iterator[Tabs]:
    with opened_tabs(browser, live.url) as tabs:
        yield tabs


def subscribe(page: Page, topic: str, match: str = "exact") -> None:
    page.bring_to_front()
    page.get_by_test_id("subscribe-topic").fill(topic)
    page.get_by_test_id("subscribe-match").select_option(match)
    page.get_by_test_id("subscribe-button").click()
    expect(page.get_by_test_id("subscription").filter(has_text=f"{topic}{match}")).to_have_count(1)


def publish(page: Page, topic: str, args: str, kwargs: str = "") -> None:
    page.bring_to_front()
    page.get_by_test_id("publish-topic").fill(topic)
    page.get_by_test_id("publish-args").fill(args)
    page.get_by_test_id("publish-kwargs").fill(kwargs)
    page.get_by_test_id("publish-button").click()


def register(page: Page, procedure: str) -> None:
    page.bring_to_front()
    entry = page.locator(f'[data-procedure="{procedure}"]')
    entry.get_by_role("button", name="Register", exact=True).click()
    expect(entry.get_by_role("button", name="Unregister")).to_be_visible()


def call(page: Page, procedure: str, args: str) -> None:
    page.bring_to_front()
    page.get_by_test_id("call-procedure").fill(procedure)
    page.get_by_test_id("call-args").fill(args)
    page.get_by_test_id("call-button").click()


# --- the page itself -------------------------------------------------------------------------------------------


def test_demo_page_connects_and_says_so(tabs: Tabs) -> None:
    page = tabs.open()
    expect(page.get_by_test_id("state-text")).to_have_text("Connected")
    expect(page.get_by_test_id("session-id")).to_have_text(re.compile(r"^[1-9]\d{0,15}$"))
    expect(page.get_by_test_id("serializer")).to_have_text("json")
    expect(page.get_by_test_id("realm")).to_have_text(REALM)
    expect(page.get_by_test_id("authrole")).to_have_text("anonymous")


def test_demo_page_strict_policy_is_sent(browser: Browser, live: LiveServer) -> None:
    with opened_tabs(browser, live.url) as tabs:
        page = tabs.open()
        response = page.reload()
        assert response is not None
        policy = response.header_value("content-security-policy")
        assert policy is not None
        assert policy.split("; ")[0] == "default-src 'self'"
        assert "unsafe" not in policy


def test_demo_page_events_between_two_tabs(tabs: Tabs) -> None:
    one, other = tabs.open(), tabs.open()
    subscribe(one, "com.example.chat")
    publish(other, "com.example.chat", '["Grüße 🚀", 42]', '{"from": "the other tab"}')
    event = one.get_by_test_id("event")
    expect(event).to_have_count(1)
    expect(event).to_contain_text("com.example.chat")
    expect(event.locator("pre")).to_have_text('["Grüße 🚀",42]\n{"from":"the other tab"}')
    expect(other.get_by_test_id("publish-outcome")).to_contain_text("Published to com.example.chat as publication")
    expect(other.get_by_test_id("event")).to_have_count(0)


def test_demo_page_prefix_subscription_shows_each_topic(tabs: Tabs) -> None:
    one, other = tabs.open(), tabs.open()
    subscribe(one, "com.example.rooms", "prefix")
    for room in ("kitchen", "garden"):
        publish(other, f"com.example.rooms.{room}", f'["{room}"]')
        expect(one.get_by_test_id("event").first).to_contain_text(f"com.example.rooms.{room}")
    expect(one.get_by_test_id("event-count")).to_have_text("2")


def test_demo_page_publication_reaches_own_tab_only_when_asked(tabs: Tabs) -> None:
    page = tabs.open()
    subscribe(page, "com.example.mine")
    page.get_by_test_id("publish-include-me").uncheck()
    publish(page, "com.example.mine", '["kept from me"]')
    expect(page.get_by_test_id("publish-outcome")).to_contain_text("com.example.mine")
    page.get_by_test_id("publish-include-me").check()
    publish(page, "com.example.mine", '["for me, too"]')
    expect(page.get_by_test_id("event").locator("pre")).to_have_text(['["for me, too"]'])


def test_demo_page_unsubscribed_tab_hears_nothing(tabs: Tabs) -> None:
    one, other = tabs.open(), tabs.open()
    subscribe(one, "com.example.old")
    subscribe(one, "com.example.new")
    one.bring_to_front()
    one.get_by_role("button", name="Unsubscribe from com.example.old (exact)").click()
    expect(one.get_by_test_id("subscription")).to_have_count(1)
    publish(other, "com.example.old", '["unheard"]')
    expect(other.get_by_test_id("publish-outcome")).to_contain_text("com.example.old")
    publish(other, "com.example.new", '["heard"]')
    expect(one.get_by_test_id("event").locator("pre")).to_have_text(['["heard"]'])


def test_demo_page_calls_between_two_tabs(tabs: Tabs) -> None:
    one, other = tabs.open(), tabs.open()
    register(one, "com.example.add2")
    register(one, "com.example.reverse")
    call(other, "com.example.add2", "[2, 3.5]")
    expect(other.get_by_test_id("call-result")).to_have_text("[5.5]")
    call(other, "com.example.reverse", '["Straße 🚀"]')
    expect(other.get_by_test_id("call-result")).to_have_text('["🚀 eßartS"]')
    expect(one.locator('[data-procedure="com.example.add2"]').get_by_test_id("call-count")).to_have_text("1 call")


def test_demo_page_application_error_is_shown_in_words(tabs: Tabs) -> None:
    one, other = tabs.open(), tabs.open()
    register(one, "com.example.divide")
    call(other, "com.example.divide", "[7, 2]")
    expect(other.get_by_test_id("call-result")).to_have_text('[3]\n{"remainder":1}')
    call(other, "com.example.divide", "[7, 0]")
    problem = other.get_by_test_id("call-problem")
    expect(problem).to_have_text('Cannot divide by zero. [com.example.error.division_by_zero] {"dividend":7}')
    expect(other.get_by_test_id("call-result")).to_have_count(0)


def test_demo_page_unknown_procedure_is_explained(tabs: Tabs) -> None:
    page = tabs.open()
    call(page, "com.example.nobody", "[]")
    expect(page.get_by_test_id("call-problem")).to_contain_text("Nobody has registered com.example.nobody.")


def test_demo_page_unregistered_procedure_is_free_for_another_tab(tabs: Tabs) -> None:
    one, other = tabs.open(), tabs.open()
    register(one, "com.example.add2")
    other.bring_to_front()
    other.locator("#register-add2").click()
    expect(other.get_by_test_id("procedures-problem")).to_contain_text("already registered com.example.add2")
    one.bring_to_front()
    one.locator("#register-add2").click()
    expect(one.locator("#register-add2")).to_have_text("Register")
    register(other, "com.example.add2")
    expect(other.get_by_test_id("procedures-problem")).to_be_hidden()


@pytest.mark.parametrize(
    ("field", "text", "problem"),
    [
        ("publish-args", "[1, 2", "Arguments must be a JSON list"),
        ("publish-args", '{"a": 1}', "Arguments must be a JSON list"),
        ("publish-kwargs", "[1]", "Keyword arguments must be a JSON object"),
        ("publish-topic", "  ", "The topic is missing."),
    ],
)
def test_demo_page_bad_input_is_named_and_not_sent(tabs: Tabs, field: str, text: str, problem: str) -> None:
    page = tabs.open()
    sent = page.get_by_test_id("wire-count").inner_text()
    page.get_by_test_id(field).fill(text)
    page.get_by_test_id("publish-button").click()
    expect(page.get_by_test_id("publish-problem")).to_contain_text(problem)
    expect(page.get_by_test_id(field)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_test_id(field)).to_be_focused()
    assert page.get_by_test_id("wire-count").inner_text() == sent


def test_demo_page_invalid_topic_is_explained(tabs: Tabs) -> None:
    page = tabs.open()
    publish(page, "com.example.with space#", "[]")
    expect(page.get_by_test_id("publish-problem")).to_contain_text("is not a valid URI")


def test_demo_page_shows_the_messages_on_the_wire(tabs: Tabs) -> None:
    page = tabs.open()
    log = page.get_by_test_id("wire-log")
    expect(log).to_be_hidden()
    page.get_by_test_id("wire").locator("summary").click()
    expect(log).to_be_visible()
    subscribe(page, "com.example.wire")
    messages = log.get_by_test_id("wire-message").locator("pre")
    expect(messages).to_have_text(
        [
            re.compile(r"^\[33,1,\d+\]$"),
            '[32,1,{},"com.example.wire"]',
            re.compile(r"^\[2,\d+,\{"),
            re.compile(rf'^\[1,"{REALM}",\{{'),
        ]
    )


def test_demo_page_works_by_keyboard_alone(tabs: Tabs) -> None:
    page = tabs.open()
    page.get_by_test_id("subscribe-topic").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("subscription")).to_have_count(1)
    page.get_by_test_id("publish-args").focus()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_test_id("event")).to_have_count(1)
    page.locator("#register-add2").focus()
    page.keyboard.press("Space")
    expect(page.locator("#register-add2")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#register-add2")).to_be_focused()
    page.get_by_test_id("call-args").focus()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_test_id("call-result")).to_have_text("[5]")


def test_demo_page_every_control_has_a_name(tabs: Tabs) -> None:
    page = tabs.open()
    subscribe(page, "com.example.named")
    nameless = page.eval_on_selector_all(
        "input, select, textarea, button, a",
        """elements => elements
            .filter(each => !(each.labels?.length || each.getAttribute('aria-label') || each.textContent.trim()))
            .map(each => each.outerHTML)""",
    )
    assert nameless == []
    ids = page.eval_on_selector_all("[id]", "elements => elements.map(each => each.id)")
    assert len(ids) == len(set(ids))


# --- coming and going ------------------------------------------------------------------------------------------


def test_demo_page_disconnect_says_goodbye(tabs: Tabs) -> None:
    page = tabs.open()
    page.get_by_test_id("connect").click()
    expect(page.get_by_test_id("state-text")).to_have_text("Offline")
    goodbye = page.get_by_test_id("wire-message").locator("pre")
    expect(goodbye.nth(0)).to_have_text(re.compile(r'^\[6,\{.*\},"wamp\.close\.goodbye_and_out"\]$'))
    expect(goodbye.nth(1)).to_have_text('[6,{},"wamp.close.normal"]')
    expect(page.get_by_test_id("publish-button")).to_be_disabled()
    page.get_by_test_id("connect").click()
    expect(page.get_by_test_id("state-text")).to_have_text("Connected")
    expect(page.get_by_test_id("publish-button")).to_be_enabled()


def test_demo_page_reconnects_and_restores_what_it_had(browser: Browser, tmp_path: Path) -> None:
    """The server goes and comes back; refused connections on the way are the only trouble."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with ExitStack() as stack:
        with live_server(tmp_path / "first") as server:
            context = browser.new_context()
            stack.callback(context.close)
            tabs = Tabs(context, server.url)
            one, other = tabs.open(), tabs.open()
            subscribe(one, "com.example.lasting")
            register(one, "com.example.add2")
            sessions = [page.get_by_test_id("session-id").inner_text() for page in (one, other)]
        for page in (one, other):
            expect(page.get_by_test_id("state")).to_have_attribute("data-state", re.compile("waiting|connecting"))
        expect(one.get_by_test_id("state-message")).to_contain_text("Next attempt in")
        expect(one.get_by_test_id("connect")).to_have_text("Try now")
        stack.enter_context(live_server(tmp_path / "second", port=server.port))
        for page, session in zip((one, other), sessions, strict=True):
            expect(page.get_by_test_id("state")).to_have_attribute("data-state", "online", timeout=30_000)
            expect(page.get_by_test_id("session-id")).not_to_have_text(session)
        expect(one.locator("#register-add2")).to_have_attribute("aria-pressed", "true")
        publish(other, "com.example.lasting", '["still here"]')
        expect(one.get_by_test_id("event").locator("pre")).to_have_text(['["still here"]'])
        call(other, "com.example.add2", "[20, 22]")
        expect(other.get_by_test_id("call-result")).to_have_text("[42]")
    assert [trouble for trouble in tabs.troubles if "ERR_CONNECTION_REFUSED" not in trouble] == []


# --- looks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_demo_page_fits_the_screen(browser: Browser, live: LiveServer, tmp_path: Path, scheme: str, width: int) -> None:
    """Screenshots for people; for the machine: nothing runs out of the page to the side."""
    viewport = {"width": width, "height": 800}
    with opened_tabs(browser, live.url, color_scheme=scheme, viewport=viewport) as tabs:
        page = tabs.open()
        subscribe(page, "com.example.chat")
        subscribe(page, "com.example.a_topic_with_a_rather_long_name_of_the_kind_that_people_have.here", "prefix")
        publish(page, "com.example.chat", json_text := '["' + "long" * 60 + '"]')
        expect(page.get_by_test_id("event").locator("pre")).to_have_text(json_text)
        register(page, "com.example.divide")
        call(page, "com.example.divide", "[1, 0]")
        expect(page.get_by_test_id("call-problem")).to_be_visible()
        page.get_by_test_id("wire").locator("summary").click()
        page.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(number) for number in re.findall(r"\d+", background)[:3]) / 3
        assert (brightness > 200) if scheme == "light" else (brightness < 60)


# --- other people's libraries in the page ----------------------------------------------------------------------


class PageClient(Client):
    """A client in a page: `tests/js/page.js` understands the commands."""

    def __init__(self, kind: Kind, page: Page) -> None:
        super().__init__(kind)
        self.page = page
        self._taken = 0
        for bundle in BUNDLES[kind.library]:
            page.add_script_tag(path=javascript_packages() / bundle)
        page.evaluate("library => import('/wamp-test/page.js').then(() => wampTest.start(library))", kind.library)

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.page.evaluate("command => wampTest.driver.handle(command)", command)
        return answer

    def next_event(self) -> Event:
        """The next event not asked for yet; waits for it."""
        handle = self.page.wait_for_function("taken => wampTest.reports[taken]", arg=self._taken)
        self._taken += 1
        return Event(**from_json(handle.json_value()["event"]))


def serve_test_modules(route: Route) -> None:
    """Modules of `tests/js`, as if the server had them."""
    name = route.request.url.partition("/wamp-test/")[2]
    route.fulfill(path=JAVASCRIPT / name, content_type="text/javascript")


@pytest.fixture(scope="module")
def page_clients(browser: Browser, live: LiveServer) -> Iterator[dict[Kind, list[PageClient]]]:
    """Two clients of each kind, each in a tab of its own. The page's policy is lifted to bring the libraries in."""
    javascript_packages()
    with opened_tabs(browser, live.url, bypass_csp=True) as tabs:
        tabs.context.route("**/wamp-test/**", serve_test_modules)
        clients = {kind: [PageClient(kind, tabs.open()) for _ in range(2)] for kind in PAGE_KINDS}
        for client in (client for pair in clients.values() for client in pair):
            client.open(live.websocket_url, REALM)
        yield clients
        for client in (client for pair in clients.values() for client in pair):
            assert client.leave() == "wamp.close.goodbye_and_out"


@pytest.fixture(scope="module")
def python_clients(live: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Kind, ProcessClient]]:
    directory = tmp_path_factory.mktemp("clients")
    with ExitStack() as stack:
        yield {
            kind: stack.enter_context(joined_client(kind, live.websocket_url, REALM, directory))
            for kind in PYTHON_KINDS
        }


@pytest.mark.full
@pytest.mark.parametrize(("one", "other"), PAGE_PAIRS, ids=str)
def test_libraries_in_the_page_with_each_other(page_clients, one: Kind, other: Kind) -> None:
    for scenario in BETWEEN_TWO:
        scenario(page_clients[one][0], page_clients[other][1])


@pytest.mark.full
@pytest.mark.parametrize("outside", PYTHON_KINDS, ids=str)
@pytest.mark.parametrize("inside", PAGE_KINDS, ids=str)
def test_libraries_in_the_page_with_autobahn_python(page_clients, python_clients, inside: Kind, outside: Kind) -> None:
    for scenario in BETWEEN_TWO:
        scenario(page_clients[inside][0], python_clients[outside])
        scenario(python_clients[outside], page_clients[inside][0])
