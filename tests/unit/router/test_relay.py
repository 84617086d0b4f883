import json
from dataclasses import replace

import pytest

from wamp_transport.router.effects import Hold, Record, Relay, Send
from wamp_transport.router.options import HistoryOptions, Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.router.relay import EVENTS_PER_PAGE
from wamp_transport.router.relayed import (
    InterestChange,
    InterestPage,
    InterestUpdate,
    RelayedEvent,
    RemoteShard,
)
from wamp_transport.testing.memory import MemoryNode, anonymous_options, take_effects
from wamp_transport.testing.memory_cluster import MemoryCluster
from wamp_transport.wamp.messages import PublishOptions, Subscribe, SubscribeOptions

PUBLISH, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE = 16, 32, 33, 34
TOPIC = "com.example.topic"


@pytest.fixture
def cluster():
    return MemoryCluster(anonymous_options("realm1"), 3)


@pytest.fixture
def sent(cluster, monkeypatch):
    """The messages between nodes, with the names of their receivers."""
    sent = []
    send = cluster.send

    def record(sender, effect):
        sent.append((effect.members, effect.message))
        send(sender, effect)

    monkeypatch.setattr(cluster, "send", record)
    return sent


def events(sent):
    return [(members, message) for members, message in sent if isinstance(message, RelayedEvent)]


def subscribe(peer, topic=TOPIC, **options):
    answer = peer.request([SUBSCRIBE, 1, options, topic])
    assert answer[0] == SUBSCRIBED
    return answer[2]


def retained(node):
    return {each.id for each in node.router.realms["realm1"].broker.retained.publications()}


def test_event_is_sent_once_to_each_node_that_wants_it(cluster, sent):
    alice, bob, carol, dave = (cluster.join("realm1") for _ in range(4))
    for peer in (alice, bob, dave):
        subscribe(peer)
    subscribe(bob, "com.", match="prefix")
    alice.send([PUBLISH, 1, {}, TOPIC, [1]])
    ((members, event),) = events(sent)
    assert members == ("1",)
    assert (event.topic, event.session_id, event.payload_format) == (TOPIC, alice.session_id, "json")
    assert [len(peer.receive_all()) for peer in (alice, bob, carol, dave)] == [0, 2, 0, 1]
    carol.send([PUBLISH, 1, {}, TOPIC, [1]])
    assert events(sent)[1][0] == ("0", "1")
    carol.send([PUBLISH, 1, {}, "org.other", [1]])
    assert len(events(sent)) == 2


def test_session_gets_nothing_before_the_others_know_its_subscription(cluster):
    alice, bob, carol = (cluster.join("realm1") for _ in range(3))
    cluster.is_immediate = False
    alice.send([SUBSCRIBE, 1, {}, TOPIC])
    alice.send([PUBLISH, 2, {"exclude_me": False, "acknowledge": True}, TOPIC])
    cluster.deliver(0, 1)
    bob.send([PUBLISH, 1, {}, TOPIC])
    carol.send([PUBLISH, 1, {}, TOPIC])
    cluster.deliver(1, 0)
    assert not alice.inbox
    cluster.deliver(0, 2)
    assert [message[0] for message in alice.receive_all()] == [SUBSCRIBED, 17, 36, 36]
    carol.send([PUBLISH, 1, {}, TOPIC])
    cluster.deliver(2, 0)
    assert len(alice.receive_all()) == 1


def test_second_subscriber_waits_for_the_same_announcement(cluster):
    alice, _, _, dave = (cluster.join("realm1") for _ in range(4))
    cluster.is_immediate = False
    for peer in (alice, dave):
        peer.send([SUBSCRIBE, 1, {}, TOPIC])
    assert len(cluster.waiting()) == 2
    cluster.deliver(0, 1)
    assert not alice.inbox
    assert not dave.inbox
    cluster.deliver(0, 2)
    assert len(alice.inbox) == len(dave.inbox) == 1
    assert not cluster.waiting()


