"""A server in a thread: it begins, answers, ends, and another one begins on the same reactor."""

import threading
import urllib.request

import pytest

from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.testing.background_server import BackgroundServer, start_reactor
from wamp_transport.transports.listener import Listener

ENDPOINT = TcpEndpoint.model_construct(type="tcp", port=0, interface="127.0.0.1")


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


class Life:
    """What is done at the begin and the end of a server."""

    def __init__(self, wanted=None):
        self.wanted = wanted
        self.ends = 0

    async def begin(self, server):
        if self.wanted is None:
            raise LookupError("nothing to listen on")
        server.wanted = self.wanted

    async def end(self):
        self.ends += 1


def server_of(life):
    return BackgroundServer(hello, lambda key, path: None, life.begin, life.end)


def test_servers_follow_each_other_on_one_reactor():
    for _ in range(2):
        life = Life({"main": Listener(ENDPOINT)})
        server = server_of(life)
        server.launch()
        (address,) = server.listening_addresses
        url = f"http://127.0.0.1:{address[1]}/"
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.read() == b"hello"
        server.halt()
        assert life.ends == 1
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(url, timeout=10)
    assert [one.name for one in threading.enumerate()].count("wamp-live-servers") == 1


def test_failing_start_is_raised_and_leaves_the_reactor():
    server = server_of(Life())
    with pytest.raises(LookupError, match="nothing to listen on"):
        server.launch()
    server.halt()
    start_reactor()
