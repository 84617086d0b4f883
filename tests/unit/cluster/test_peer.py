"""One peer: received numbers, losses, calls, interest, and when something is sent."""

from typing import Any

import pytest

from wamp_transport.cluster import link_events as events
from wamp_transport.cluster import messages
from wamp_transport.cluster.messages import (
    ACKNOWLEDGE_NOW,
    Batch,
    Message,
    ReceivedBatch,
    decode_batch,
    encode_batch,
    encode_message,
)
from wamp_transport.cluster.peer import Peer
from wamp_transport.cluster.window import LinkSizes, Window
from wamp_transport.router import relayed
from wamp_transport.router.relayed import InterestChange
from wamp_transport.wamp.messages import CallOptions, ErrorDetails, PublishOptions, ResultDetails

R = "realm1"
TOPIC = InterestChange("add", "exact", "com.topic")


class OnePeer:
    """The peer ``b`` of the node ``a``, with a window of 1,000 bytes."""

    def __init__(self) -> None:
        self.events: list[events.LinkEvent] = []
        self.now = 100.0
        self.peer = Peer("b", Window("a", LinkSizes(min_window_bytes=1000)), self.events, self.now)

    def receive(self, number: int, *sent: Message, acknowledged: int = 0, flags: int = 0) -> None:
        data = encode_batch(1, "b", number, acknowledged, flags, [encode_message(each) for each in sent])
        self.peer.receive(decode_batch(data), self.now)

    def flush(self, *, is_connected: bool = True, resend: bool = False) -> list[Batch]:
        batches = self.peer.flush(self.now, is_connected=is_connected, resend=resend)
        return [decode_batch(data).batch for data in batches]

    def sent(self) -> list[Message]:
        return [message for batch in self.flush() for message in batch.messages]

    def take(self) -> list[events.LinkEvent]:
        taken = self.events[:]
        self.events.clear()
        return taken


@pytest.fixture
def one() -> OnePeer:
    """A peer that is open and knows the interest of this node."""
    one = OnePeer()
    one.peer.send_snapshot({}, 10)
    one.flush()
    one.receive(1, relayed.InterestPage("", [], True, True), acknowledged=1)
    one.now += 0.2
    one.flush()
    one.take()
    return one


QUESTION = relayed.RelayedQuestion(R, 1, "wamp.session.count", relayed.Identity(1, "ann", "user"), "json")


def event(number: int = 1, size: int = 0) -> relayed.RelayedEvent:
    return relayed.RelayedEvent(
        R, number, None, "com.topic", 1, "ann", "user", None, False, PublishOptions(), "json", b"x" * size
    )


def invoke(call_id: int, **options: Any) -> relayed.RelayedCall:
    return relayed.RelayedCall(R, call_id, 1, 1, "com.proc", None, None, CallOptions(**options), 0, "json")


def answer(call_id: int, *, progress: bool = False, size: int = 0) -> relayed.RelayedResult:
    return relayed.RelayedResult(R, call_id, progress, 0, ResultDetails(), "json", b"x" * size)


def failure(call_id: int) -> relayed.RelayedError:
    return relayed.RelayedError(R, call_id, 0, False, "com.error", ErrorDetails(), "json")


def part(call_id: int) -> relayed.RelayedCallPart:
    return relayed.RelayedCallPart(R, call_id, CallOptions(progress=True), "json")


def cancel(call_id: int, mode: Any) -> relayed.RelayedCancel:
    return relayed.RelayedCancel(R, call_id, mode, "wamp.error.canceled")


# --- greeting --------------------------------------------------------------------------------------------------------


def test_a_new_peer_wants_a_snapshot_and_opens_with_its_own() -> None:
    one = OnePeer()
    assert one.take() == [events.SnapshotWanted("b")]
    assert one.peer.state == "greeting"
    page = relayed.InterestPage(R, [TOPIC], True, True)
    one.receive(1, page)
    assert one.take() == [events.SnapshotReceived("b", [page]), events.PeerOpened("b")]
    assert one.peer.state == "open"