def test_session_does_not_wait_for_a_node_that_was_removed(cluster):
    alice = cluster.join("realm1")
    cluster.is_immediate = False
    alice.send([SUBSCRIBE, 1, {}, TOPIC])
    cluster.deliver(0, 1)
    assert not alice.inbox
    cluster.remove_node(2)
    assert len(alice.inbox) == 1
    cluster.remove_node(1)
    alice.request([SUBSCRIBE, 2, {}, "com.other"])
    assert not cluster.waiting()


def test_session_also_waits_for_a_node_that_joins_meanwhile(cluster):
    alice = cluster.join("realm1")
    cluster.is_immediate = False
    alice.send([SUBSCRIBE, 1, {}, TOPIC])
    cluster.add_node()
    for receiver in (1, 2):
        cluster.deliver(0, receiver)
    assert not alice.inbox
    cluster.deliver(0, 3)
    assert len(alice.inbox) == 1


def test_interest_of_a_removed_node_is_forgotten(cluster):
    alice, bob, carol = (cluster.join("realm1") for _ in range(3))
    for peer in (bob, carol):
        subscribe(peer, nkey="key")
    cluster.remove_node(1)
    remote = cluster.nodes[0].router.cluster.realm("realm1").remote
    assert remote.members_for(TOPIC)
    cluster.remove_node(2)
    assert not remote.members_for(TOPIC)
    assert not remote.shard_groups(TOPIC)
    alice.send([PUBLISH, 1, {"rkey": "x"}, TOPIC])


def test_last_node_has_nobody_to_wait_for(cluster):
    alice = cluster.join("realm1")
    cluster.is_immediate = False
    alice.send([SUBSCRIBE, 1, {}, TOPIC])
    known_to = cluster.nodes[0].router.cluster
    known_to.remove_member("1")
    assert known_to.announcements.known == 0
    known_to.remove_member("2")
    assert known_to.announcements.known == known_to.announcements.last == 1


def test_new_node_knows_what_the_others_want(cluster):
    alice, bob = cluster.join("realm1"), cluster.join("realm1")
    subscribe(alice)
    subscribe(bob, "com.", match="prefix")
    carol = cluster.add_node().join("realm1")
    carol.send([PUBLISH, 1, {}, TOPIC])
    assert len(alice.inbox) == len(bob.inbox) == 1


def test_events_of_a_removed_node_are_ignored(cluster):
    alice, bob = cluster.join("realm1"), cluster.join("realm1")
    subscribe(alice)
    receiver = cluster.nodes[0].router.cluster
    event = RelayedEvent("realm1", 1, None, TOPIC, bob.session_id, "", "", None, False, PublishOptions(), "json")
    receiver.receive("1", event)
    cluster.nodes[0].run_effects()
    assert len(alice.receive_all()) == 1
    receiver.remove_member("1")
    receiver.remove_member("1")
    receiver.receive("1", event)
    cluster.nodes[0].run_effects()
    assert not alice.inbox


def test_snapshot_replaces_what_was_known_of_a_node(cluster):
    alice, bob = cluster.join("realm1"), cluster.join("realm1")
    subscribe(bob)
    subscribe(bob, "com.shard", nkey="b")
    cluster.nodes[1].router.cluster.realm("realm1").own.clear()
    cluster.nodes[1].router.outbox.clear()
    receiver = cluster.nodes[0].router.cluster
    pages = [
        InterestPage("realm1", [InterestChange("add", "exact", TOPIC)], True, False),
        InterestPage("realm2", [InterestChange("add", "exact", "com.other")], False, True),
    ]
    receiver.replace_interest("1", pages)
    assert receiver.realm("realm1").remote.members_for(TOPIC)
    assert receiver.realm("realm2").remote.members_for("com.other")
    assert not receiver.realm("realm1").remote.shard_groups("com.shard")
    receiver.replace_interest("1", [])
    assert not receiver.realm("realm1").remote.members_for(TOPIC)
    assert not receiver.realm("realm2").remote.members_for("com.other")
    receiver.remove_member("1")
    receiver.replace_interest("1", pages)
    assert not receiver.realm("realm1").remote.members_for(TOPIC)
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert not bob.receive_all()[2:]


