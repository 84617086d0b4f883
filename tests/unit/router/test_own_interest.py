import pytest
from msgspec.structs import replace

from wamp_transport.router.effects import Hold, Relay
from wamp_transport.router.members import Members
from wamp_transport.router.own_interest import LINGER_SECONDS, Announcements, OwnInterest, on_interest_deadline
from wamp_transport.router.relayed import RemoteShard

TOPIC = ("exact", "com.x")
SHARD = RemoteShard(5, "joe", "all", "key")


@pytest.fixture
def members():
    members = Members()
    members.add("a")
    members.add("b")
    return members


@pytest.fixture
def announcements(members, outbox):
    return Announcements(members, outbox)


@pytest.fixture
def interest(announcements, environment):
    return OwnInterest("realm1", announcements, environment.deadlines)


@pytest.fixture
def pass_time(world):
    def pass_time(seconds):
        world.now += seconds
        for deadline in world.environment.deadlines.due(world.now):
            assert deadline.kind == "interest"
            on_interest_deadline(deadline.subject)

    return pass_time


@pytest.fixture
def announced(outbox):
    def announced():
        found = []
        for effect in outbox:
            assert isinstance(effect, Relay)
            assert effect.members == ("a", "b")
            assert effect.message.realm == "realm1"
            found += [(each.kind, each.uri, effect.interest) for each in effect.message.changes]
        outbox.clear()
        return found

    return announced


def test_session_waits_until_the_announcement_is_known(interest, announcements, outbox):
    interest.add(*TOPIC)
    interest.add("exact", "com.y")
    outbox.clear()
    for number in (7, 8):
        interest.hold(number, *TOPIC)
    assert outbox == [Hold(7, 1), Hold(8, 1)]
    announcements.on_known(1)
    announcements.on_known(0)
    interest.hold(7, *TOPIC)
    interest.hold(7, "exact", "com.y")
    assert outbox[2:] == [Hold(7, 2)]


def test_without_other_nodes_nothing_is_announced(environment, outbox):
    interest = OwnInterest("realm1", Announcements(Members(), outbox), environment.deadlines)
    interest.add(*TOPIC)
    interest.hold(7, *TOPIC)
    interest.add_shard(*TOPIC, SHARD)
    interest.hold(7, *TOPIC)
    interest.release(*TOPIC)
    assert outbox == []
    assert [each.kind for each in interest.changes()] == ["release", "add_shard"]


def test_events_are_wanted_for_a_while_after_the_last_subscriber(interest, announced, pass_time):
    interest.add(*TOPIC)
    interest.release(*TOPIC)
    pass_time(LINGER_SECONDS - 1)
    assert announced() == [("add", "com.x", 1), ("release", "com.x", 2)]
    pass_time(1)
    assert announced() == [("remove", "com.x", 3)]
    assert interest.changes() == []


def test_subscriber_that_comes_back_in_time_does_not_wait(interest, announcements, announced, pass_time, outbox):
    interest.add(*TOPIC)
    announcements.on_known(1)
    interest.release(*TOPIC)
    pass_time(LINGER_SECONDS - 1)
    interest.add(*TOPIC)
    assert [kind for kind, *_ in announced()] == ["add", "release", "add"]
    interest.hold(7, *TOPIC)
    assert outbox == []
    pass_time(100)
    assert announced() == []


def test_subscriber_that_comes_back_too_late_waits(interest, announcements, announced, pass_time, outbox):
    interest.add(*TOPIC)
    interest.release(*TOPIC)
    pass_time(LINGER_SECONDS)
    announcements.on_known(3)
    interest.add(*TOPIC)
    announced()
    interest.hold(7, *TOPIC)
    assert outbox == [Hold(7, 4)]


def test_new_node_key_must_be_known_too(interest, announcements, announced, outbox):
    interest.add(*TOPIC)
    announcements.on_known(1)
    interest.add_shard(*TOPIC, SHARD)
    interest.add_shard(*TOPIC, SHARD)
    assert announced() == [("add", "com.x", 1), ("add_shard", "com.x", 2)]
    interest.hold(5, *TOPIC)
    assert outbox == [Hold(5, 2)]


def test_node_key_of_a_subscriber_can_change(interest, announced):
    interest.add(*TOPIC)
    interest.add_shard(*TOPIC, SHARD)
    interest.add_shard(*TOPIC, replace(SHARD, node_key="other"))
    interest.remove_shard(*TOPIC, SHARD.id)
    interest.remove_shard(*TOPIC, SHARD.id)
    assert [kind for kind, *_ in announced()] == ["add", "add_shard", "add_shard", "remove_shard"]


def test_complete_interest_contains_what_is_wanted(interest):
    for name in "abc":
        interest.add("exact", name)
    interest.add_shard("exact", "c", SHARD)
    interest.release("exact", "a")
    assert [(each.kind, each.uri) for each in interest.changes()] == [
        ("release", "a"),
        ("add", "b"),
        ("add", "c"),
        ("add_shard", "c"),
    ]


def test_closed_realm_wants_nothing(interest, announced, pass_time):
    interest.add(*TOPIC)
    interest.add_shard(*TOPIC, SHARD)
    interest.add("exact", "com.y")
    interest.release("exact", "com.y")
    announced()
    interest.clear()
    assert [each[:2] for each in announced()] == [("remove_shard", "com.x"), ("remove", "com.x"), ("remove", "com.y")]
    pass_time(100)
    assert announced() == []
    assert interest.changes() == []
