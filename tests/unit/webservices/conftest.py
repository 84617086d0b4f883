"""Drives ASGI applications in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

from ...django_setup import block_database  # noqa: F401 - a fixture


@dataclass
class Reply:
    """What an application sent, put together."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def is_complete(self) -> bool:
        return bool(self.messages) and self.messages[-1].get("more_body") is False


def make_scope(
    path: str = "/", method: str = "GET", headers: Any = (), *, decoded: str | None = None, **more: Any
) -> dict[str, Any]:
    """Return the scope a server makes of a request line; `path` is percent-encoded and may have a query.

    `decoded` and `more` are put in as they are.
    """
    raw, _, query = path.partition("?")
    pairs = headers.items() if isinstance(headers, dict) else headers
    return {
        "type": "http",
        "method": method,
        "path": unquote(raw) if decoded is None else decoded,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        **more,
    }


async def exchange(app: Any, scope: dict[str, Any], on_send: Callable[[dict], Awaitable[None]] | None = None) -> Reply:
    """Run one request; the client stays until the answer is complete."""
    reply = Reply()
    never = asyncio.Event()
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if requests:
            return requests.pop()
        await never.wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        reply.messages.append(dict(message))
        if on_send is not None:
            await on_send(message)

    await app(scope, receive, send)
    return reply


@pytest.fixture
def scope():
    return make_scope


@pytest.fixture
def talk():
    return exchange


@pytest.fixture
def ask():
    def ask(app: Any, path: str = "/", method: str = "GET", headers: Any = (), **more: Any) -> Reply:
        reply = asyncio.run(exchange(app, make_scope(path, method, headers, **more)))
        assert reply.is_complete
        if method == "HEAD":
            assert reply.body == b""
        return reply

    return ask
