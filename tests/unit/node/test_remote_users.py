"""Django users of sessions on other nodes."""

import asyncio

import pytest

from tests.unit.node.cluster_world import Client, pair, world
from wamp_transport.node.remote_users import SessionUser
from wamp_transport.router.relayed import RelayedQuestion
from wamp_transport.wamp.errors import ApplicationError

__all__ = ["pair", "world"]


def finding(pair, session_id):
    return asyncio.ensure_future(pair.clusterings[0].users.find(session_id), loop=pair.loop)


def found(pair, session_id, seconds=1.0):
    task = finding(pair, session_id)
    pair.until(task.done, seconds)
    return task.result()


def session_of(pair, place):
    Client(pair.nodes[place])
    (session,) = pair.nodes[place].router.sessions.values()
    return session


def test_node_of_the_session_knows_its_user(pair):
    session = session_of(pair, 1)
    assert found(pair, session.id) == SessionUser(None, session.authid, session.authprovider)
    pair.clusterings[1].users.user_key = {session.id: "17"}.get
    assert found(pair, session.id) == SessionUser("17", session.authid, session.authprovider)
    assert not pair.clusterings[0].users._open


def test_first_node_with_the_session_is_enough(pair):
    third = pair.add()
    session = session_of(pair, 1)
    pair.stop(third)
    assert found(pair, session.id).authid == session.authid


def test_session_that_no_node_has(pair):
    assert found(pair, 17) is None
    assert pair.nodes[1].router.cluster.questions.unanswered == 0


def test_single_node_asks_nobody(world):
    world.add()
    assert found(world, 17) is None


def test_node_that_does_not_answer_is_an_error(pair):
    pair.stop(1)
    with pytest.raises(ApplicationError, match="does not answer") as caught:
        found(pair, 17, 3)
    assert caught.value.uri == "wamp.error.unavailable"
    assert not pair.clusterings[0].users._open


def test_node_that_cannot_be_asked_is_an_error(pair):
    link = pair.membership(0).link
    send = link.send
    link.send = lambda peer, message: 0 if isinstance(message, RelayedQuestion) else send(peer, message)
    with pytest.raises(ApplicationError, match="does not answer"):
        found(pair, 17)


def test_node_that_leaves_is_an_error(pair):
    """The session may have been there."""
    pair.stop(1)
    task = finding(pair, 17)
    pair.turn()
    pair.membership(0).link.member_removed(pair.membership(1).node_id)
    pair.membership(0).flush_soon()
    pair.until(task.done, 0.5)
    with pytest.raises(ApplicationError, match="does not answer"):
        task.result()


def test_reply_with_later_fields_is_known(pair):
    session = session_of(pair, 1)
    users = pair.clusterings[1].users
    answer = users._answer

    def extended(question):
        reply = answer(question)
        reply.args = reply.args[:-2] + b',{"later":true}]]'
        return reply

    users._answer = extended
    assert found(pair, session.id) == SessionUser(None, session.authid, session.authprovider)


def test_late_reply_is_ignored(pair):
    session = session_of(pair, 1)
    task = finding(pair, session.id)
    pair.loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    pair.turn()
    assert task.cancelled()
    assert found(pair, session.id) is not None


def test_clients_cannot_ask(pair):
    client = Client(pair.nodes[0])
    client.send(48, 1, {}, "session_user", [1])
    pair.turn()
    assert [message[4] for message in client.received()] == ["wamp.error.no_such_procedure"]
