import asyncio
import os
import socket

import pytest

from wamp_transport.webservices.answers import UnsupportedScope
from wamp_transport.webservices.nodeinfo import NodeInfo


def test_page_has_product_and_version_and_nothing_of_the_machine(ask):
    reply = ask(NodeInfo("product", "1.2"))
    text = reply.body.decode()
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    assert "product" in text
    assert "1.2" in text
    assert str(os.getpid()) not in text
    assert socket.gethostname() not in text


def test_details_are_shown_when_given(ask):
    assert "<td>node7</td>" in ask(NodeInfo("p", "1", {"Host": "node7"})).body.decode()


def test_markup_and_braces_are_text(ask):
    body = ask(NodeInfo("<b>", '"&', {"<i>": "</table><script>{rows}</script>"})).body.decode()
    assert "<script" not in body
    assert "<i>" not in body
    assert "&lt;b&gt;" in body
    assert "&quot;&amp;" in body
    assert "{rows}" in body


def test_head_is_answered_and_other_methods_refused(ask):
    assert ask(NodeInfo("p", "1"), method="HEAD").status == 200
    assert ask(NodeInfo("p", "1"), method="POST").status == 405


def test_other_scope_is_refused():
    with pytest.raises(UnsupportedScope):
        asyncio.run(NodeInfo("p", "1")({"type": "websocket"}, None, None))
