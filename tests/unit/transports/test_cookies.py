"""The cookie of a service: found among others, set when there is none that counts."""

import asyncio
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import override_settings

from wamp_transport.config.cookie import Cookie
from wamp_transport.node.connection import Connection
from wamp_transport.node.node import Node
from wamp_transport.router.options import RouterOptions, ServiceOptions
from wamp_transport.stores.cookies.async_store import AsyncCookieStore
from wamp_transport.stores.cookies.memory import MemoryCookies
from wamp_transport.stores.cookies.records import CookieStoreError, new_record
from wamp_transport.transports.cookies import (
    CookieTracker,
    SessionCookie,
    SessionCookies,
    Visitor,
    client_of,
    connections_of,
    cookies_named,
    log_out,
)
from wamp_transport.transports.encoders import PLAIN_ENCODERS
from wamp_transport.transports.negotiation import Refusal

VALUE = "abcdefghijklmnopqrstuvw-"


def scope(*cookies: str, **more: Any) -> dict[str, Any]:
    headers = [(b"cookie", one.encode("latin-1")) for one in cookies]
    return {"headers": headers, "extensions": {"websocket.http.response": {}}, **more}


@pytest.mark.parametrize(
    "headers",
    [
        [f"cbtid={VALUE}"],
        [f'cbtid="{VALUE}"'],
        [f"sessionid=x1; csrftoken=y; cbtid={VALUE}"],
        [f"cbtid={VALUE};sessionid=x1"],
        [f"sessionid=x1, cbtid={VALUE}"],
        ["sessionid=x1", f"cbtid={VALUE}"],
        [f"other=[1]; cbtid={VALUE}"],
        [f'json={{"a":1}}; q="; cbtid={VALUE}'],
        [f"; ;=; novalue; cbtid = {VALUE} ;"],
        [f"caf\xe9=\xff; cbtid={VALUE}"],
        [f"xcbtid=zzzzzzzz; CBTID=zzzzzzzz; cbtid={VALUE}"],
        [f"cbtid=; cbtid=short; cbtid={'x' * 65}; cbtid=a%20b c d e; cbtid={VALUE}; cbtid={VALUE}"],
    ],
)
def test_cookie_is_found_whatever_is_beside_it(headers: list[str]) -> None:
    assert cookies_named("cbtid", scope(*headers)) == [VALUE]


@pytest.mark.parametrize(
    "headers", [[], [""], ["cbtid"], ["cbtid="], ["cbtid=abc"], ["cbtid=\u00fcmlaut-x"], ["=cbtid"]]
)
def test_no_cookie_is_found_where_there_is_none(headers: list[str]) -> None:
    assert cookies_named("cbtid", scope(*headers)) == []


def test_only_a_few_of_one_name_are_looked_up() -> None:
    cookies = "; ".join(f"cbtid=value{number:04}" for number in range(1000))
    assert cookies_named("cbtid", scope(cookies)) == ["value0000", "value0001", "value0002", "value0003"]


def admitted(*scopes: dict[str, Any], **settings: Any) -> list[Visitor]:
    async def scenario() -> list[Visitor]:
        tracker = CookieTracker(Cookie(**settings), AsyncCookieStore(MemoryCookies(100)), "/ws")
        found = [await tracker.admit(one) for one in scopes]
        assert all(isinstance(one, Visitor) for one in found)
        return found  # type: ignore[return-value]

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("settings", "scheme", "attributes"),
    [
        ({}, "ws", "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"),
        ({}, "wss", "Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax"),
        ({}, "https", "Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax"),
        ({"secure": True}, "ws", "Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax"),
        ({"secure": False}, "wss", "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"),
        ({"http_strict": False, "same_site": None, "max_age": 5}, "ws", "Path=/; Max-Age=5"),
        ({"same_site": "None", "secure": True}, "wss", "Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=None"),
    ],
)
def test_header_has_the_attributes_configured(settings: dict[str, Any], scheme: str, attributes: str) -> None:
    (visitor,) = admitted(scope(scheme=scheme), **settings)
    assert visitor.set_cookie is not None
    pair, _, rest = visitor.set_cookie.decode().partition("; ")
    assert re.fullmatch(r"cbtid=[A-Za-z0-9_-]{24}", pair)
    assert rest == attributes
    assert visitor.headers == [(b"set-cookie", visitor.set_cookie)]
    assert pair.partition("=")[2] not in repr(visitor)


def test_known_cookie_is_kept_and_unknown_one_replaced() -> None:
    async def scenario() -> None:
        tracker = CookieTracker(Cookie(name="me", length=64), AsyncCookieStore(MemoryCookies(10)), "/ws")
        first = await tracker.admit(scope("me=" + "x" * 64))
        assert isinstance(first, Visitor)
        assert first.set_cookie is not None
        pair = first.set_cookie.decode().partition(";")[0]
        second = await tracker.admit(scope(f"sessionid=1; me={'y' * 64}; {pair}"))
        assert second == Visitor(first.id)
        assert second.headers == []

    asyncio.run(scenario())


def test_server_that_cannot_set_cookies_gets_none_and_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        store = MemoryCookies(10)
        tracker = CookieTracker(Cookie(), AsyncCookieStore(store), "/ws")
        for extensions in ({}, None):
            assert await tracker.admit(scope(extensions=extensions)) is None
        assert len(store) == 0

    asyncio.run(scenario())
    (record,) = caplog.records
    assert record.getMessage() == "No cookies are set at /ws: this ASGI server cannot send headers in a handshake"


class BrokenCookies(MemoryCookies):
    is_broken = True

    def add(self, record: Any) -> None:
        if self.is_broken:
            raise CookieStoreError("disk full")
        super().add(record)


