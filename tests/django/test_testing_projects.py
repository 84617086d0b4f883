"""A user's small project and its tests, run as users run them: by Django, by pytest, in parallel."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.long, pytest.mark.full]

FILES = {
    "manage.py": """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
from django.core.management import execute_from_command_line
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
""",
    "project/__init__.py": "",
    "project/settings.py": """
SECRET_KEY = "x"
INSTALLED_APPS = ["wamp_transport", "daphne", "django.contrib.contenttypes", "django.contrib.auth", "orders"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "production.sqlite3"}}
ROOT_URLCONF = "project.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# What must not be spoken to in tests.
WAMP_TRANSPORT = {"API": {"URL": "ws://127.0.0.1:1/ws", "REALM": "realm1"}}
""",
    "project/urls.py": """
from django.urls import path
from orders import views
urlpatterns = [path("orders/", views.create), path("async-orders/", views.acreate)]
""",
    "orders/__init__.py": "",
    "orders/migrations/__init__.py": "",
    "orders/models.py": """
from django.db import models
class Order(models.Model):
    sku = models.CharField(max_length=20)
""",
    "orders/migrations/0001_initial.py": """
from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.CreateModel("Order", [
        ("id", models.BigAutoField(primary_key=True, auto_created=True, serialize=False, verbose_name="ID")),
        ("sku", models.CharField(max_length=20)),
    ])]
""",
    "orders/views.py": """
from django.db import transaction
from django.http import JsonResponse
from orders.models import Order
from wamp_transport import api
def create(request):
    with transaction.atomic():
        order = Order.objects.create(sku=request.POST["sku"])
        api.publish("com.shop.order.created", order.sku)
    return JsonResponse({"price": api.call("com.shop.price", order.sku)})
async def acreate(request):
    order = await Order.objects.acreate(sku=request.POST["sku"])
    await api.apublish("com.shop.order.created", order.sku)
    return JsonResponse({"price": await api.acall("com.shop.price", order.sku)})
""",
    "orders/wamp.py": """
from orders.models import Order
from wamp_transport.handlers import register
@register("com.shop.count")
def count(sku: str) -> int:
    return Order.objects.filter(sku=sku).count()
""",
    "orders/tests.py": """
from django.contrib.auth.models import User
from orders.models import Order
from wamp_transport import api
from wamp_transport.testing import WampClient, WampSimpleTestCase, WampTestCase, WampTransactionTestCase

class Orders(WampTestCase):
    def setUp(self):
        self.wamp_client.register("com.shop.price", lambda invocation: "2.50")

    def test_order_is_told(self):
        with self.runOnCommit():
            answer = self.client.post("/orders/", {"sku": "tea"})
        self.assertEqual(answer.json(), {"price": "2.50"})
        self.assertPublished("com.shop.order.created", args=["tea"], count=1)
        self.assertCalled("com.shop.price", args=["tea"])
        self.assertEqual(WampClient(User.objects.create_user("joe")).call("com.shop.count", "tea"), 1)

    async def test_order_is_told_by_coroutines(self):
        answer = await self.async_client.post("/async-orders/", {"sku": "tea"})
        self.assertEqual(answer.json(), {"price": "2.50"})
        self.assertNotPublished("com.shop.order.created")
        self.assertEqual(await self.wamp_client.acall("com.shop.count", "tea"), 1)

class Plain(WampSimpleTestCase):
    def test_nothing_of_others_is_seen(self):
        self.assertEqual(len(self.wamp.recording), 0)
        api.publish("com.shop.x")
        self.assertPublished("com.shop.x", count=1)

class Committed(WampTransactionTestCase):
    def test_order_is_told(self):
        self.wamp_client.register("com.shop.price", lambda invocation: "2.50")
        self.client.post("/orders/", {"sku": "ink"})
        self.assertPublished("com.shop.order.created", args=["ink"], count=1)
        self.assertEqual(Order.objects.count(), 1)
""",
    "test_fixtures.py": """
import asyncio
import pytest
from wamp_transport import api

def test_client_hears(wamp_client, wamp_recording):
    wamp_client.subscribe("com.shop.x")
    api.publish("com.shop.x", 1)
    assert wamp_client.receive().args == [1]
    wamp_recording.assert_published("com.shop.x", [1], count=1)
    assert len(wamp_recording) == 1
    assert wamp_recording[0].topic == "com.shop.x"

def test_nothing_of_others_is_seen(wamp_recording):
    assert list(wamp_recording) == []

def test_clock(wamp_client, wamp_clock):
    async def never(invocation):
        await asyncio.Event().wait()
    wamp_client.register("com.never", never)
    with pytest.raises(api.CallTimeout):
        api.call("com.never", timeout=3)
    assert wamp_clock.time == 3

ROLES = [{"name": "anonymous"}, {"name": "clerk"}]
CONFIG = {"version": 2, "workers": [{"type": "router", "realms": [{"name": "realm1", "roles": ROLES}]}]}

@pytest.mark.wamp(config=CONFIG, handlers=False)
def test_marker(wamp_client_factory):
    with pytest.raises(api.NotAuthorized):
        wamp_client_factory(role="clerk").call("com.shop.count", "tea")
    with pytest.raises(api.SessionClosed):
        wamp_client_factory(role="boss").call("com.shop.count", "tea")

