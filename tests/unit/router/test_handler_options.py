"""Handlers of Django apps in a cluster: procedures that each node offers, and subscribers that hear only their node."""

from dataclasses import replace

import pytest

from wamp_transport.router.handler_options import HandlerRegisterOptions, HandlerSubscribeOptions, is_home_only
from wamp_transport.router.options import HistoryOptions
from wamp_transport.router.relayed import InterestUpdate, RelayedEvent
from wamp_transport.testing.memory import MemoryNode, anonymous_options
from wamp_transport.testing.memory_cluster import MemoryCluster
from wamp_transport.wamp.messages import Register, Subscribe, SubscribeOptions

ERROR, PUBLISH, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, EVENT = 8, 16, 32, 33, 34, 36
CALL, RESULT, REGISTER, REGISTERED, UNREGISTER, INVOCATION, YIELD = 48, 50, 64, 65, 66, 68, 70
URI = "com.example.uri"
EXISTS = "wamp.error.procedure_already_exists"


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


def receive(peer, message):
    """Pass a message to the router as sessions inside the process do, and return the answer."""
    peer.node.router.receive(peer.session_id, message)
    peer.node.run_effects()
    return peer.receive()


def offer(peer, request=1, **options):
    return receive(peer, Register(request, HandlerRegisterOptions(prefers_own_node=True, **options), URI))


def hear(peer, request=1, topic=URI, **options):
    answer = receive(peer, Subscribe(request, HandlerSubscribeOptions(home_only=True, **options), topic))
    assert answer[0] == SUBSCRIBED
    return answer[2]


def joined(cluster):
    return [cluster.join("realm1") for _ in range(3)]


def received(*peers):
    return [[message[4] for message in peer.receive_all()] for peer in peers]


# --- procedures ----------------------------------------------------------------------------------------------------


def test_each_node_offers_the_procedure_and_calls_itself(cluster):
    handlers, clients = joined(cluster), joined(cluster)
    assert len({offer(each)[2] for each in handlers}) == 1
    for place, client in enumerate(clients):
        client.send([CALL, 1, {}, URI, [place]])
        invocation = handlers[place].receive()
        assert (invocation[0], invocation[4]) == (INVOCATION, [place])
        handlers[place].send([YIELD, invocation[1], {}, ["done"]])
        assert client.receive() == [RESULT, 1, {}, ["done"]]
    assert received(*handlers) == [[], [], []]


def test_another_node_is_called_if_the_own_one_has_no_callee(cluster):
    handlers, clients = joined(cluster), joined(cluster)
    (registration,) = {offer(each, concurrency=1)[2] for each in handlers}
    clients[0].send([CALL, 1, {}, URI])
    assert handlers[0].receive()[0] == INVOCATION
    clients[0].send([CALL, 2, {}, URI])  # the handler of the own node is busy
    assert handlers[1].receive()[0] == INVOCATION
    handlers[0].request([UNREGISTER, 2, registration])
    cluster.nodes[0].router.cluster.members.set_silent("1", is_silent=True)
    for node in cluster.nodes:
        node.random = 0
    clients[0].send([CALL, 3, {}, URI])
    assert handlers[2].receive()[0] == INVOCATION
    assert received(*handlers) == [[], [], []]


def test_clients_can_register_the_procedure_only_as_far_as_a_single_one(cluster):
    (handler, *_), (client, other, _) = joined(cluster), joined(cluster)
    registration = offer(handler)[2]
    for number, (peer, options) in enumerate(((client, {}), (other, {}), (other, {"invoke": "roundrobin"})), 1):
        error = peer.request([REGISTER, number, options, URI])
        assert error[4] == EXISTS
    assert offer(handler, 2)[4] == EXISTS
    described = client.request([CALL, 9, {}, "wamp.registration.get", [registration]])
    assert described[3][0]["invoke"] == "single"
    assert other.request([REGISTER, 3, {"force_reregister": True}, URI])[0] == REGISTERED
    assert offer(handler, 3)[4] == EXISTS


def test_policy_that_the_declaration_names_is_used(cluster):
    handlers = joined(cluster)
    (registration,) = {offer(each, invoke="last")[2] for each in handlers}
    client = cluster.join("realm1")
    client.send([CALL, 1, {}, URI])
    assert handlers[2].receive()[0] == INVOCATION
    assert client.request([CALL, 2, {}, "wamp.registration.get", [registration]])[3][0]["invoke"] == "last"


@pytest.mark.parametrize("invoke", ["here", "best"])
def test_clients_cannot_ask_for_it(cluster, invoke):
    client = cluster.join("realm1")
    client.send([REGISTER, 1, {"invoke": invoke}, URI])
    assert client.is_closed
    assert client.close_reason == "wamp.error.protocol_violation"
    client = cluster.join("realm1")
    client.request([REGISTER, 1, {"prefers_own_node": True}, URI])
    assert cluster.join("realm1").request([REGISTER, 1, {"prefers_own_node": True}, URI])[4] == EXISTS


def test_without_a_cluster_nothing_differs():
    node = MemoryNode(anonymous_options("realm1"))
    handler, other = node.join("realm1"), node.join("realm1")
    registration = offer(handler)[2]
    assert offer(other)[4] == EXISTS
    assert other.request([CALL, 2, {}, "wamp.registration.get", [registration]])[3][0]["invoke"] == "single"
    hear(handler)
    other.send([PUBLISH, 1, {}, URI, [1]])
    assert received(handler) == [[[1]]]


