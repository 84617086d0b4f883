"""The shop of ``examples/``: two browsers, one orders and the other sees it; who logs out is out."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, WebSocketRoute, expect

from ..integration.servers import ROOT, assert_quiet, environment_of, free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.full]

SHOP = ROOT / "examples" / "shop"


def manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What makes the example a project of its own, with a database of its own."""
    return {
        "SHOP_DATABASE": str(tmp_path_factory.mktemp("database") / "shop.sqlite3"),
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="module")
def url(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for command in ("migrate", "prepareshop"):
        subprocess.run(manage(command, "-v", "0"), cwd=SHOP, env=environment_of(**variables), check=True)
    port = free_port()
    command = manage("runserver", "--noreload", f"127.0.0.1:{port}")
    with running(command, tmp_path_factory.mktemp("log"), cwd=SHOP, **variables) as process:
        process.wait_for(port)
        yield f"http://127.0.0.1:{port}/"
        assert process.stop() == 0, process.output
        assert_quiet(process.output)


@contextmanager
def visitor(browser: Browser, url: str, name: str = "", **options: Any) -> Iterator[Page]:
    """The shop in a browser of its own, logged in if a name is given; nothing may go wrong in its pages."""
    context = browser.new_context(**options)
    troubles: list[str] = []
    context.on("response", lambda answer: troubles.append(answer.url) if is_trouble(answer) else None)
    context.on("weberror", lambda error: troubles.append(str(error.error)))
    page = context.new_page()
    try:
        page.goto(url)
        if name:
            page.get_by_test_id("login").click()
            page.locator("[name=username]").fill(name)
            page.locator("[name=password]").fill("shop")
            page.get_by_role("button", name="Log in").click()
        until_live(page)
        yield page
    finally:
        context.close()
    assert troubles == []


def is_trouble(answer: Response) -> bool:
    """Whether something is missing or wrong; the admin has no icon."""
    return answer.status >= 400 and not answer.url.endswith("/favicon.ico")


def until_live(page: Page) -> None:
    # The longest delay between two attempts is 20 s.
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "online", timeout=30_000)


def stock(page: Page, sku: str) -> Any:
    return expect(page.get_by_test_id(sku).locator("[data-stock]"))


def order(page: Page, sku: str) -> None:
    page.get_by_test_id(sku).get_by_role("button", name="Order one").click()


def test_what_one_orders_others_see_and_only_the_keeper_knows_whose_it_is(browser: Browser, url: str) -> None:
    with (
        visitor(browser, url, "ann") as ann,
        visitor(browser, url, "joe") as joe,
        visitor(browser, url, "kim", color_scheme="dark") as kim,
        visitor(browser, url) as passer_by,
    ):
        expect(passer_by.get_by_role("button", name="Order one")).to_have_count(0)
        before = int(ann.get_by_test_id("lamp").locator("[data-stock]").inner_text())
        order(ann, "lamp")
        for page in (ann, joe, kim, passer_by):
            stock(page, "lamp").to_have_text(str(before - 1))
        shown = kim.get_by_test_id("orders").locator("tr").first
        expect(shown).to_contain_text(re.compile("ann.*Desk lamp"))
        shown.get_by_role("button", name="Ship").click()
        expect(ann.get_by_test_id("orders").locator("tr").first).to_contain_text("shipped")
        expect(joe.get_by_test_id("orders").locator("tr")).to_have_count(0)


def test_shelves_are_filled_with_progress_and_prices_follow_the_admin(browser: Browser, url: str) -> None:
    with visitor(browser, url, "kim") as kim, visitor(browser, url) as passer_by:
        kim.get_by_test_id("restock").click()
        expect(kim.get_by_test_id("restocked")).to_have_text("Teapot (6 of 6)")
        stock(passer_by, "lamp").to_have_text("12")
        admin = kim.context.new_page()
        admin.goto(url + "admin/shop/product/")
        admin.locator("[name=form-0-price]").fill("8.10")
        admin.get_by_role("button", name="Save").click()
        expect(passer_by.get_by_test_id("ink").locator("[data-price]")).to_have_text("8.10")


def test_logging_out_in_one_tab_ends_the_session_of_the_other(browser: Browser, url: str) -> None:
    with visitor(browser, url, "ann") as one, visitor(browser, url, "ann") as elsewhere:
        other = one.context.new_page()
        other.goto(url)
        until_live(other)
        other.get_by_test_id("logout").click()
        expect(other.get_by_test_id("login")).to_be_visible()
        expect(one.get_by_test_id("notice")).to_have_text("You have logged out. Reload the page to look around.")
        expect(one.get_by_test_id("state")).to_have_attribute("data-state", "offline")
        until_live(elsewhere)
        one.reload()
        until_live(one)
        expect(one.get_by_test_id("login")).to_be_visible()


def test_orders_that_are_deleted_go_from_all_pages_and_from_those_that_were_away_as_soon_as_they_are_back(
    browser: Browser, url: str
) -> None:
    with visitor(browser, url, "joe") as joe, visitor(browser, url, "kim") as kim:
        away, line = joe.context.new_page(), Line()
        away.route_web_socket("**/ws", line.open)
        away.goto(url)
        until_live(away)
        for count in (1, 2):
            order(joe, "ink")
            expect(away.get_by_test_id("orders").locator("tr")).to_have_count(count)
        delete_latest_order(kim, url)
        for page in (joe, away):
            expect(page.get_by_test_id("orders").locator("tr")).to_have_count(1)
        line.cut()
        expect(away.get_by_test_id("state")).not_to_have_attribute("data-state", "online")
        delete_latest_order(kim, url)
        expect(joe.locator("#no-orders")).to_be_visible()
        expect(away.get_by_test_id("orders").locator("tr")).to_have_count(1)
        line.mend()
        until_live(away)
        expect(away.get_by_test_id("orders").locator("tr")).to_have_count(0)
        expect(away.locator("#no-orders")).to_be_visible()


class Line:
    """What lies between a page and the router."""

    def __init__(self) -> None:
        self._is_cut = False
        self._sockets: list[WebSocketRoute] = []

    def open(self, socket: WebSocketRoute) -> None:
        """The page opens a WebSocket."""
        if self._is_cut:
            socket.close()
            return
        socket.connect_to_server()
        self._sockets.append(socket)

    def cut(self) -> None:
        """Nothing comes through any more."""
        self._is_cut = True
        for socket in self._sockets:
            socket.close()

    def mend(self) -> None:
        """The next attempt comes through."""
        self._is_cut = False


def delete_latest_order(keeper: Page, url: str) -> None:
    page = keeper.context.new_page()
    page.goto(url + "admin/shop/order/")
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("link", name="Delete", exact=True).click()
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".success")).to_be_visible()


def test_its_own_tests_pass(variables: dict[str, str]) -> None:
    command = [sys.executable, "-W", "error::ResourceWarning", "manage.py", "test"]
    done = subprocess.run(
        command, cwd=SHOP, env=environment_of(**variables), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr
