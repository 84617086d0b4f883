import asyncio

import pytest

from wamp_transport.webservices.answers import (
    UnsupportedScope,
    encode_headers,
    refuse_method,
    require_http,
    send_answer,
    send_redirect,
)


def answering(*args, **options):
    async def app(scope, receive, send):
        await send_answer(scope, send, *args, **options)

    return app


def test_answer_has_length_type_and_nosniff(ask):
    reply = ask(answering(200, b"hello", headers=[("X-One", "1")]))
    assert (reply.status, reply.body) == (200, b"hello")
    assert reply.headers == {
        "x-content-type-options": "nosniff",
        "x-one": "1",
        "content-type": "text/plain; charset=utf-8",
        "content-length": "5",
    }


def test_head_has_same_headers_and_no_body(ask):
    app = answering(200, b"hello")
    assert ask(app, method="HEAD").headers == ask(app).headers


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body_has_neither_length_nor_type(ask, status):
    reply = ask(answering(status, b"dropped"))
    assert reply.body == b""
    assert "content-length" not in reply.headers
    assert "content-type" not in reply.headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Location", "/\r\nSet-Cookie: a=b"),
        ("Location", "/\nx"),
        ("Location", "/\rx"),
        ("Location", "/\0"),
        ("Location", "/\x7f"),
        ("Bad Name", "x"),
        ("Bad:Name", "x"),
        ("", "x"),
        ("Naïve", "x"),
        ("X", "\u20ac"),
    ],
)
def test_header_that_could_break_out_is_refused_before_anything_is_sent(talk, scope, name, value):
    sent = []

    async def note(message):
        sent.append(message)

    with pytest.raises(ValueError):
        asyncio.run(talk(answering(200, headers=[(name, value)]), scope(), note))
    assert sent == []


def test_header_value_may_have_tabs_and_latin_letters():
    assert encode_headers([("X-One", "a\té")]) == [(b"x-one", b"a\t\xe9")]


def test_method_refused_names_the_allowed_ones(ask):
    async def app(scope, receive, send):
        await refuse_method(scope, send, ["GET", "POST"])

    reply = ask(app, method="DELETE")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")


def test_redirect_carries_location(ask):
    async def app(scope, receive, send):
        await send_redirect(scope, send, "./a/")

    reply = ask(app)
    assert (reply.status, reply.headers["location"]) == (302, "./a/")


@pytest.mark.parametrize("kind", ["lifespan", "websocket", "other"])
def test_scope_of_another_kind_is_refused_by_name(kind):
    with pytest.raises(UnsupportedScope, match=f"object .*{kind}") as caught:
        require_http(object(), {"type": kind})
    assert caught.value.scope_type == kind
