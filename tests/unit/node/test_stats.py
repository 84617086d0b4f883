"""The numbers of a node, against what was done on it."""

import asyncio

import pytest

from wamp_transport.node.local import join as join_inside
from wamp_transport.router.records import RealmStats


def in_realm(**numbers):
    return RealmStats(**(dict.fromkeys(RealmStats._fields, 0) | numbers))


def test_empty_node_has_its_realms(node):
    stats = node.stats()
    assert stats.realms == {"realm1": in_realm()}
    assert stats.sessions == {"realm1": 0}
    assert (stats.connections, stats.joining, stats.queued_bytes, stats.decisions, stats.congested) == (0,) * 5


def test_everything_is_counted_and_goes_again(loop, node, connect, join):
    connect()
    one, other = join(), join()
    for connection in (one, other):
        connection.transport.queued_bytes = 10
        connection.receive(b'[32,1,{},"com.shared"]')
    one.receive(b'[32,2,{"match":"prefix"},"com."]')
    one.receive(b'[64,3,{},"com.procedure"]')
    other.receive(b'[48,2,{},"com.procedure"]')
    other.receive(b'[16,3,{"retain":true},"com.kept"]')
    stats = node.stats()
    assert stats.realms == {"realm1": in_realm(sessions=2, subscriptions=2, registrations=1, calls=1, retained=1)}
    assert (stats.connections, stats.joining, stats.queued_bytes) == (3, 1, 20)
    for connection in list(node.connections.values()):
        connection.lost()
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    assert node.stats().realms == {"realm1": in_realm(retained=1)}
    assert node.stats().connections == 0


def test_connection_that_is_closing_is_still_one(node, join):
    connection = join()
    connection.transport.queued_bytes = 7
    node.leave(connection.session_id, "wamp.close.normal", "")
    stats = node.stats()
    assert (stats.connections, stats.sessions, stats.queued_bytes) == (1, {"realm1": 0}, 7)


def test_who_misses_events_is_counted(node, join):
    slow = join()
    slow.receive(b'[32,1,{},"com.x"]')
    slow.set_congested(True)
    join().receive(b'[16,1,{},"com.x"]')
    stats = node.stats()
    assert (stats.congested, stats.events_dropped, stats.undelivered_events) == (1, 1, 0)


def test_session_inside_the_process_is_a_session_without_a_connection(loop, node):
    session = loop.run_until_complete(join_inside(node, "realm1", authid="app", authrole="trusted"))
    assert node.stats().sessions == {"realm1": 1}
    assert node.stats().connections == 0
    assert node.stats().queued_bytes == 0
    loop.run_until_complete(session.leave())


def test_numbers_are_frozen(node):
    with pytest.raises(AttributeError):
        node.stats().connections = 5
