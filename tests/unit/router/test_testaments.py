import pytest

from wamp_transport.router import testaments
from wamp_transport.router.options import RealmOptions
from wamp_transport.router.testaments import validate_scope
from wamp_transport.wamp.errors import RequestRefused
from wamp_transport.wamp.messages import Publish, PublishOptions
from wamp_transport.wamp.payload import ABSENT


@pytest.fixture
def session(new_session):
    return new_session()


@pytest.fixture
def wills():
    return testaments.Testaments()


def will(topic, *args):
    return Publish(1, PublishOptions(), topic, list(args) or ABSENT)


def test_both_scopes_are_taken_once_detached_ones_first(wills, session):
    for scope, topic in (("destroyed", "com.a"), ("detached", "com.b"), ("destroyed", "com.c")):
        wills.add(session, scope, will(topic))
    assert [each.topic for each in wills.take(session)] == ["com.b", "com.a", "com.c"]
    assert wills.take(session) == []


def test_flushed_scope_is_empty_and_the_other_is_not(wills, session):
    for scope in ("destroyed", "detached", "destroyed"):
        wills.add(session, scope, will("com.a"))
    wills.flush(session, "destroyed")
    wills.flush(session, "destroyed")
    assert len(wills.take(session)) == 1


def test_scopes_have_one_limit(wills, session, monkeypatch):
    monkeypatch.setattr(testaments, "MAX_TESTAMENTS", 2)
    for scope in ("destroyed", "detached"):
        wills.add(session, scope, will("com.a"))
    with pytest.raises(RequestRefused) as caught:
        wills.add(session, "destroyed", will("com.a"))
    assert caught.value.uri == "wamp.error.quota_exceeded"


def test_bytes_of_a_session_and_of_all_sessions_are_limited(wills, session, new_session):
    def is_refused(session, size):
        try:
            wills.add(session, "destroyed", will("com.a", "x" * size))
        except RequestRefused as refused:
            return f"{refused.uri}: {refused}"
        return None

    wills.options = RealmOptions("realm1", max_session_testaments_size=10_000, max_testaments_size=15_000)
    assert is_refused(session, 8000) is None
    assert is_refused(session, 8000).startswith("wamp.error.quota_exceeded: ")
    other = new_session()
    assert "max_testaments_size" in is_refused(other, 8000)
    assert is_refused(other, 1000) is None
    wills.flush(session, "detached")
    assert "max_session_testaments_size" in is_refused(session, 8000)
    wills.flush(session, "destroyed")
    assert is_refused(session, 8000) is None
    wills.take(session)
    wills.take(other)
    assert wills.size == 0
    wills.options = RealmOptions("realm1", max_session_testaments_size=0, max_testaments_size=0)
    assert is_refused(session, 100_000) is None


def test_values_count_with_the_memory_that_they_take(wills, session):
    """A list without items takes three bytes in JSON and dozens in memory."""
    wills.options = RealmOptions("realm1", max_session_testaments_size=10_000)
    with pytest.raises(RequestRefused, match="max_session_testaments_size"):
        wills.add(session, "destroyed", will("com.a", *([] for _ in range(300))))


def test_other_scope_is_refused(wills, session):
    acts = (
        validate_scope,
        lambda scope: wills.flush(session, scope),
        lambda scope: wills.add(session, scope, will("com.a")),
    )
    for act in acts:
        with pytest.raises(RequestRefused, match="'resumed'") as caught:
            act("resumed")
        assert caught.value.uri == "wamp.error.testament_error"
    assert validate_scope("detached") == "detached"
