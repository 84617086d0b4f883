"""The link of a node: its peers, its writing connection, its deadlines."""

import msgspec
import pytest

from wamp_transport.cluster import link_events as events
from wamp_transport.cluster.link import Append, Link
from wamp_transport.cluster.messages import Open, decode_batch, encode_batch, encode_message
from wamp_transport.cluster.window import LinkSizes
from wamp_transport.router import relayed
from wamp_transport.router.relayed import InterestChange
from wamp_transport.wamp.messages import CallOptions, PublishOptions

TOPIC = InterestChange("add", "exact", "com.topic")
INVOKE = relayed.RelayedCall("realm1", 1, 1, 1, "com.proc", None, None, CallOptions(), 0, "json")
EVENT = relayed.RelayedEvent("realm1", 1, None, "com.topic", 1, "ann", "user", None, False, PublishOptions(), "json"
)  # fmt: skip


@pytest.fixture
def link() -> Link:
    """The link of node ``a``, with the peers ``b`` and ``c`` and a writing connection."""
    link = Link("a", 100.0)
    for name in "abc":
        assert link.member_joined(name, 100.0)
    link.connection_made()
    link.connection_confirmed()
    link.flush(100.0)
    link.take_events()
    return link


def note(sender: str, protocol: int = 1) -> bytes:
    return msgspec.msgpack.encode([protocol, sender, 0, 0, 0, []])


def summary(appends: list[Append]) -> list[tuple[str, int, int]]:
    """Return peer, number, and number of messages of each batch."""
    batches = [(each.peer, decode_batch(each.data).batch) for each in appends]
    return [(peer, batch.number, len(batch.messages)) for peer, batch in batches]


def test_dropped_events_are_reported_when_the_link_is_advanced(link: Link) -> None:
    link.peers["b"].window.is_blocked = True
    link.send_event(["b", "c"], EVENT)
    link.send_event(["b"], EVENT)
    assert link.take_events() == []
    link.advance(100.5)
    assert link.take_events() == [events.EventsDropped("b", 2)]
    link.advance(101.0)
    assert link.take_events() == []
    link.send_event(["b"], EVENT)
    link.member_removed("b")
    assert link.take_events() == [events.EventsDropped("b", 1), events.PeerGone("b")]


# --- members ---------------------------------------------------------------------------------------------------------


def test_a_node_is_not_its_own_peer(link: Link) -> None:
    assert set(link.peers) == {"b", "c"}


def test_the_memory_for_windows_is_divided_among_the_members(link: Link) -> None:
    assert link.peers["b"].window.limit == LinkSizes().window_limit(3)
    link.member_joined("d", 100.0)
    assert link.peers["b"].window.limit == link.peers["d"].window.limit == LinkSizes().window_limit(4)
    link.member_removed("d")
    assert link.peers["b"].window.limit == LinkSizes().window_limit(3)


def test_answers_of_peers_are_counted(link: Link) -> None:
    assert (link.count_answers("b"), link.count_answers("a"), link.count_answers("x")) == (0, None, None)
    link.ask(["b", "x"])
    assert summary(link.flush(100.0)) == [("b", 1, 1)]
    answer = encode_message(Open(1, []))
    link.receive(encode_batch(1, "b", 1, 1, 0, [answer]), 100.0)
    assert link.count_answers("b") == 1


def test_a_batch_of_an_unknown_node_makes_it_a_peer(link: Link) -> None:
    link.receive(note("d"), 100.0)
    assert link.take_events() == [events.SnapshotWanted("d")]
    assert not link.peers["d"].is_member
    assert link.member_joined("d", 100.0)
    assert link.peers["d"].is_member
    assert link.take_events() == []


def test_a_silent_node_that_never_was_a_member_is_removed(link: Link) -> None:
    link.receive(note("d"), 100.0)
    link.advance(159.0)
    assert "d" in link.peers
    for second in range(60):
        link.advance(160.0 + second)
    assert set(link.peers) == {"b", "c"}
    assert events.PeerGone("d") in link.take_events()


def test_a_removed_node_is_refused(link: Link) -> None:
    link.send("b", INVOKE)
    link.member_removed("b")
    assert link.take_events() == [events.CallFailed("b", "realm1", 1), events.PeerGone("b")]
    link.receive(note("b"), 100.0)
    assert link.counters.refused == 1
    assert not link.member_joined("b", 100.0)
    assert set(link.peers) == {"c"}
    assert link.flush(100.0) == []


def test_a_removed_node_is_refused_although_it_never_was_a_peer(link: Link) -> None:
    link.member_removed("d")
    link.receive(note("d"), 100.0)
    assert "d" not in link.peers


