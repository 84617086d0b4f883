import pytest

from wamp_transport.router import testaments
from wamp_transport.router.testaments import add_testament, flush_testaments, take_testaments, validate_scope
from wamp_transport.wamp.errors import RequestRefused
from wamp_transport.wamp.messages import Publish, PublishOptions


@pytest.fixture
def session(new_session):
    return new_session()


def will(topic):
    return Publish(1, PublishOptions(), topic)


def test_both_scopes_are_taken_once_detached_ones_first(session):
    for scope, topic in (("destroyed", "com.a"), ("detached", "com.b"), ("destroyed", "com.c")):
        add_testament(session, scope, will(topic))
    assert [each.topic for each in take_testaments(session)] == ["com.b", "com.a", "com.c"]
    assert take_testaments(session) == []


def test_flushed_scope_is_empty_and_the_other_is_not(session):
    for scope in ("destroyed", "detached", "destroyed"):
        add_testament(session, scope, will("com.a"))
    flush_testaments(session, "destroyed")
    flush_testaments(session, "destroyed")
    assert len(take_testaments(session)) == 1


def test_scopes_have_one_limit(session, monkeypatch):
    monkeypatch.setattr(testaments, "MAX_TESTAMENTS", 2)
    for scope in ("destroyed", "detached"):
        add_testament(session, scope, will("com.a"))
    with pytest.raises(RequestRefused) as caught:
        add_testament(session, "destroyed", will("com.a"))
    assert caught.value.uri == "wamp.error.quota_exceeded"


def test_other_scope_is_refused(session):
    acts = (
        validate_scope,
        lambda scope: flush_testaments(session, scope),
        lambda scope: add_testament(session, scope, will("com.a")),
    )
    for act in acts:
        with pytest.raises(RequestRefused, match="'resumed'") as caught:
            act("resumed")
        assert caught.value.uri == "wamp.error.testament_error"
    assert validate_scope("detached") == "detached"