def test_payload_of_python_values_is_relayed_as_json(cluster, sent):
    watcher = cluster.join("realm1")
    subscribe(watcher, "wamp.session.on_join")
    cluster.join("realm1")
    ((_, event),) = events(sent)
    assert event.payload_format == "json"
    assert json.loads(event.args)[0]["authrole"] == "anonymous"
    assert watcher.receive()[4][0]["authrole"] == "anonymous"


def test_member_can_be_added_twice(cluster):
    router = cluster.nodes[0].router
    router.cluster.add_member("1")
    assert not router.outbox


def test_realm_that_a_node_does_not_have_gets_no_events():
    cluster = MemoryCluster(anonymous_options("realm1", "realm2"), 2)
    alice, bob = cluster.join("realm1"), cluster.join("realm1")
    subscribe(bob)
    cluster.nodes[1].configure(anonymous_options("realm2"))
    assert bob.receive()[0] == 6
    realm = cluster.nodes[0].router.cluster.realm("realm1")
    assert not realm.remote.members_for(TOPIC)
    alice.send([PUBLISH, 1, {"retain": True}, TOPIC])
    cluster.nodes[1].configure(anonymous_options("realm1", "realm2"))
    subscribe(cluster.nodes[1].join("realm1"))
    assert realm.remote.members_for(TOPIC)


def test_realm_is_added_to_running_nodes(cluster):
    cluster.configure(anonymous_options("realm1", "realm2"))
    alice, bob = cluster.join("realm2"), cluster.join("realm2")
    subscribe(bob)
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert len(bob.inbox) == 1


def test_router_without_a_cluster_sends_nothing():
    node = MemoryNode(anonymous_options("realm1"))
    assert node.router.cluster is None


def test_lists_and_rights_are_applied_by_the_subscribers_node():
    roles = {"anonymous": RoleOptions("anonymous", (Permission("com.secret", publish=True),), allow_by_default=True)}
    cluster = MemoryCluster(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}), 2)
    alice, bob, _, dave = (cluster.join("realm1") for _ in range(4))
    for peer in (bob, dave):
        subscribe(peer)
    alice.send([PUBLISH, 1, {"exclude": [bob.session_id]}, TOPIC])
    assert (len(bob.receive_all()), len(dave.receive_all())) == (0, 1)
    alice.send([PUBLISH, 1, {"eligible": [bob.session_id]}, TOPIC])
    assert (len(bob.receive_all()), len(dave.receive_all())) == (1, 0)
    subscribe(bob, "com.", match="prefix")
    alice.send([PUBLISH, 1, {}, "com.secret"])
    assert not bob.inbox


class TestMetaEvents:
    def received(self, peer):
        return [message[3]["topic"].rpartition(".")[2] for message in peer.receive_all()]

    def test_they_reach_other_nodes(self, cluster):
        watcher = cluster.join("realm1")
        subscribe(watcher, "wamp.session.", match="prefix")
        bob = cluster.join("realm1")
        bob.lose()
        assert self.received(watcher) == ["on_join", "on_leave"]

    def test_subscription_is_created_and_deleted_once_for_all_nodes(self, cluster):
        watcher, bob, carol = (cluster.join("realm1") for _ in range(3))
        subscribe(watcher, "wamp.subscription.", match="prefix")
        watcher.receive_all()
        subscriptions = [subscribe(peer) for peer in (bob, carol)]
        assert self.received(watcher) == ["on_create", "on_subscribe", "on_subscribe"]
        bob.request([UNSUBSCRIBE, 2, subscriptions[0]])
        carol.request([UNSUBSCRIBE, 2, subscriptions[1]])
        assert self.received(watcher) == ["on_unsubscribe", "on_unsubscribe", "on_delete"]
        subscribe(carol)
        assert self.received(watcher) == ["on_create", "on_subscribe"]