def test_callees_with_a_policy_of_a_later_release_are_called(cluster):
    """The policy is in the ledger, which nodes of several releases share during a rolling deployment."""
    handlers = joined(cluster)
    for number, each in enumerate(handlers, 1):
        receive(each, Register(number, HandlerRegisterOptions(invoke="nearest"), URI))
    client = cluster.join("realm1")
    for number in range(1, 4):
        cluster.nodes[0].random = number - 1
        client.send([CALL, number, {}, URI])
    assert [len(each.receive_all()) for each in handlers] == [1, 1, 1]
    registration = client.request([CALL, 4, {}, "wamp.registration.lookup", [URI]])[3][0]
    assert client.request([CALL, 5, {}, "wamp.registration.get", [registration]])[3][0]["invoke"] == "single"


# --- subscribers ---------------------------------------------------------------------------------------------------


def test_each_event_is_handled_once(cluster, sent):
    handlers, clients = joined(cluster), joined(cluster)
    for each in handlers:
        hear(each)
    for place, client in enumerate(clients):
        client.send([PUBLISH, 1, {}, URI, [place]])
        client.send([PUBLISH, 2, {"exclude": [1]}, URI, [place]])
    assert received(*handlers) == [[[0], [0]], [[1], [1]], [[2], [2]]]
    assert [message for _, message in sent if isinstance(message, (RelayedEvent, InterestUpdate))] == []


def test_other_subscribers_of_the_node_hear_all_events(cluster):
    handlers, clients = joined(cluster), joined(cluster)
    for each in handlers:
        hear(each)
    clients[0].request([SUBSCRIBE, 1, {}, URI])
    for options in ({}, {"exclude_authid": ["nobody"]}, {"exclude_me": False}):
        clients[1].send([PUBLISH, 1, options, URI, [1]])
    assert received(clients[0], handlers[0], handlers[1]) == [[[1]] * 3, [], [[1]] * 3]


def test_interest_follows_the_other_subscribers(cluster, sent):
    handler, client = cluster.nodes[0].join("realm1"), cluster.nodes[0].join("realm1")
    subscription = hear(handler)

    def kinds():
        found = [message.changes[0].kind for _, message in sent if isinstance(message, InterestUpdate)]
        sent.clear()
        return found

    assert kinds() == []
    client.request([SUBSCRIBE, 1, {}, URI])
    assert kinds() == ["add"]
    client.request([UNSUBSCRIBE, 2, subscription])
    assert kinds() == ["release"]
    client.request([SUBSCRIBE, 3, {}, URI])
    assert kinds() == ["add"]
    client.lose()
    assert kinds() == ["release"]
    cluster.pass_time(11)
    assert kinds() == ["remove"]
    handler.request([UNSUBSCRIBE, 2, subscription])
    assert kinds() == []
    assert cluster.nodes[0].router.cluster.interest() == {}


def test_subscriber_can_change_its_mind(cluster):
    handler, client = cluster.nodes[0].join("realm1"), cluster.nodes[1].join("realm1")
    hear(handler)
    receive(handler, Subscribe(2, SubscribeOptions(), URI))
    client.send([PUBLISH, 1, {}, URI, [1]])
    assert received(handler) == [[[1]]]
    hear(handler, 3)
    client.send([PUBLISH, 1, {}, URI, [2]])
    assert received(handler) == [[]]


def test_subscribed_of_such_a_subscriber_waits_for_nobody(cluster):
    handler, client = cluster.nodes[0].join("realm1"), cluster.nodes[0].join("realm1")
    cluster.is_immediate = False
    client.send([SUBSCRIBE, 1, {}, URI])
    hear(handler)
    assert not client.inbox
    assert client.held


def test_history_asks_for_the_events_of_such_a_topic(cluster, sent):
    handler, client = cluster.nodes[0].join("realm1"), cluster.nodes[1].join("realm1")
    subscription = hear(handler)
    options = cluster.options
    realm = replace(options.realms["realm1"], history=(HistoryOptions(URI),))
    cluster.configure(replace(options, realms={"realm1": realm}))
    client.send([PUBLISH, 1, {}, URI, [1]])
    assert received(handler) == [[]]
    events = handler.request([CALL, 2, {}, "wamp.subscription.get_events", [subscription]])
    assert len(events[3]) == 1
    cluster.configure(options)
    cluster.pass_time(11)
    sent.clear()
    client.send([PUBLISH, 2, {}, URI, [2]])
    assert sent == []


def test_retained_events_of_all_nodes_are_replayed(cluster):
    client = cluster.nodes[1].join("realm1")
    client.send([PUBLISH, 1, {"retain": True}, URI, ["old"]])
    handler = cluster.nodes[0].join("realm1")
    hear(handler, get_retained=True)
    client.send([PUBLISH, 2, {"retain": True}, URI, ["new"]])
    assert received(handler) == [[["old"]]]


def test_meta_event_is_handled_by_the_node_of_the_session(cluster):
    handlers = joined(cluster)
    for each in handlers:
        hear(each, topic="wamp.session.on_join")
    cluster.nodes[2].join("realm1")
    assert [len(each.receive_all()) for each in handlers] == [0, 0, 1]


def test_meta_procedures_count_such_subscribers(cluster):
    handlers = joined(cluster)
    (subscription,) = {hear(each) for each in handlers}
    client = cluster.join("realm1")
    assert client.request([CALL, 1, {}, "wamp.subscription.count_subscribers", [subscription]])[3] == [3]


def test_only_the_own_options_can_say_so():
    assert is_home_only(HandlerSubscribeOptions(home_only=True))
    assert not is_home_only(HandlerSubscribeOptions())
    assert not is_home_only(SubscribeOptions())
