"""Observers of a node: each is called, in order, and one that raises harms nobody."""

import pytest

from wamp_transport.node.observers import METHODS, NodeObserver, NodeObservers

UNKNOWN = b"[34,1,999]"
"""UNSUBSCRIBE from what is not there."""


class Watcher(NodeObserver):
    """Notes what it is told, under its name."""

    def __init__(self, name, told, error=None):
        self.name = name
        self.told = told
        self.error = error

    def _note(self, *what):
        self.told.append((self.name, *what))
        if self.error is not None:
            raise self.error

    def session_joined(self, session):
        self._note("joined", session.id)

    def session_left(self, session, reason):
        self._note("left", session.id, reason)

    def session_killed(self, session, killer, reason):
        self._note("killed", session.id, killer.id, reason)

    def goodbye_received(self, connection, reason):
        self._note("goodbye", connection.session_id, reason)

    def request_refused(self, session_id, error):
        self._note("refused", session_id, error.error)


@pytest.fixture
def told():
    return []


def test_all_observers_are_told_in_order(node, join, told):
    for name in "ab":
        node.observers.add(Watcher(name, told))
    connection = join()
    session_id = connection.session_id
    connection.receive(UNKNOWN)
    connection.receive(b'[6,{},"wamp.close.logout"]')
    assert [entry for entry in told if entry[0] == "a"] == [
        ("a", "joined", session_id),
        ("a", "refused", session_id, "wamp.error.no_such_subscription"),
        ("a", "goodbye", session_id, "wamp.close.logout"),
        ("a", "left", session_id, "wamp.close.logout"),
    ]
    assert [entry[0] for entry in told] == ["a", "b"] * 4


def test_observers_are_told_who_ended_a_session(node, join, told):
    killer, other = join(), join()
    node.observers.add(Watcher("a", told))
    killer.receive(b'[48,1,{},"wamp.session.kill",[%d]]' % other.session_id)
    assert told == [
        ("a", "killed", other.session_id, killer.session_id, "wamp.close.killed"),
        ("a", "left", other.session_id, "wamp.close.killed"),
    ]


@pytest.mark.expects_errors("An observer of the node failed in")
def test_observer_that_raises_harms_neither_the_others_nor_the_message(node, join, told, caplog):
    node.observers.add(Watcher("a", told, ValueError("a bug")))
    node.observers.add(Watcher("b", told))
    connection = join()
    connection.receive(UNKNOWN)
    assert connection.transport.written[-1].startswith(b"[8,34,1,")
    connection.receive(b'[6,{},"wamp.close.logout"]')
    assert connection.transport.written[-1].startswith(b"[6,")
    connection.receive(b'[1,"realm1",{"roles":{"caller":{}}}]')  # the transport was made free for another session
    assert connection.transport.written[-1].startswith(b"[2,")
    assert [entry[0] for entry in told] == ["a", "b"] * 5
    assert caplog.text.count("An observer of the node failed in goodbye_received") == 1


def test_observer_that_is_removed_is_told_no_more(node, join, told):
    first, second = Watcher("a", told), Watcher("b", told)
    node.observers.add(first)
    node.observers.add(second)
    node.observers.remove(first)
    join()
    assert [entry[0] for entry in told] == ["b"]
    assert list(node.observers) == [second]
    assert len(node.observers) == 1
    with pytest.raises(ValueError):
        node.observers.remove(first)


def test_what_an_observer_does_not_implement_is_not_called():
    class Deaf(NodeObserver):
        pass

    observers = NodeObservers()
    observers.add(Deaf())
    assert observers._methods == dict.fromkeys(METHODS, ())
    for name in METHODS:
        assert getattr(Deaf(), name)(*[None] * (getattr(Deaf, name).__code__.co_argcount - 1)) is None


def test_each_method_reaches_the_observers_with_what_it_was_given(told):
    class Every(NodeObserver):
        pass

    for name in METHODS:
        setattr(Every, name, lambda self, *what, name=name: told.append((name, *what)))
    observers = NodeObservers()
    observers.add(Every())
    for name in METHODS:
        count = getattr(NodeObserver, name).__code__.co_argcount - 1
        getattr(observers, name)(*range(count))
        assert told.pop() == (name, *range(count))


def test_observers_hear_of_a_refused_publication_that_asked_for_no_answer(node, join, told):
    node.observers.add(Watcher("a", told))
    connection = join()
    told.clear()
    connection.receive(b'[16,1,{},"com..x"]')
    connection.receive(b'[16,2,{},"com.x"]')
    assert told == [("a", "refused", connection.session_id, "wamp.error.invalid_uri")]
    assert connection.transport.written == []