class TestShards:
    def test_one_subscriber_of_all_nodes_gets_the_event(self, cluster):
        peers = [cluster.join("realm1") for _ in range(6)]
        for number, peer in enumerate(peers[1:5]):
            subscribe(peer, nkey=f"node{number}")
        subscribe(peers[5])
        counts = [0] * 6
        for number in range(40):
            peers[0].send([PUBLISH, 1, {"rkey": f"key{number}"}, TOPIC])
            received = [len(peer.receive_all()) for peer in peers]
            assert sum(received[1:5]) == received[5] == 1
            counts = [before + now for before, now in zip(counts, received, strict=True)]
        assert all(counts[1:])

    def test_equal_node_keys_have_one_owner(self, cluster):
        peers = [cluster.join("realm1") for _ in range(3)]
        for peer in peers:
            subscribe(peer, nkey="same")
        for publisher in peers:
            publisher.send([PUBLISH, 1, {"rkey": "x", "exclude_me": False}, TOPIC])
        assert sorted(len(peer.receive_all()) for peer in peers) == [0, 0, 3]

    def test_nobody_gets_the_event_if_the_lists_accept_no_shard(self, cluster):
        alice, bob, carol = (cluster.join("realm1") for _ in range(3))
        subscribe(bob, nkey="b")
        subscribe(carol, nkey="c")
        for accepted in ([], [alice.session_id]):
            alice.send([PUBLISH, 1, {"rkey": "x", "eligible": accepted}, TOPIC])
        assert not bob.inbox
        assert not carol.inbox
        alice.send([PUBLISH, 1, {"rkey": "x", "eligible_authid": [], "exclude": []}, TOPIC])
        assert not bob.inbox

    def test_publisher_may_be_the_shard_if_it_wants(self, cluster):
        alice, bob = cluster.join("realm1"), cluster.join("realm1")
        for peer in (alice, bob):
            subscribe(peer, nkey=str(peer.session_id))
        for number in range(20):
            alice.send([PUBLISH, 1, {"rkey": f"key{number}"}, TOPIC])
        assert (len(alice.receive_all()), len(bob.receive_all())) == (0, 20)
        for number in range(20):
            alice.send([PUBLISH, 1, {"rkey": f"key{number}", "exclude_me": False}, TOPIC])
        assert 0 < len(alice.receive_all()) < 20

    def test_node_that_does_not_know_a_shard_yet_leaves_the_choice_to_the_other(self, cluster):
        alice, bob = cluster.join("realm1"), cluster.join("realm1")
        subscribe(bob)
        cluster.is_immediate = False
        carol, dave = cluster.nodes[1].join("realm1"), cluster.nodes[1].join("realm1")
        carol.send([SUBSCRIBE, 1, {"nkey": "c"}, TOPIC])
        dave.send([SUBSCRIBE, 1, {"nkey": "d"}, TOPIC])
        alice.send([PUBLISH, 1, {"rkey": "x"}, TOPIC])
        cluster.deliver_all()
        assert len(bob.inbox) == 1
        assert sorted(len(peer.inbox) for peer in (carol, dave)) == [1, 2]

    def test_subscriber_that_leaves_gets_no_more_shares(self, cluster):
        alice, bob, carol = (cluster.join("realm1") for _ in range(3))
        for peer in (bob, carol):
            subscribe(peer, nkey=str(peer.session_id))
        bob.lose()
        for number in range(10):
            alice.send([PUBLISH, 1, {"rkey": f"key{number}"}, TOPIC])
        assert len(carol.receive_all()) == 10

    def test_subscriber_in_cleanup_is_not_chosen_by_its_own_node(self, cluster):
        alice, bob, _, dave = (cluster.join("realm1") for _ in range(4))
        for peer in (bob, dave):
            subscribe(peer, nkey=str(peer.session_id))
        cluster.nodes[0].runs_cleanup = False
        dave.lose()
        for number in range(10):
            alice.send([PUBLISH, 1, {"rkey": f"key{number}"}, TOPIC])
        assert len(bob.receive_all()) == 10

    def test_interest_of_a_node_contains_its_node_keys(self, cluster, sent):
        alice = cluster.join("realm1")
        subscribe(alice, nkey="a")
        changes = [change for _, message in sent for change in message.changes]
        authid = alice.node.router.sessions[alice.session_id].authid
        shard = RemoteShard(alice.session_id, authid, "anonymous", "a")
        assert changes == [InterestChange("add", "exact", TOPIC), InterestChange("add_shard", "exact", TOPIC, shard)]