def test_nothing_is_sent_to_unknown_nodes(link: Link) -> None:
    assert link.send("d", INVOKE) == 0
    link.send_event(["d"], EVENT)
    link.send_snapshot("d", {})
    assert link.flush(100.0) == []


def test_a_member_decides_the_version_of_the_protocol(link: Link) -> None:
    link.member_joined("b", 100.0, protocol=7)
    link.send("b", INVOKE)
    (append,) = link.flush(100.0)
    assert decode_batch(append.data).batch.protocol == 7


# --- receiving -------------------------------------------------------------------------------------------------------


def test_invalid_and_unsupported_batches_are_counted(link: Link) -> None:
    link.receive(b"\xc1", 100.0)
    link.receive(note("b", protocol=2), 100.0)
    link.receive(note("a"), 100.0)
    counters = link.counters
    assert (counters.invalid, counters.unsupported, counters.refused) == (1, 1, 1)


# --- sending ---------------------------------------------------------------------------------------------------------


def test_messages_of_one_turn_are_one_batch_per_peer(link: Link) -> None:
    link.send_event(["b", "c"], EVENT)
    link.send("b", INVOKE)
    assert summary(link.flush(100.0)) == [("b", 1, 2), ("c", 1, 1)]
    assert link.flush(100.0) == []


def test_interest_goes_to_all_peers(link: Link) -> None:
    link.send("b", INVOKE)
    link.flush(100.0)
    assert link.send_interest("realm1", [TOPIC]) == {"b": 2, "c": 1}
    assert summary(link.flush(100.0)) == [("b", 2, 1), ("c", 1, 1)]


def test_interest_is_sent_in_pages() -> None:
    link = Link("a", 100.0, LinkSizes(page_changes=2, batch_messages=1))
    link.member_joined("b", 100.0)
    link.connection_made()
    assert link.send_interest("realm1", [TOPIC] * 5) == {"b": 3}
    assert [decode_batch(each.data).batch.messages for each in link.flush(100.0)][:3] == [
        [relayed.InterestUpdate("realm1", [TOPIC] * count)] for count in (2, 2, 1)
    ]


def test_a_snapshot_answers_the_wish_for_one(link: Link) -> None:
    link.send_snapshot("b", {"realm1": [TOPIC]})
    (append,) = link.flush(100.0)
    assert decode_batch(append.data).batch.messages == [relayed.InterestPage("realm1", [TOPIC], True, True)]


# --- the writing connection ------------------------------------------------------------------------------------------


def test_everything_unacknowledged_is_resent_on_a_new_connection(link: Link) -> None:
    link.send("b", INVOKE)
    link.flush(100.0)
    link.connection_lost(100.0)
    link.send_event(["b"], EVENT)
    assert link.flush(100.0) == []
    link.connection_made()
    assert summary(link.flush(100.0)) == [("b", 1, 1), ("b", 2, 1), ("b", 2, 0), ("c", 0, 0)]
    assert link.flush(100.0) == []


def test_calls_fail_five_seconds_after_the_connection_was_lost(link: Link) -> None:
    link.send("b", INVOKE)
    link.connection_lost(100.0)
    link.connection_made()
    link.connection_lost(102.0)
    link.advance(104.9)
    assert events.CallFailed("b", "realm1", 1) not in link.take_events()
    assert link.next_deadline() is not None
    link.advance(105.0)
    assert link.take_events() == [events.CallFailed("b", "realm1", 1)]
    assert link.is_away
    assert not link.send("b", INVOKE)
    link.member_joined("d", 105.0)
    assert not link.send("d", INVOKE)
    link.connection_made()
    assert link.is_away
    link.connection_confirmed()
    assert link.send("b", INVOKE)
    assert link.send("d", INVOKE)


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_node_alone_waits_for_nothing() -> None:
    link = Link("a", 100.0)
    assert link.next_deadline() == 105.0
    link.connection_made()
    link.connection_confirmed()
    assert link.next_deadline() is None


def test_notes_are_sent_at_the_deadline(link: Link) -> None:
    deadline = link.next_deadline()
    assert deadline == 101.0
    link.advance(deadline)
    assert summary(link.flush(deadline)) == [("b", 0, 0), ("c", 0, 0)]
    assert link.next_deadline() == 102.0


def test_the_deadlines_do_not_stand_still_without_a_connection(link: Link) -> None:
    link.connection_lost(100.0)
    now = 100.0
    for _ in range(20):
        deadline = link.next_deadline()
        assert deadline is not None
        assert deadline > now
        now = deadline
        link.advance(now)
        link.flush(now)


def test_peers_are_not_silent_because_this_node_was_stopped(link: Link) -> None:
    link.advance(101.0)
    link.advance(110.0)
    assert not link.peers["b"].is_silent
    for second in range(1, 4):
        link.advance(110.0 + second)
    assert link.peers["b"].is_silent
