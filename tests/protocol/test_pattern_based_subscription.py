"""Advanced Profile, "Pattern-based Subscription"."""

import pytest

from .codes import ERROR, PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE


def subscribe(peer, request_id, match, pattern):
    answer = peer.request([SUBSCRIBE, request_id, {"match": match}, pattern])
    assert answer[0] == SUBSCRIBED
    return answer[2]


@pytest.mark.parametrize(
    ("match", "pattern", "covered", "others"),
    [
        ("prefix", "com.app.to", ["com.app.topic", "com.app.to", "com.app.to.x"], ["com.app", "com.app.t", "org"]),
        ("prefix", "com.app.", ["com.app.x", "com.app.x.y"], ["com.app", "com.apps"]),
        ("prefix", "", ["com", "org.x"], []),
        ("wildcard", "com..topic", ["com.a.topic", "com.b.topic"], ["com.topic", "com.a.b.topic", "com.a.topic.x"]),
        ("wildcard", "..", ["a.b.c"], ["a.b", "a.b.c.d"]),
        ("wildcard", "", ["a"], ["a.b"]),
        ("wildcard", "com.a", ["com.a"], ["com.b", "com"]),
        ("exact", "com.a", ["com.a"], ["com.a.b", "com"]),
    ],
)
def test_pattern_covers_its_topics(alice, bob, match, pattern, covered, others):
    subscription = subscribe(bob, 1, match, pattern)
    bob.receive_all()  # a pattern may cover the meta events of its own making
    for topic in covered + others:
        alice.send([PUBLISH, 1, {}, topic, [topic]])
    events = bob.receive_all()
    assert [event[4][0] for event in events] == covered
    assert all(event[1] == subscription for event in events)
    assert [event[3].get("topic") for event in events] == ([None] if match == "exact" else covered)


def test_overlapping_subscriptions_get_an_event_each_with_one_publication_id(alice, bob):
    ids = {
        subscribe(bob, 1, "exact", "com.a.topic"),
        subscribe(bob, 2, "prefix", "com."),
        subscribe(bob, 3, "prefix", "com.a"),
        subscribe(bob, 4, "wildcard", "com..topic"),
        subscribe(bob, 5, "wildcard", "..topic"),
    }
    subscribe(bob, 6, "prefix", "org")
    published = alice.request([PUBLISH, 1, {"acknowledge": True}, "com.a.topic"])
    events = bob.receive_all()
    assert {event[1] for event in events} == ids
    assert len(events) == 5
    assert {event[2] for event in events} == {published[2]}


def test_publisher_is_excluded_from_patterns_too(alice):
    subscribe(alice, 1, "prefix", "com.")
    subscribe(alice, 2, "wildcard", "com.")
    alice.send([PUBLISH, 1, {}, "com.x"])
    assert not alice.inbox
    alice.send([PUBLISH, 1, {"exclude_me": False}, "com.x"])
    assert len(alice.receive_all()) == 2


def test_pattern_that_is_unsubscribed_is_gone(alice, bob):
    for request_id, (match, pattern) in enumerate([("prefix", "com."), ("wildcard", "com..x"), ("prefix", "com.y")], 1):
        bob.request([UNSUBSCRIBE, 9, subscribe(bob, request_id, match, pattern)])
    alice.send([PUBLISH, 1, {}, "com.a.x"])
    assert not bob.inbox
    assert not bob.node.router.realms["realm1"].broker.subscriptions


def test_patterns_have_at_most_64_components_and_topics_more(alice, bob):
    subscribe(bob, 1, "wildcard", ".".join(["a", ""] * 32))
    subscribe(bob, 2, "prefix", ".".join("a" * 64))
    for request_id, (match, pattern) in enumerate([("wildcard", ".".join(["a", ""] * 250)), ("prefix", "a." * 64)], 3):
        error = bob.request([SUBSCRIBE, request_id, {"match": match}, pattern])
        assert error[:5] == [ERROR, SUBSCRIBE, request_id, {}, "wamp.error.invalid_uri"]
    for components, covered in [(63, 0), (64, 2), (65, 1), (500, 1)]:
        topic = ".".join("a" * components)
        assert alice.request([PUBLISH, components, {"acknowledge": True}, topic])[0] == PUBLISHED
        assert [event[3]["topic"] for event in bob.receive_all()] == [topic] * covered


def arrangement(number: int, components: int) -> str:
    """A pattern whose wildcards are at the places of the bits of ``number``."""
    return ".".join("" if number >> bit & 1 else "a" for bit in range(components))


def test_patterns_of_one_length_have_at_most_256_arrangements_of_wildcards(alice, bob):
    """Otherwise one client could make each publication as slow as it likes. Eight components never have more."""
    for components in (8, 9):
        for number in range(256):
            subscribe(bob, number + 1, "wildcard", arrangement(number, components))
    refused = bob.request([SUBSCRIBE, 600, {"match": "wildcard"}, arrangement(256, 9)])
    assert refused[:5] == [ERROR, SUBSCRIBE, 600, {}, "wamp.error.quota_exceeded"]
    again = subscribe(alice, 1, "wildcard", arrangement(255, 9).replace("a", "b"))  # an arrangement that exists
    alice.request([UNSUBSCRIBE, 2, again])
    old = subscribe(bob, 601, "wildcard", arrangement(255, 9))
    bob.request([UNSUBSCRIBE, 602, old])
    subscribe(bob, 603, "wildcard", arrangement(256, 9))