class TestRetained:
    def retain(self, peer, *payload, **options):
        answer = peer.request([PUBLISH, 1, {"retain": True, "acknowledge": True, **options}, TOPIC, list(payload)])
        assert answer[0] == 17
        return answer[2]

    def test_all_nodes_keep_the_event(self, cluster):
        kept = self.retain(cluster.join("realm1"))
        assert [retained(node) for node in cluster.nodes] == [{kept}] * 3

    def test_publisher_with_a_slow_clock_replaces_the_event(self, cluster):
        alice, bob = cluster.join("realm1"), cluster.join("realm1")
        cluster.nodes[0].pass_time(100)
        self.retain(alice)
        kept = self.retain(bob)
        assert [retained(node) for node in cluster.nodes] == [{kept}] * 3
        kept = self.retain(bob)
        assert [retained(node) for node in cluster.nodes] == [{kept}] * 3

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    @pytest.mark.parametrize("seconds", [0, 5])
    def test_nodes_agree_on_events_that_cross(self, cluster, order, seconds):
        peers = [cluster.join("realm1") for _ in range(3)]
        cluster.is_immediate = False
        cluster.nodes[0].pass_time(seconds)
        ids = [self.retain(peer) for peer in peers[:2]]
        for place in order:
            cluster.deliver(place, 2)
        cluster.deliver_all()
        kept = ids[0] if seconds else max(ids)
        assert [retained(node) for node in cluster.nodes] == [{kept}] * 3

    @pytest.mark.parametrize("is_first_restricted", [False, True])
    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_restricted_event_is_kept_if_it_is_later(self, cluster, order, is_first_restricted):
        peers = [cluster.join("realm1") for _ in range(3)]
        lists = {"eligible_authrole": ["anonymous"]}
        cluster.is_immediate = False
        ids = [self.retain(peers[0], **(lists if is_first_restricted else {}))]
        cluster.nodes[1].pass_time(5)
        ids.append(self.retain(peers[1], **({} if is_first_restricted else lists)))
        for place in order:
            cluster.deliver(place, 2)
        cluster.deliver_all()
        expected = {ids[1]} if is_first_restricted else set(ids)
        assert [retained(node) for node in cluster.nodes] == [expected] * 3
        for node in cluster.nodes:
            events = node.router.realms["realm1"].broker.retained
            assert events.size == sum(each.size for each in events.publications())

    def test_new_node_gets_them_in_pages(self, cluster, sent):
        alice = cluster.join("realm1")
        for number in range(EVENTS_PER_PAGE + 1):
            alice.send([PUBLISH, 1, {"retain": True}, f"com.topic{number}"])
        node = cluster.add_node()
        sent.clear()
        cluster.send_retained(0, 3)
        pages = [(members, len(message.events), message.is_last) for members, message in sent]
        assert pages == [(("3",), 100, False), (("3",), 1, False), (("3",), 0, True)]
        assert retained(node) == retained(cluster.nodes[0])
        assert (
            node.router.realms["realm1"].broker.retained.size == alice.node.router.realms["realm1"].broker.retained.size
        )

    def test_event_that_is_later_than_the_request_to_clear_stays(self, cluster):
        alice, bob = cluster.join("realm1"), cluster.join("realm1")
        self.retain(alice)
        cluster.is_immediate = False
        cluster.nodes[1].pass_time(5)
        kept = self.retain(bob)
        assert alice.node.router.realms["realm1"].broker.clear_retained(TOPIC)
        alice.node.run_effects()
        cluster.deliver_all()
        assert [retained(node) for node in cluster.nodes] == [{kept}] * 3


