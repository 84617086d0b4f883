import asyncio

import pytest

from wamp_transport.node import local
from wamp_transport.router.options import TRUSTED
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import SessionEnded


def test_session_joins_as_whom_it_is_told(node, loop):
    async def use():
        session = await local.join(node, "realm1", authid="shop", authrole="anonymous")
        assert (session.authid, session.authrole, session.authmethod) == ("shop", "anonymous", "local")
        await session.leave()
        assert not session.is_open

    loop.run_until_complete(use())
    assert not node.connections


def test_session_that_ends_while_it_joins_is_not_left_behind(node, loop):
    async def use():
        joining = asyncio.ensure_future(local.join(node, "realm1", authid="shop", authrole=TRUSTED))
        await asyncio.sleep(0)
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining

    loop.run_until_complete(use())
    assert not node.connections


def test_refused_session_says_why(node, loop):
    with pytest.raises(SessionEnded) as refused:
        loop.run_until_complete(local.join(node, "nowhere", authid="shop", authrole=TRUSTED))
    assert refused.value.reason == errors.NO_SUCH_REALM
