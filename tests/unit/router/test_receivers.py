import pytest

from wamp_transport.router.receivers import receiver_filter, receivers, stored_filter
from wamp_transport.router.records import Publication, Subscription
from wamp_transport.wamp.messages import Publish, PublishOptions


@pytest.fixture
def subscribers(new_session):
    return [new_session("user", "anna"), new_session("user", "ben"), new_session("admin", "carl")]


@pytest.fixture
def subscription(subscribers):
    subscription = Subscription(1, "com.x", "exact", "")
    for session in subscribers:
        subscription.add(session, None)
    return subscription


def publication(publisher, **options):
    message = Publish(1, PublishOptions(**options), "com.x")
    return Publication(1, message, "json", publisher.id, publisher.authid, publisher.authrole, False)


def chosen(subscription, publisher, **options):
    message = publication(publisher, **options)
    ids = receivers(subscription, message, receiver_filter(message.message.options))
    return [subscription.subscribers[each].authid for each in ids]


def test_everybody_is_chosen_at_no_cost_without_lists(subscription, new_session):
    assert receiver_filter(PublishOptions(exclude=[], exclude_authid=[], exclude_authrole=[])) is None
    assert receivers(subscription, publication(new_session()), None) is subscription.receivers
    plain = publication(new_session())
    plain.is_plain = True
    assert receivers(subscription, plain, None) is subscription.receivers


@pytest.mark.parametrize("options", [{}, {"exclude": [99]}])
def test_publisher_is_left_out_unless_it_asks(subscription, subscribers, options):
    assert chosen(subscription, subscribers[0], **options) == ["ben", "carl"]
    assert chosen(subscription, subscribers[0], exclude_me=False, **options) == ["anna", "ben", "carl"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"eligible": [1, 3]}, ["anna", "carl"]),
        ({"eligible": []}, []),
        ({"eligible_authid": ["ben"]}, ["ben"]),
        ({"eligible_authrole": ["admin"]}, ["carl"]),
        ({"exclude": [1]}, ["ben", "carl"]),
        ({"exclude_authid": ["ben"]}, ["anna", "carl"]),
        ({"exclude_authrole": ["user"]}, ["carl"]),
        ({"eligible": [1, 2], "exclude": [2]}, ["anna"]),
        ({"eligible_authrole": ["user"], "eligible_authid": ["carl", "ben"]}, ["ben"]),
    ],
)
def test_lists_narrow_the_receivers(subscription, new_session, options, expected):
    assert chosen(subscription, new_session(), **options) == expected


class TestShards:
    @pytest.fixture
    def sharded(self, new_session):
        """Two subscribers with a key, one without."""
        subscription = Subscription(1, "com.x", "exact", "")
        for authid, key in (("anna", "a"), ("ben", "b"), ("carl", None)):
            subscription.add(new_session("user", authid), key)
        return subscription

    def test_resource_belongs_to_one_of_those_with_a_key(self, sharded, new_session):
        publisher = new_session()
        shards = {tuple(chosen(sharded, publisher, rkey=str(each))) for each in range(30)}
        assert shards == {("anna", "carl"), ("ben", "carl")}
        assert len({tuple(chosen(sharded, publisher, rkey="x")) for _ in range(5)}) == 1

    def test_event_without_a_resource_goes_to_all(self, sharded, new_session):
        assert chosen(sharded, new_session()) == ["anna", "ben", "carl"]

    def test_subscribers_without_keys_get_all(self, subscription, new_session):
        assert chosen(subscription, new_session(), rkey="x") == ["anna", "ben", "carl"]

    def test_shard_is_chosen_among_those_that_are_left(self, sharded, new_session):
        assert chosen(sharded, new_session(), rkey="x", eligible_authid=["anna"]) == ["anna"]
        assert chosen(sharded, new_session(), rkey="x", eligible_authid=["carl"]) == ["carl"]

    def test_shard_of_one_that_has_left_belongs_to_another(self, sharded, new_session):
        anna = next(iter(sharded.subscribers.values()))
        anna.state = "gone"
        shards = {tuple(chosen(sharded, new_session(), rkey=str(each))) for each in range(30)}
        assert shards == {("ben", "carl")}


def test_lists_apply_to_a_subscriber_of_another_node(subscription, new_session, new_remote_peer):
    peer = new_remote_peer("admin")
    subscription.add(peer, None)
    assert chosen(subscription, new_session(), eligible_authrole=["admin"]) == ["carl", peer.authid]
    assert chosen(subscription, new_session(), exclude=[peer.id]) == ["anna", "ben", "carl"]


class Colliding(int):
    """A number that collides with all others, and counts how often it is compared."""

    compared = 0

    def __hash__(self):
        return 1

    def __eq__(self, other):
        Colliding.compared += 1
        return int(self) == other


@pytest.mark.parametrize("name", ["eligible", "exclude"])
def test_long_list_of_ids_takes_linear_time(new_session, name):
    peer = new_session()
    ids = [Colliding(number + 10) for number in range(1000)]
    Colliding.compared = 0
    accepts = receiver_filter(PublishOptions(**{name: [*ids, peer.id]}))
    assert accepts(peer) is (name == "eligible")
    assert not Colliding.compared


def test_filter_of_a_stored_publication_is_built_once(new_session):
    stored = publication(new_session(), exclude=[1])
    assert stored_filter(stored) is stored_filter(stored)
    assert stored_filter(publication(new_session())) is None
