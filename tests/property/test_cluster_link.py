"""Two or three nodes exchange messages over Redis streams that delay, lose and repeat them.

Always: events come at most once and in the publisher's order, no progressive result or call has a hole, no call is
answered twice, interest that is acknowledged is known, and the link agrees with its owner about the open calls.
When the faults have ended: each call is answered once, what did not arrive is counted, and all tables agree.
"""

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wamp_transport.cluster.peer import Peer
from wamp_transport.cluster.window import GIVE_UP_FACTOR

from ..effort import examples
from .cluster_ends import TOPICS, TURN, End, Streams

PICKS = st.integers(0, 11)
COUNTS = st.integers(0, 12)
SEEDS = st.integers(0, 2**32 - 1)
LARGEST_MESSAGE_BYTES = 600
PAYLOAD_BYTES = (5, 5, 60, 500)
PAUSES = (0.0, 0.05, 0.25, 0.25, 1.0)


class LinkMachine(RuleBasedStateMachine):
    """Between two faults, the sessions of all nodes act at random, and the network delivers with random delays."""

    @initialize(count=st.integers(2, 3))
    def start(self, count: int) -> None:
        self.streams = Streams()
        for _ in range(count):
            self.streams.add_end()
        self.deliver()
        self.deliver()

    def end(self, pick: int) -> End:
        running = self.streams.running
        return running[pick % len(running)]

    def deliver(self) -> None:
        for end in self.streams.running:
            end.write(1000)
        for end in self.streams.running:
            end.read()

    # --- sessions and the network ------------------------------------------------------------------------------------

    def act(self, end: End, random: Random) -> None:
        """Let a session of a node do something."""
        pick, size = random.randrange(12), random.choice(PAYLOAD_BYTES)
        match random.randrange(12):
            case 0 | 1:
                for _ in range(random.choice((1, 1, 6))):
                    end.publish(size)
            case 2 | 3 | 4:
                end.call(pick, random.choice(("plain", "results", "parts")), size)
            case 5 | 6:
                end.send_part(pick)
            case 7 | 8:
                for _ in range(random.choice((1, 1, 3, 15))):
                    end.answer(pick, "progress", size)
            case 9:
                end.answer(pick, random.choice(("result", "result", "error", "retry")), size)
            case 10:
                end.cancel(pick, random.choice(("skip", "kill", "killnowait")))
            case 11:
                for _ in range(random.choice((1, 1, 3, 60))):
                    end.change_interest(random.choice(TOPICS))
        end.handle_events()

    def traffic(self, random: Random) -> None:
        """Let all nodes act and append. Nothing is read."""
        for end in self.streams.running:
            for _ in range(random.randrange(4)):
                self.act(end, random)
            if random.random() < 0.7:
                end.finish_turn()
            if random.random() < 0.8:
                end.write(random.choice((1, 2, 1000, 1000)))

    @rule(seed=SEEDS, turns=st.integers(1, 8))
    def run(self, seed: int, turns: int) -> None:
        random = Random(seed)
        for _ in range(turns):
            self.traffic(random)
            self.streams.now += random.choice(PAUSES)
            for end in self.streams.running:
                if random.random() < 0.2:
                    end.write_late()
                if random.random() < 0.6:
                    end.read(with_log=random.random() < 0.8, trim=random.random() < 0.5)
                end.advance()
                if not end.has_writer and random.random() < 0.3:
                    end.dial_writer()

    @rule(seconds=st.sampled_from((1, 3, 6)), is_delivering=st.booleans())
    def wait(self, seconds: float, is_delivering: bool) -> None:
        for _ in range(int(seconds / TURN)):
            self.streams.now += TURN
            for end in self.streams.running:
                end.advance()
            if is_delivering:
                self.deliver()

    # --- faults ------------------------------------------------------------------------------------------------------

    @rule(seed=SEEDS, pick=PICKS, late=COUNTS)
    def cut_writer(self, seed: int, pick: int, late: int) -> None:
        self.traffic(Random(seed))
        self.end(pick).cut_writer(late)

    @rule(pick=PICKS)
    def dial_writer(self, pick: int) -> None:
        self.end(pick).dial_writer()

    @rule(pick=PICKS)
    def dial_reader_again(self, pick: int) -> None:
        self.end(pick).cut_reader()
        self.end(pick).dial_reader()

    @rule(seed=SEEDS, pick=PICKS, count=COUNTS)
    def refuse_command(self, seed: int, pick: int, count: int) -> None:
        self.traffic(Random(seed))
        self.end(pick).write_with_error(count)

    @rule(seed=SEEDS, pick=PICKS)
    def lose_inbox(self, seed: int, pick: int) -> None:
        self.traffic(Random(seed))
        for end in self.streams.running:
            end.write(1000)
        living = self.streams.living
        self.streams.lose(living[pick % len(living)].name)

    @rule(seed=SEEDS, pick=PICKS)
    def flood(self, seed: int, pick: int) -> None:
        """Send the peers much more than a window before they can acknowledge any of it."""
        random = Random(seed)
        self.traffic(random)
        end = self.end(pick)
        for number in range(random.choice((10, 400))):
            end.change_interest(TOPICS[number % len(TOPICS)])
        end.handle_events()
        if random.random() < 0.5:
            end.finish_turn()

    @rule(seed=SEEDS, is_empty=st.booleans())
    def restart(self, seed: int, is_empty: bool) -> None:
        self.traffic(Random(seed))
        self.streams.restart(is_empty=is_empty)
        for end in self.streams.running:
            end.dial_reader()

    @precondition(lambda self: len(self.streams.running) > 1)
    @rule(pick=PICKS)
    def pause(self, pick: int) -> None:
        self.end(pick).is_paused = True

    @rule()
    def resume(self) -> None:
        for end in self.streams.living:
            if end.is_paused:
                end.is_paused = False
                end.dial_reader()
                end.advance()

    @precondition(lambda self: len(self.streams.ends) < 6)
    @rule(seed=SEEDS, pick=PICKS, has_successor=st.booleans())
    def remove_member(self, seed: int, pick: int, has_successor: bool) -> None:
        self.traffic(Random(seed))
        living = self.streams.living
        end = living[pick % len(living)]
        self.streams.remove(end)
        if has_successor or not self.streams.running:
            self.streams.add_end()

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def link_and_owner_agree_about_open_calls(self) -> None:
        for end in self.streams.living if hasattr(self, "streams") else ():
            assert {(name, each) for name, peer in end.link.peers.items() for each in peer._calls_from} == set(
                end.working
            )
            assert {each for peer in end.link.peers.values() for each in peer._calls_to} == set(end.pending)

    @invariant()
    def calls_are_answered_at_most_once(self) -> None:
        for end in self.streams.living if hasattr(self, "streams") else ():
            assert all(call.answers <= 1 for call in end.calls)

    @invariant()
    def windows_are_bounded(self) -> None:
        for end in self.streams.living if hasattr(self, "streams") else ():
            for peer in end.link.peers.values():
                assert peer.window.size <= GIVE_UP_FACTOR * peer.window.limit + LARGEST_MESSAGE_BYTES

    # --- what holds in the end ---------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "streams"):
            return
        for end in self.streams.living:
            end.is_paused = False
            end.dial_writer()
            end.dial_reader()
        for _ in range(30):
            for end in self.streams.ends.values():
                end.write_late()
            self.settle()
        for end in self.streams.living:
            end.publish(5)
        for _ in range(5):
            self.settle()
        for end in self.streams.living:
            assert set(end.link.peers) == {each.name for each in self.streams.living} - {end.name}
            assert all(call.answers == 1 for call in end.calls)
            assert not end.holds
            for other in self.streams.living:
                if other is not end:
                    self.check_pair(end, other)

    def settle(self) -> None:
        self.streams.now += TURN
        for end in self.streams.living:
            end.advance()
            while end.working:
                end.answer(0, "result")
            end.finish_turn()
        self.deliver()

    def check_pair(self, end: End, other: End) -> None:
        """Check what has gone from ``end`` to ``other``."""
        peer, back = end.link.peers[other.name], other.link.peers[end.name]
        assert peer.state == "open"
        assert not peer.is_silent
        assert peer.is_caught_up
        assert peer.window.size == 0
        assert peer.window.is_empty
        assert other.known[end.name] == end.history[-1]
        assert back.counters.received_batches + back.counters.lost_batches == peer.window.number
        missing = len(set(end.sent[other.name]) - set(other.received[end.name]))
        assert set(other.received[end.name]) <= set(end.sent[other.name])
        assert other.received[end.name][-1] == end.published
        if not has_losses(end, other, peer):
            assert not back.counters.lost_batches
            assert not missing
        assert back.counters.lost_batches or not missing
        if not has_losses(other, end, back):
            assert peer.counters.lost_by_peer == back.counters.lost_batches


def has_losses(_sender: End, receiver: End, peer: Peer) -> bool:
    """Return whether batches to ``receiver`` may be lost: its inbox lost some, or ``peer`` was given up."""
    return receiver.name in receiver.streams.lossy or peer.counters.given_up_batches > 0


TestLink = LinkMachine.TestCase
TestLink.settings = settings(max_examples=examples(12), stateful_step_count=20, deadline=None)