@pytest.mark.expects_errors("Clients cannot connect to /ws because its cookie store fails: disk full")
def test_broken_store_refuses_and_is_logged_once_and_again_when_it_works(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        store = BrokenCookies(10)
        tracker = CookieTracker(Cookie(), AsyncCookieStore(store), "/ws")
        for _ in range(3):
            refusal = await tracker.admit(scope())
            assert isinstance(refusal, Refusal)
            assert refusal.status == 503
            assert "disk full" not in refusal.message
        store.is_broken = False
        assert isinstance(await tracker.admit(scope()), Visitor)

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert [record.getMessage() for record in caplog.records] == [
        "Clients cannot connect to /ws because its cookie store fails: disk full",
        "The cookie store of /ws works again",
    ]


class KnownLink:
    """A link that knows why it was closed."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def write(self, data: bytes) -> None:
        raise AssertionError("nothing to say")

    def close(self, reason: str, message: str) -> None:
        self.reasons.append(reason)

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@pytest.mark.parametrize("is_broken", [False, True])
def test_logging_out_forgets_the_cookie_and_closes_the_other_connections_of_the_client(is_broken: bool) -> None:
    class NotForgetting(MemoryCookies):
        def forget(self, id: str) -> bool:
            if is_broken:
                raise CookieStoreError("disk full")
            return super().forget(id)

    async def scenario() -> None:
        node = Node(RouterOptions(), asyncio.get_running_loop())
        store = NotForgetting(10)
        record, _ = new_record("cbtid", 24, datetime.now(UTC), 60)
        store.add(record)

        def connect(service: str, transport: dict[str, Any] | None) -> Connection:
            return node.connect(ServiceOptions(service), PLAIN_ENCODERS["json"], KnownLink(), transport)

        own, same = connect("ws", {"http_cbtid": record.id}), connect("other", {"http_cbtid": record.id})
        strangers = [connect("ws", {"http_cbtid": "x"}), connect("ws", {}), connect("ws", None)]
        assert connections_of(record.id, node.connections.values()) == [own, same]
        assert [client_of(one) for one in strangers] == ["x", None, None]
        if is_broken:
            with pytest.raises(CookieStoreError):
                await log_out(AsyncCookieStore(store), record.id, [same])
        else:
            await log_out(AsyncCookieStore(store), record.id, [same])
        assert len(store) == is_broken
        assert same.transport.reasons == ["wamp.close.logout"]  # type: ignore[attr-defined]
        assert same.is_closed
        assert not own.is_closed
        assert not any(one.is_closed for one in strangers)

    asyncio.run(scenario())


# --- Django's session cookie ------------------------------------------------------------------------------------------

SITE = "https://example.com"


@pytest.fixture(autouse=True)
def _hosts() -> Iterator[None]:
    with override_settings(ALLOWED_HOSTS=["example.com"]):
        yield


def page_scope(
    origin: str | None, cookie: str = "sessionid=abc", host: str = "example.com", **more: Any
) -> dict[str, Any]:
    headers = [(b"host", host.encode()), (b"cookie", cookie.encode("latin-1"))]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return {"scheme": "wss", "headers": headers}


def test_page_of_the_host_itself_may_use_the_cookie() -> None:
    assert SessionCookies().find(page_scope(SITE)) == SessionCookie("abc")
    assert SessionCookies().find(page_scope("https://example.com:444", host="example.com:444")) == SessionCookie("abc")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "file://",
        "https://evil.example.com",
        "https://example.com.evil.net",
        "http://example.com",
        "https://example.com:444",
        "nonsense",
        "https://example.com,https://evil.net",
    ],
)
def test_no_other_page_may(origin: str | None) -> None:
    assert SessionCookies().find(page_scope(origin)) is None


def test_page_of_a_host_that_django_does_not_serve_may_not() -> None:
    rebound = page_scope("https://evil.net", host="evil.net")
    assert SessionCookies().find(rebound) is None
    with override_settings(ALLOWED_HOSTS=[]):
        assert SessionCookies().find(rebound) is None
        assert SessionCookies().find(page_scope(SITE)) is None
    assert SessionCookies(["https://evil.net"]).find(rebound) == SessionCookie("abc")


def test_trusted_origins_may_by_their_full_name() -> None:
    cookies = SessionCookies(["https://app.example.com"])
    assert cookies.find(page_scope("https://app.example.com")) == SessionCookie("abc")
    assert cookies.find(page_scope("https://app.example.com:8443")) is None
    assert cookies.find(page_scope(SITE)) == SessionCookie("abc")


@pytest.mark.parametrize(
    ("cookie", "key"),
    [
        ("a=b; sessionid=abc; c=d", "abc"),
        ("session=abc", None),
        ("sessionid=", None),
        ("", None),
        ("sessionid=" + "x" * 4097, None),
        ("sessionid=\xe9", "\xe9"),
    ],
)
def test_cookie_is_found_by_its_name(cookie: str, key: str | None) -> None:
    found = SessionCookies().find(page_scope(SITE, cookie))
    assert (found and found.key) == key


def test_cookie_has_the_name_that_the_settings_give_it() -> None:
    with override_settings(SESSION_COOKIE_NAME="sid"):
        assert SessionCookies().find(page_scope(SITE, "sessionid=abc; sid=xyz")) == SessionCookie("xyz")


def test_several_headers_are_one() -> None:
    both = page_scope(SITE, "a=b")
    both["headers"].append((b"Cookie", b"sessionid=abc"))
    assert SessionCookies().find(both) == SessionCookie("abc")


def test_key_is_not_shown() -> None:
    assert "abc" not in repr(SessionCookie("abc"))
