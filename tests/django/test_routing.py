"""What answers: the configured paths first, then the project's own application."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.test import override_settings

from wamp_transport.bootstrap import cluster
from wamp_transport.bootstrap import runtime as bootstrap
from wamp_transport.bootstrap.runtime import Runtime, install
from wamp_transport.bootstrap.sources import MappingSource
from wamp_transport.routing import WampApplication, wamp_application
from wamp_transport.webservices.django_static import DjangoStaticFiles
from wamp_transport.webservices.paths import REST

PATHS = {"ws": {"type": "websocket"}, "value": {"type": "json", "value": 1}}


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setattr(bootstrap, "_runtime", None)
    monkeypatch.setattr(bootstrap.nodes, "report", lambda *_, **__: None)
    monkeypatch.setattr(bootstrap.nodes, "forget", lambda *_: None)
    worker = {"type": "router", "transports": [{"type": "web", "paths": PATHS}]}
    return install(Runtime(MappingSource({"version": 2, "workers": [worker]})))


class Django(ASGIHandler):
    """Django, as far as it is told apart; it notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope)
        await send({"type": "http.response.start", "status": 418, "headers": []})


def ask(application: Any, runtime: Runtime, *events: dict[str, Any], **scope: Any) -> list[dict[str, Any]]:
    """What an application sends for a scope and events."""
    sent: list[dict[str, Any]] = []

    async def whole() -> None:
        pending = iter(events)

        async def receive() -> dict[str, Any]:
            return next(pending)

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        try:
            await application({"headers": [], "method": "GET", "query_string": b"", **scope}, receive, send)
        finally:
            await runtime.stop()

    asyncio.run(whole())
    return sent


def test_configured_path_answers_before_django(runtime: Runtime) -> None:
    django = Django()
    for path, status in (("/value", 200), ("/value/", 200), ("/value/x", 404)):
        sent = ask(wamp_application(django), runtime, type="http", path=path)
        assert sent[0]["status"] == status
    assert django.asked == []


def test_service_is_told_what_is_left_of_the_path(runtime: Runtime) -> None:
    seen: list[Any] = []

    async def http(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope[REST])

    async def whole() -> None:
        await runtime.start()
        assert runtime.started is not None
        for mount in runtime.started.mounts.by_key.values():
            object.__setattr__(mount, "http", http)
        await WampApplication(Django())({"type": "http", "path": "/value/a/b", "headers": []}, None, None)
        await runtime.stop()

    asyncio.run(whole())
    assert seen == [("a", "b")]


def test_other_path_is_django(runtime: Runtime) -> None:
    django = Django()
    scope = {"type": "http", "path": "/other"}
    assert ask(WampApplication(django, serve_static=False), runtime, **scope)[0]["status"] == 418
    assert [each["path"] for each in django.asked] == ["/other"]


def test_django_has_its_static_files_in_front(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("a page")
    django = Django()
    application = WampApplication(django)
    with override_settings(STATICFILES_DIRS=[tmp_path], STATIC_URL="/static/", DEBUG=True):
        assert ask(application, runtime, type="http", path="/static/page.txt")[0]["status"] == 200
    assert django.asked == []
    assert application._static is not None
    assert isinstance(application._static.result(), DjangoStaticFiles)


def test_static_files_can_be_left_out(runtime: Runtime) -> None:
    django = Django()
    application = WampApplication(django).without_static()
    assert ask(application, runtime, type="http", path="/static/page.txt")[0]["status"] == 418


def test_django_without_the_staticfiles_app_is_asked_itself(runtime: Runtime) -> None:
    django = Django()
    with override_settings(INSTALLED_APPS=["wamp_transport"]):
        assert ask(WampApplication(django), runtime, type="http", path="/x")[0]["status"] == 418


@pytest.mark.parametrize("path", ["/other", "/value"])
def test_websocket_without_a_service_is_refused_for_django(runtime: Runtime, path: str) -> None:
    django = Django()
    extensions = {"websocket.http.response": {}}
    sent = ask(WampApplication(django), runtime, type="websocket", path=path, extensions=extensions)
    assert sent[0]["status"] == 404
    assert django.asked == []


@pytest.mark.parametrize("path", ["/other", "/value"])
def test_websocket_without_a_service_goes_to_an_application_of_its_own(runtime: Runtime, path: str) -> None:
    asked: list[str] = []

    async def own(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])

    ask(WampApplication(own), runtime, type="websocket", path=path)
    assert asked == [path]


def test_websocket_of_a_service_reaches_its_consumer(runtime: Runtime) -> None:
    events = ({"type": "websocket.connect"}, {"type": "websocket.disconnect"})
    scope = {"type": "websocket", "path": "/ws", "subprotocols": ["wamp.2.json"]}
    sent = ask(WampApplication(Django()), runtime, *events, **scope)
    assert sent == [{"type": "websocket.accept", "subprotocol": "wamp.2.json"}]


def test_lifespan_starts_and_stops_the_node(runtime: Runtime) -> None:
    events = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    sent = ask(WampApplication(Django()), runtime, *events, type="lifespan")
    assert [event["type"] for event in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert runtime.snapshot is not None


def test_invalid_cluster_settings_are_not_ignored(runtime: Runtime, settings: Any, monkeypatch: Any) -> None:
    """A process that cannot join must not serve as a router of its own."""
    monkeypatch.setattr(cluster, "_is_test_run", lambda: False)
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "a b", "URL": "redis://127.0.0.1"}, "AUDIT_DAYS": -1}
    runtime = install(Runtime(runtime.source, joins_cluster=True))
    sent = ask(WampApplication(Django()), runtime, {"type": "lifespan.startup"}, type="lifespan")
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "invalid cluster name" in sent[0]["message"]
    assert "AUDIT_DAYS" not in sent[0]["message"]


def test_tests_never_join(runtime: Runtime, settings: Any) -> None:
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "shop", "URL": "redis://127.0.0.1:1"}}
    runtime = install(Runtime(runtime.source, joins_cluster=True))
    sent = ask(WampApplication(Django()), runtime, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"},
               type="lifespan")  # fmt: skip
    assert sent[0]["type"] == "lifespan.startup.complete"
    assert runtime.cluster_status == ""


def test_lifespan_tells_of_a_start_that_failed(runtime: Runtime) -> None:
    runtime.source = MappingSource({"version": 2, "wokers": []})
    sent = ask(WampApplication(Django()), runtime, {"type": "lifespan.startup"}, type="lifespan")
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "wokers" in sent[0]["message"]
