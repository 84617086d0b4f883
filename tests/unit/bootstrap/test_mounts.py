"""Configured services become applications."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from wamp_transport.bootstrap.cookies import CookieStores
from wamp_transport.bootstrap.mounts import Mount, mount
from wamp_transport.config.configuration import router_options
from wamp_transport.config.reader import read_mapping
from wamp_transport.node.node import Node
from wamp_transport.webservices.json_value import JsonValue
from wamp_transport.webservices.nodeinfo import NodeInfo
from wamp_transport.webservices.not_found import NotFound
from wamp_transport.webservices.redirect import Redirect
from wamp_transport.webservices.static import StaticFiles
from wamp_transport.webservices.websocket_status import WebSocketStatus


def mounted(settings: dict[str, Any], directory: Path = Path("/")) -> Mount:
    worker = {"type": "router", "transports": [{"type": "web", "paths": {"at": settings}}]}
    configuration = read_mapping({"version": 2, "workers": [worker]}, directory)

    async def make() -> Mount:
        node = Node(router_options(configuration), asyncio.get_running_loop())
        return mount(configuration.services[0], configuration, node, CookieStores())

    return asyncio.run(make())


def test_websocket_service_has_a_page_and_a_consumer() -> None:
    found = mounted({"type": "websocket", "options": {"max_message_size": 5}})
    assert isinstance(found.http, WebSocketStatus)
    assert found.websocket is not None


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"type": "json", "value": [1]}, JsonValue),
        ({"type": "redirect", "url": "http://there/"}, Redirect),
        ({"type": "nodeinfo"}, NodeInfo),
        ({"type": "static", "directory": "."}, StaticFiles),
        ({"type": "static", "directory": "missing"}, NotFound),
        ({"type": "static", "package": "wamp_transport", "resource": "webservices"}, StaticFiles),
        ({"type": "static", "package": "no_such_package", "resource": "x"}, NotFound),
        ({"type": "caller", "realm": "realm1", "role": "anonymous"}, NotFound),
    ],
    ids=repr,
)
def test_service_has_the_application_of_its_type(settings: dict[str, Any], kind: type, tmp_path: Path) -> None:
    found = mounted(settings, tmp_path)
    assert isinstance(found.http, kind)
    assert found.websocket is None


@pytest.mark.expects_errors("The service at /at answers 404: not a file that may be served:")
def test_service_that_cannot_be_made_answers_404_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = {"default_file": "../secret.html"}
    found = mounted({"type": "static", "directory": ".", "options": options}, tmp_path)
    assert isinstance(found.http, NotFound)
    assert "/at" in caplog.text
    assert "../secret.html" in caplog.text
