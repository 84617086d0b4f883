import asyncio

import pytest

from wamp_transport.node.service_sessions import ServiceSessions
from wamp_transport.router.options import TRUSTED, RouterOptions
from wamp_transport.wamp.errors import SessionEnded


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
    with pytest.raises(SessionEnded, match="realm1"):
        run(loop, sessions.of("realm1"))
    with pytest.raises(SessionEnded, match="no router yet"):
        run(loop, ServiceSessions().of("realm1"))