def test_a_snapshot_is_complete_with_its_last_page(one: OnePeer) -> None:
    pages = [relayed.InterestPage(R, [TOPIC], True, False), relayed.InterestPage(R, [], False, False)]
    one.receive(2, *pages)
    assert one.take() == []
    pages.append(relayed.InterestPage("other", [TOPIC], False, True))
    one.receive(3, pages[-1])
    assert one.take() == [events.SnapshotReceived("b", pages)]


def test_a_snapshot_without_its_beginning_is_ignored(one: OnePeer) -> None:
    one.receive(2, relayed.InterestPage(R, [TOPIC], False, True))
    assert one.take() == []


def test_a_snapshot_with_a_lost_page_is_ignored(one: OnePeer) -> None:
    one.receive(2, relayed.InterestPage(R, [TOPIC], True, False))
    one.receive(4, relayed.InterestPage(R, [TOPIC], False, True))
    assert [type(each) for each in one.take()] == [events.BatchesLost]


def test_a_snapshot_is_sent_in_pages(one: OnePeer) -> None:
    topics = [InterestChange("add", "exact", name) for name in "abc"]
    one.peer.send_snapshot({R: topics, "other": topics[:1]}, 2)
    assert one.sent() == [
        relayed.InterestPage(R, topics[:2], True, False),
        relayed.InterestPage(R, topics[2:], False, False),
        relayed.InterestPage("other", topics[:1], False, True),
    ]


def test_a_snapshot_does_not_fill_the_window(one: OnePeer) -> None:
    one.peer.send_snapshot({R: [TOPIC] * 1000}, 100)
    assert one.peer.window.size == 0
    assert not one.take()


# --- receiving -------------------------------------------------------------------------------------------------------


def test_messages_are_reported_in_order(one: OnePeer) -> None:
    one.receive(2, event(1), event(2))
    one.receive(3, event(3))
    assert one.take() == [events.Received("b", event(number)) for number in (1, 2, 3)]


def test_a_batch_is_handled_once(one: OnePeer) -> None:
    for _ in range(2):
        one.receive(2, event())
    assert len(one.take()) == 1
    assert one.peer.counters.duplicates == 1


def test_a_note_does_not_take_the_place_of_a_batch(one: OnePeer) -> None:
    one.receive(1)
    one.receive(2, event())
    assert one.take() == [events.Received("b", event())]


@pytest.mark.parametrize(("number", "sent", "last"), [(4, [event()], 3), (4, [], 4)])
def test_a_gap_is_a_loss(one: OnePeer, number: int, sent: list[Message], last: int) -> None:
    one.receive(number, *sent)
    received = [events.Received("b", each) for each in sent]
    assert one.take() == [events.BatchesLost("b", last - 1, is_sender=False), *received]
    assert one.peer.counters.lost_batches == last - 1
    (batch,) = one.flush()
    assert batch.acknowledged == 4
    assert batch.messages == [messages.Gap(2, last), messages.Reconcile(1), messages.WantInterest()]
    one.receive(5, event())
    assert len(one.take()) == 1


def test_a_reported_gap_is_a_loss(one: OnePeer) -> None:
    one.receive(2, messages.Gap(5, 6), messages.WantInterest())
    assert one.take() == [events.BatchesLost("b", 2, is_sender=True), events.SnapshotWanted("b")]
    assert one.peer.counters.lost_by_peer == 2
    assert one.sent() == [messages.Reconcile(1), messages.WantInterest()]


def test_skipped_messages_are_counted(one: OnePeer) -> None:
    one.peer.receive(ReceivedBatch(Batch(1, "b", 2, 0, 0, []), 3), one.now)
    assert one.peer.counters.skipped == 3
    assert one.take() == []
    one.receive(3, event())
    assert one.take() == [events.Received("b", event())]


# --- acknowledgments and notes ---------------------------------------------------------------------------------------


