"""The examples of docs/django-api.md run, one after the other, as they stand there."""

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest
from django.test import override_settings

from tests.django.test_api import Serving
from tests.integration.servers import until
from wamp_transport import api
from wamp_transport.conf import app_settings
from wamp_transport.router.options import RealmOptions

PAGE = Path(__file__).parents[2] / "docs" / "django-api.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def sold_out(invocation):
    raise api.ApplicationError("com.shop.error.sold_out", "A1", left=0)


async def export(invocation):
    await invocation.progress([50])
    return 100


@pytest.fixture
def serving():
    """A process that serves, with the procedures that the page calls."""
    serving = Serving(RealmOptions("realm1"))
    api.register("com.shop.add", lambda invocation: sum(invocation.args))
    api.register("com.shop.buy", sold_out)
    api.register("com.shop.export", export)
    yield serving
    serving.stop()


def run(snippet, names):
    """Execute a snippet, which may await."""
    code = compile(snippet, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)


@pytest.mark.django_db(transaction=True)
def test_snippets_run(serving, capsys):
    names = {}
    events = []
    api.subscribe("com.shop.order.", lambda event: events.append((event.topic, event.args)), match="prefix")
    for snippet in SNIPPETS:
        run(snippet, names)
    assert names["total"] == 5
    assert names["answer"] == "com.shop.error.sold_out ('A1',) {'left': 0}"
    assert names["doubled"] == 42
    assert (names["info"].authid, names["info"].authrole) == ("django", "trusted")
    assert capsys.readouterr().out.split()[:4] == ["50", "100", "50", "100"]
    until(lambda: len(events) == 5, "all events heard")
    assert [args[0] for _, args in events] == [17, 18, 19, 19, 20]
    assert [topic.rpartition(".")[2] for topic, _ in events[2:4]] == ["seen", "paid"]
    with override_settings(WAMP_TRANSPORT=names["WAMP_TRANSPORT"]):
        assert app_settings().faults == ()
