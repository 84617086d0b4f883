import asyncio

import pytest

from wamp_transport.node import local
from wamp_transport.node.local import ServiceSessions
from wamp_transport.router.options import TRUSTED, RouterOptions
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import SessionClosed


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
    with pytest.raises(SessionClosed) as refused:
        loop.run_until_complete(local.join(node, "nowhere", authid="shop", authrole=TRUSTED))
    assert refused.value.reason == errors.NO_SUCH_REALM


@pytest.fixture
def sessions(node):
    sessions = ServiceSessions()
    sessions.node = node
    return sessions


def run(loop, work):
    return loop.run_until_complete(asyncio.wait_for(work, 10))


def test_session_is_opened_once_for_a_realm_and_role(loop, sessions):
    async def open_all():
        return await asyncio.gather(sessions.of("realm1"), sessions.of("realm1"), sessions.of("realm1", "anonymous"))

    one, same, other = run(loop, open_all())
    assert one is same
    assert (one.authid, one.authrole, other.authrole) == ("router", TRUSTED, "anonymous")
    for session in (one, other):
        run(loop, session.leave())


def test_session_that_has_ended_is_followed_by_another(loop, sessions):
    one = run(loop, sessions.of("realm1"))
    run(loop, one.leave())
    other = run(loop, sessions.of("realm1"))
    assert other.is_open
    run(loop, other.leave())


def test_there_is_none_without_realm_or_node(loop, node, sessions):
    node.configure(RouterOptions())
    with pytest.raises(SessionClosed, match="realm1"):
        run(loop, sessions.of("realm1"))
    with pytest.raises(SessionClosed, match="has not started yet"):
        run(loop, ServiceSessions().of("realm1"))