def test_a_batch_is_acknowledged_after_a_tenth_of_a_second(one: OnePeer) -> None:
    one.receive(2, event())
    assert one.flush() == []
    assert one.peer.deadline == pytest.approx(one.now + 0.1)
    one.now += 0.11
    assert one.flush() == [Batch(1, "a", 1, 2, 0, [])]
    assert one.flush() == []


def test_a_batch_with_messages_acknowledges(one: OnePeer) -> None:
    one.receive(2, event())
    one.peer.send_event(encode_message(event()))
    (batch,) = one.flush()
    assert (batch.acknowledged, len(batch.messages)) == (2, 1)
    one.now += 0.2
    assert one.flush() == []


@pytest.mark.parametrize("number", [2, 1])
def test_a_batch_can_request_an_acknowledgment(one: OnePeer, number: int) -> None:
    one.receive(number, event(), flags=ACKNOWLEDGE_NOW)
    assert [batch.acknowledged for batch in one.flush()] == [number]


def test_a_note_is_sent_each_second(one: OnePeer) -> None:
    one.now += 1
    assert len(one.flush()) == 1
    assert one.flush() == []
    assert one.peer.deadline == one.now + 1


def test_nothing_is_sent_without_a_connection(one: OnePeer) -> None:
    one.now += 2
    one.peer.send_event(encode_message(event()))
    assert one.flush(is_connected=False) == []
    assert one.peer.deadline > one.now


def test_a_new_connection_begins_with_the_unacknowledged_batches(one: OnePeer) -> None:
    for number in (1, 2, 3, 4):
        one.peer.send_event(encode_message(event(number)))
        one.flush(is_connected=number < 3)
    one.receive(1, acknowledged=2)
    batches = one.flush(resend=True)
    assert [batch.number for batch in batches] == [3, 4, 4]
    assert [batch.messages for batch in batches] == [[event(2)], [event(3), event(4)], []]


# --- interest --------------------------------------------------------------------------------------------------------


def interest(one: OnePeer) -> int:
    return one.peer.send_interest(encode_message(relayed.InterestUpdate(R, [TOPIC])))


def test_acknowledged_interest_is_reported(one: OnePeer) -> None:
    number = interest(one)
    assert not one.peer.is_caught_up
    assert [batch.flags for batch in one.flush()] == [ACKNOWLEDGE_NOW]
    one.receive(1, acknowledged=number)
    assert one.take() == [events.InterestAcknowledged("b", number)]
    assert one.peer.is_caught_up


def test_other_acknowledgments_are_not_reported(one: OnePeer) -> None:
    one.peer.send_event(encode_message(event()))
    one.flush()
    one.receive(1, acknowledged=2)
    assert one.take() == []


def test_an_acknowledgment_that_covers_lost_interest_is_not_reported(one: OnePeer) -> None:
    number = interest(one)
    one.flush()
    one.receive(2, messages.Gap(number, number), messages.WantInterest(), acknowledged=number)
    assert events.InterestAcknowledged not in [type(each) for each in one.take()]
    number = one.peer.send_snapshot({R: [TOPIC]}, 10)
    one.flush()
    one.receive(2, acknowledged=number - 1)
    assert one.take() == []
    one.receive(2, acknowledged=number)
    assert one.take() == [events.InterestAcknowledged("b", number)]


def test_after_a_loss_only_a_new_snapshot_is_confirmed(one: OnePeer) -> None:
    """The report that the peer has lost the interest may be in the batches that were lost here."""
    number = interest(one)
    one.flush()
    one.receive(3, event(), acknowledged=number)
    assert events.InterestAcknowledged not in [type(each) for each in one.take()]


# --- calls -----------------------------------------------------------------------------------------------------------


def test_answers_of_open_calls_are_reported(one: OnePeer) -> None:
    assert one.peer.send(invoke(1))
    assert one.peer.send(invoke(2, receive_progress=True))
    sent = [answer(2, progress=True), answer(1), answer(1), failure(2), answer(2)]
    one.receive(2, *sent)
    assert one.take() == [events.Received("b", each) for each in (sent[0], sent[1], sent[3])]
    assert one.peer.counters.late == 2


