"""How a command's session begins and ends."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import serve

from wamp_transport.auth.credentials import Anonymous
from wamp_transport.management.client.failures import Failure
from wamp_transport.management.client.session_runner import join
from wamp_transport.management.client.targets import Target
from wamp_transport.node.remote import ConnectOptions


@asynccontextmanager
async def silent_router():
    """The URL of what opens WebSockets, and says nothing."""
    async with serve(lambda socket: socket.wait_closed(), "127.0.0.1", 0, subprotocols=["wamp.2.json"]) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


def test_router_that_never_lets_anybody_in_is_given_up():
    async def main():
        async with silent_router() as url:
            await join(Target(url, "realm1", Anonymous(), ConnectOptions(("json",)), join_seconds=0.2))

    with pytest.raises(
        Failure, match=r"did not complete the login to realm realm1 within 0\.2 seconds.*--join-timeout"
    ) as caught:
        asyncio.run(asyncio.wait_for(main(), 30))
    assert caught.value.returncode == 3