class TestHistory:
    options = anonymous_options("realm1")
    history = (HistoryOptions(TOPIC, is_durable=True),)

    @pytest.fixture
    def cluster(self):
        realm = replace(self.options.realms["realm1"], history=self.history)
        return MemoryCluster(replace(self.options, realms={"realm1": realm}), 2)

    def test_all_nodes_keep_the_event_and_one_makes_it_durable(self, cluster):
        alice, bob = cluster.join("realm1"), cluster.join("realm1")
        cluster.nodes[0].pass_time(1.5)
        for peer in (alice, bob):
            peer.send([PUBLISH, 1, {}, TOPIC, [1]])
        histories = [next(iter(node.router.realms["realm1"].broker.histories.values())) for node in cluster.nodes]
        first, second = (history.publications() for history in histories)
        assert [(each.id, each.time) for each in first] == [(each.id, each.time) for each in second]
        assert len(first) == 2
        assert [len(node.records) for node in cluster.nodes] == [1, 1]
        assert isinstance(cluster.nodes[0].records[0], Record)


def test_effects_come_in_order(cluster):
    node = cluster.nodes[0]
    alice = cluster.join("realm1")
    router = node.router
    router.receive(alice.session_id, Subscribe(1, SubscribeOptions(), TOPIC))
    relay, hold, send = take_effects(router)
    assert isinstance(relay, Relay)
    assert relay.message == InterestUpdate("realm1", [InterestChange("add", "exact", TOPIC)])
    assert hold == Hold(alice.session_id, relay.interest)
    assert isinstance(send, Send)


# --- testaments ------------------------------------------------------------------------------------------------------


def add_testament(peer, value, **options):
    arguments = [TOPIC, [value], {}]
    assert peer.request([48, 5, {}, "wamp.session.add_testament", arguments, {"publish_options": options}])[0] == 50


def received(peer):
    return [message[4] for message in peer.receive_all() if message[0] == 36]


@pytest.mark.parametrize("value", ["\0abc", float("nan")])
def test_testament_that_json_cannot_represent_reaches_other_nodes(cluster, value):
    alice, heir = (node.join("realm1", "msgpack") for node in cluster.nodes[:2])
    heir.request([SUBSCRIBE, 1, {}, TOPIC])
    add_testament(alice, value, retain=True)
    alice.lose()
    assert repr(received(heir)) == repr([[value]])
    assert len(cluster.nodes[0].router.sessions) == 0
    node = cluster.add_node()
    cluster.send_retained(0, 3)
    late = node.join("realm1", "msgpack")
    late.request([SUBSCRIBE, 1, {"get_retained": True}, TOPIC])
    assert repr(received(late)) == repr([[value]])


def test_testament_that_no_format_between_nodes_can_represent_does_not_prevent_the_end_of_the_session(cluster, sent):
    alice, here, there = (cluster.nodes[place].join("realm1", "cbor") for place in (0, 0, 1))
    for heir in (here, there):
        heir.request([SUBSCRIBE, 1, {}, TOPIC])
    alice.request([64, 1, {}, "com.example.add"])
    add_testament(alice, [2**70, float("nan")], retain=True)
    sent.clear()
    alice.lose()
    assert repr(received(here)) == repr([[[2**70, float("nan")]]])
    assert received(there) == []
    assert [message for _, message in sent if isinstance(message, RelayedEvent)] == []
    assert len(cluster.nodes[0].router.sessions) == 1
    assert there.request([48, 9, {}, "com.example.add"])[4] == "wamp.error.no_such_procedure"
    node = cluster.add_node()
    cluster.send_retained(0, 3)
    late = node.join("realm1", "cbor")
    assert late.request([SUBSCRIBE, 1, {"get_retained": True}, TOPIC])[0] == SUBSCRIBED
    assert received(late) == []