def test_answers_to_ended_calls_are_not_sent(one: OnePeer) -> None:
    one.receive(2, invoke(1), invoke(2), invoke(3))
    assert one.peer.send(answer(1, progress=True))
    assert one.peer.send(answer(1))
    assert not one.peer.send(answer(1))
    assert one.peer.send(failure(2))
    assert not one.peer.send(failure(2))
    one.receive(3, cancel(3, "skip"))
    assert not one.peer.send(answer(3))


def test_parts_belong_to_open_calls(one: OnePeer) -> None:
    one.peer.send(invoke(1, progress=True))
    assert one.peer.send(part(1))
    assert not one.peer.send(part(2))
    one.receive(2, invoke(1, progress=True), part(1), part(2))
    assert one.take()[-1] == events.Received("b", part(1))


@pytest.mark.parametrize("mode", ["skip", "killnowait"])
def test_a_canceled_call_has_ended(one: OnePeer, mode: str) -> None:
    one.peer.send(invoke(1))
    assert one.peer.send(cancel(1, mode))
    assert not one.peer.send(cancel(1, mode))
    one.receive(2, answer(1))
    assert one.take() == []


def test_a_killed_call_still_has_an_answer(one: OnePeer) -> None:
    one.peer.send(invoke(1))
    assert one.peer.send(cancel(1, "kill"))
    one.receive(2, invoke(1), cancel(1, "kill"), failure(1))
    assert one.take()[-1] == events.Received("b", failure(1))
    assert one.peer.send(failure(1))


def test_calls_with_several_parts_fail_after_a_loss(one: OnePeer) -> None:
    one.peer.send(invoke(1))
    one.peer.send(invoke(2, receive_progress=True))
    one.receive(2, invoke(5), invoke(6, progress=True))
    one.sent()
    one.take()
    one.receive(4, answer(2, progress=True), part(6))
    assert one.take() == [
        events.BatchesLost("b", 1, is_sender=False),
        events.CallFailed("b", R, 2),
        events.CallInterrupted("b", R, 6),
    ]
    assert relayed.RelayedCancel(R, 2, "killnowait", "wamp.error.network_failure") in one.sent()


def test_calls_that_the_peer_does_not_know_fail(one: OnePeer) -> None:
    one.peer.send(invoke(1))
    one.peer.send(invoke(2))
    one.receive(3)
    one.peer.send(invoke(3))
    one.take()
    one.receive(4, messages.Open(1, [2]))
    assert one.take() == [events.CallFailed("b", R, 1)]


def test_only_the_answer_to_the_newest_question_counts(one: OnePeer) -> None:
    one.peer.send(invoke(1))
    one.receive(3)
    one.receive(5)
    one.take()
    one.receive(6, messages.Open(1, []))
    assert one.take() == []
    one.receive(7, messages.Open(2, []))
    assert one.take() == [events.CallFailed("b", R, 1)]


def test_the_open_calls_of_the_peer_are_listed(one: OnePeer) -> None:
    one.receive(2, invoke(1), invoke(2))
    one.peer.send(answer(1))
    one.receive(3, messages.Reconcile(7))
    assert one.sent()[-1] == messages.Open(7, [2])


# --- the window ------------------------------------------------------------------------------------------------------


def fill(one: OnePeer) -> None:
    """Fill the window above its limit with events."""
    while not one.peer.window.is_full:
        one.peer.send_event(encode_message(event(size=100)))


def test_events_calls_and_questions_stop_at_the_limit(one: OnePeer) -> None:
    one.receive(2, invoke(5))
    one.peer.send(invoke(1, progress=True))
    fill(one)
    number = one.peer.window.number
    assert not one.peer.send_event(encode_message(event()))
    assert not one.peer.send(invoke(2))
    assert not one.peer.send(QUESTION)
    assert (one.peer.counters.dropped_events, one.peer.counters.refused_calls) == (1, 1)
    assert one.peer.send(part(1))
    assert one.peer.send(answer(5))
    assert interest(one)
    assert one.peer.window.number == number


