"""``docs/live-pages.md``, carried out as it stands in a project that ``startproject`` has just made."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from ..integration.servers import ROOT, assert_quiet, environment_of, free_port, running, until

pytestmark = [pytest.mark.browser, pytest.mark.full]

PAGE = (ROOT / "docs" / "live-pages.md").read_text()
MODELS = """
from django.db import models

class Product(models.Model):
    sku = models.CharField(max_length=20)
    price = models.DecimalField(max_digits=8, decimal_places=2)
"""
URLS = """
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from shop.models import Product

def products(request):
    return render(request, "products.html", {"products": Product.objects.all()})

def raise_price(request):
    product, _ = Product.objects.get_or_create(sku="tea", defaults={"price": 1})
    product.price += 1
    product.save()
    return HttpResponse("done")

urlpatterns = [path("", products), path("raise/", raise_price)]
"""


def block(language: str) -> str:
    """The first example in a language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("project")
    variables = {"DJANGO_SETTINGS_MODULE": "mysite.settings", "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=directory, env=environment_of(**variables), check=True)

    run("-m", "django", "startproject", "mysite", ".")
    run("manage.py", "startapp", "shop")
    settings = directory / "mysite" / "settings.py"
    first = "INSTALLED_APPS = [\n"
    settings.write_text(settings.read_text().replace(first, f"{first}    'wamp_transport', 'daphne', 'shop',\n"))
    written = {"models.py": MODELS, "wamp.py": block("python"), "templates/products.html": block("html")}
    (directory / "shop" / "templates").mkdir()
    for name, text in written.items():
        (directory / "shop" / name).write_text(text)
    (directory / "mysite" / "urls.py").write_text(URLS)
    for command in ("makemigrations", "migrate"):
        run("manage.py", command, "-v", "0")
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with running(command, tmp_path_factory.mktemp("log"), cwd=directory, **variables) as process:
        process.wait_for(port)
        yield f"http://127.0.0.1:{port}/"
        assert process.stop() == 0, process.output
        assert_quiet(process.output)
        assert "WARNINGS" not in process.output


def test_page_of_the_docs_follows_what_is_saved(browser: Browser, url: str) -> None:
    elsewhere = browser.new_context().new_page()
    elsewhere.goto(url + "raise/")
    page = browser.new_context().new_page()
    received: list[str | bytes] = []

    def hear(message: str | bytes) -> None:
        received.append(message)

    page.on("websocket", lambda opened: opened.on("framereceived", hear))
    page.goto(url)

    def is_subscribed() -> bool:
        page.wait_for_timeout(10)  # events are told meanwhile
        return any(str(message).startswith("[33,") for message in received)

    until(is_subscribed, "SUBSCRIBED")
    expect(page.locator("[data-product]")).to_have_text("2.00")
    elsewhere.goto(url + "raise/")
    expect(page.locator("[data-product]")).to_have_text("3.00")
    for each in (page, elsewhere):
        each.context.close()