def test_coroutine(wamp_client, wamp_recording):
    async def use():
        await wamp_client.asubscribe("com.shop.x")
        await api.apublish("com.shop.x", 1)
        assert (await wamp_client.areceive()).args == [1]
    asyncio.run(use())
    wamp_recording.assert_published("com.shop.x")
""",
    "test_database.py": """
import pytest
from orders.models import Order
from wamp_transport.testing import assert_published, run_on_commit

@pytest.mark.django_db
def test_handler_sees_the_transaction_of_the_test(wamp_client, client):
    Order.objects.create(sku="tea")
    assert wamp_client.call("com.shop.count", "tea") == 1
    wamp_client.register("com.shop.price", lambda invocation: "2.50")
    with run_on_commit():
        client.post("/orders/", {"sku": "tea"})
    assert_published("com.shop.order.created", ["tea"], count=1)

def test_fixture_of_the_database_may_come_later(wamp_client, db):
    assert wamp_client.call("com.shop.count", "tea") == 0

def test_real_commits(wamp_client, wamp_recording, transactional_db, client):
    wamp_client.register("com.shop.price", lambda invocation: "2.50")
    client.post("/orders/", {"sku": "tea"})
    wamp_recording.assert_published("com.shop.order.created", ["tea"], count=1)
""",
    "test_failing.py": """
from wamp_transport import api
def test_fails(wamp_recording):
    api.publish("com.shop.x", 1)
    wamp_recording.assert_published("com.shop.y")
""",
    "test_everywhere.py": """
from wamp_transport import api
from wamp_transport.testing import assert_published
def test_every_test_has_a_router():
    api.publish("com.shop.x", 1)
    assert_published("com.shop.x")
""",
    "test_no_django.py": """
import sys
def test_plugin_has_imported_nothing():
    assert [name for name in sys.modules if name.partition(".")[0] in ("django", "msgspec", "twisted")] == []
def test_fixture_says_what_is_missing(request):
    request.getfixturevalue("wamp_client")
""",
}


@pytest.fixture
def project(tmp_path):
    """The project in a directory."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def run(project, *command, status=0, **variables):
    """The output of a command in the project."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO"))}
    environment = {**clean, "PYTHONPATH": f"{project}{os.pathsep}{ROOT}", "PYTHONWARNINGS": "error", **variables}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    return said


PLUGIN = "wamp_transport.testing.pytest_plugin"
DJANGO = ("-p", "pytest_django.plugin", "--ds", "project.settings")


def with_pytest(project, *arguments, status=0, **variables):
    """The output of pytest with this plugin, named as its entry point does, and only the others that are wanted."""
    command = ["-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "-p", PLUGIN, *arguments]
    return run(project, *command, status=status, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", **variables)


def test_django_runs_the_tests(project):
    assert "Ran 4 tests" in run(project, "manage.py", "test", "orders")
    assert not (project / "production.sqlite3").exists()


def test_django_runs_them_in_parallel(project):
    assert "Ran 4 tests" in run(project, "manage.py", "test", "orders", "--parallel", "2")


def test_pytest_runs_them_with_pytest_django(project):
    files = ["orders/tests.py", "test_fixtures.py", "test_database.py", "test_everywhere.py", "test_failing.py"]
    said = with_pytest(project, *DJANGO, "-o", "wamp_in_memory=true", *files, status=1)
    assert "1 failed, 13 passed" in said
    assert "com.shop.y was not published." in said
    assert "1. com.shop.x args [1] kwargs {}" in said


def test_pytest_runs_them_in_parallel(project):
    said = with_pytest(project, *DJANGO, "-p", "xdist.plugin", "-n", "2", "orders/tests.py", "test_fixtures.py")
    assert "9 passed" in said


def test_pytest_runs_them_without_pytest_django(project):
    files = ["test_fixtures.py", "test_everywhere.py"]
    said = with_pytest(project, *files, status=1, DJANGO_SETTINGS_MODULE="project.settings")
    assert "1 failed, 5 passed" in said  # test_everywhere has no router unless the configuration says so


def test_project_without_django_is_left_alone(project):
    said = with_pytest(project, "test_no_django.py", status=1)
    assert "1 failed, 1 passed" in said
    assert "set DJANGO_SETTINGS_MODULE" in said


# --- the page about it -----------------------------------------------------------------------------------------------

SHOP = {
    "orders/views.py": """
from django.db import transaction
from django.http import HttpResponse
from orders.models import Order
from wamp_transport import api
def create(request):
    with transaction.atomic():
        order = Order.objects.create(sku=request.POST["sku"])
        api.publish("com.shop.order.created", order.sku)
    return HttpResponse(status=201)
def count(request):
    return HttpResponse(str(Order.objects.count()))
""",
    "project/urls.py": """
from django.urls import path
from orders import views
urlpatterns = [path("orders/", views.create), path("orders/count/", views.count)]
""",
    "orders/wamp.py": FILES["orders/wamp.py"]
    + """
@register("com.shop.cancel", permission="orders.delete_order")
def cancel(sku: str) -> None: ...
""",
}


def test_examples_of_the_page_pass(project):
    page = (ROOT / "docs" / "testing.md").read_text()
    examples = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) > 7
    for name, text in {**SHOP, "test_examples.py": "\n".join(examples)}.items():
        (project / name).write_text(text)
    said = with_pytest(project, *DJANGO, "test_examples.py")
    tests = sum(text.count("def test_") for text in examples)
    assert f"{tests} passed" in said