def test_questions_are_sent_below_the_limit(one: OnePeer) -> None:
    assert one.peer.send(QUESTION)
    assert one.peer.send(relayed.RelayedReply(R, 1, None, "json"))


def test_a_peer_is_given_up_at_four_times_the_limit(one: OnePeer) -> None:
    one.peer.send(invoke(1))
    one.receive(2, invoke(5, receive_progress=True))
    one.take()
    fill(one)
    while not one.peer.window.is_hopeless:
        one.peer.send(answer(5, progress=True, size=300))
    assert 4000 < one.peer.window.size <= 4400
    assert one.take() == []
    one.peer.send(answer(5, progress=True, size=300))
    given_up, failed = one.take()
    assert isinstance(given_up, events.PeerGivenUp)
    assert given_up.events > 5
    assert failed == events.CallFailed("b", R, 1)
    assert one.sent() == [
        relayed.RelayedCancel(R, 1, "killnowait", "wamp.error.network_failure"),
        answer(5, progress=True, size=300),
    ]
    assert not one.peer.send_event(encode_message(event()))
    one.receive(2)
    assert one.peer.send_event(encode_message(event()))


def test_one_large_message_does_not_give_the_peer_up(one: OnePeer) -> None:
    one.receive(2, invoke(5))
    one.take()
    assert one.peer.send(answer(5, size=10_000))
    assert interest(one)
    assert len(one.sent()) == 2
    assert one.take() == []


def test_calls_fail_while_redis_is_away(one: OnePeer) -> None:
    one.peer.send(invoke(1))
    one.peer.set_away(True)
    assert one.take() == [events.CallFailed("b", R, 1)]
    assert not one.peer.send(invoke(2))
    one.peer.set_away(False)
    assert one.peer.send(invoke(3))


# --- silence and the end ---------------------------------------------------------------------------------------------


def test_only_an_answer_shows_that_a_peer_is_alive(one: OnePeer) -> None:
    """What the peer has sent before it got the question does not count, because it may have been killed since."""
    one.peer.ask()
    one.peer.ask()
    assert one.sent() == [messages.Reconcile(1)]
    assert one.sent() == []
    one.receive(2, messages.WantInterest())
    one.receive(2)
    assert one.peer.answers == 0
    one.receive(3, messages.Open(1, []))
    assert one.peer.answers == 1


def test_a_peer_is_asked_when_redis_is_reachable_again(one: OnePeer) -> None:
    one.peer.ask()
    assert one.flush(is_connected=False) == []
    assert [message for batch in one.flush(resend=True) for message in batch.messages] == [messages.Reconcile(1)]


def test_a_note_that_is_wanted_is_sent_immediately(one: OnePeer) -> None:
    one.receive(0, flags=ACKNOWLEDGE_NOW)
    (note,) = one.flush()
    assert (note.flags, note.messages) == (0, [])
    assert one.flush() == []


def test_a_peer_is_silent_after_three_seconds(one: OnePeer) -> None:
    one.receive(1)
    one.peer.advance(one.now + 2.9, 0)
    assert not one.peer.is_silent
    one.now += 3
    one.peer.advance(one.now, 0)
    one.peer.advance(one.now, 0)
    assert one.take() == [events.PeerSilent("b")]
    one.receive(1)
    assert one.take() == [events.PeerHeard("b")]
    assert not one.peer.is_silent


def test_the_pause_of_this_node_is_not_silence(one: OnePeer) -> None:
    one.peer.advance(one.now + 10, 9.9)
    assert not one.peer.is_silent


def test_all_calls_end_with_the_peer(one: OnePeer) -> None:
    one.peer.send(invoke(1))
    one.receive(2, invoke(5))
    one.take()
    one.peer.leave()
    assert one.take() == [
        events.CallFailed("b", R, 1), events.CallInterrupted("b", R, 5), events.PeerGone("b")
    ]  # fmt: skip
    assert not one.peer.send(invoke(2))
    assert not one.peer.send_event(encode_message(event()))
    assert one.peer.window.is_empty
