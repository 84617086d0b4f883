"""Measure look-ups of subscriptions and registrations, and their memory: ``python -m benchmarks.matching``.

The look-ups use the broker and the dealer of a realm that was filled with SUBSCRIBE and REGISTER messages. If the same
URI is looked up repeatedly, all data is in the processor's cache, and the time is that of the algorithm. If the URIs
are random, the time includes waiting for memory.
"""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from random import Random
from statistics import median
from time import thread_time_ns

from wamp_transport.router.options import Match
from wamp_transport.router.records import Session
from wamp_transport.router.router import Router
from wamp_transport.testing.memory import MemoryNode, anonymous_options, take_effects
from wamp_transport.wamp.messages import Register, RegisterOptions, Subscribe, SubscribeOptions

SIZES = (10, 1_000, 100_000)
KINDS: tuple[Match, ...] = ("exact", "prefix", "wildcard")
LOOK_UPS = 10_000
ROUNDS = 31
MEASURED = 20_000
"""The number of subscriptions or registrations for which the memory is measured."""


def pattern(match: Match, number: int) -> str:
    """Return the pattern with this number. All patterns of a kind have the same length, up to number 999,999."""
    return {
        "exact": f"com.example.n{number:06}.event",
        "prefix": f"com.example.n{number:06}.",
        "wildcard": f"com..n{number:06}.event",
    }[match]


def uri(number: int) -> str:
    """Return a URI that only the pattern with this number matches."""
    return f"com.example.n{number:06}.event"


def fill(router: Router, session: Session, what: str, match: Match, count: int) -> None:
    """Create ``count`` subscriptions or registrations of one session."""
    for number in range(count):
        if what == "subscription":
            router.receive(session.id, Subscribe(number + 1, SubscribeOptions(match=match), pattern(match, number)))
        else:
            router.receive(session.id, Register(number + 1, RegisterOptions(match=match), pattern(match, number)))
        take_effects(router)


def realm_with(what: str, match: Match, count: int) -> MemoryNode:
    """Return a node with one session that has ``count`` subscriptions or registrations."""
    node = MemoryNode(anonymous_options("realm1"))
    peer = node.join("realm1")
    fill(node.router, node.router.sessions[peer.session_id], what, match, count)
    return node


def look_ups() -> None:
    """Measure look-ups and print the table of times."""
    print(
        f"{'ns of CPU time each':<24}{'URIs':<12}"
        + "".join(f"{size:>10,}" for size in SIZES)
        + "   ratios to the first"
    )
    for what in ("subscription", "registration"):
        for match in KINDS:
            nodes = [realm_with(what, match, size) for size in SIZES]
            for choice in ("one", "at random"):
                runs = [measured(node, what, size, choice) for node, size in zip(nodes, SIZES, strict=True)]
                # Measure all sizes in each round, so that other load on the machine affects them equally.
                rounds = [[nanoseconds(*run) for run in runs] for _ in range(ROUNDS)]
                times = [median(column) for column in zip(*rounds, strict=True)]
                ratios = [median(each[place] / each[0] for each in rounds) for place in range(1, len(SIZES))]
                cells = (
                    "".join(f"{time:>10,.0f}" for time in times) + "   " + "  ".join(f"{each:.2f}" for each in ratios)
                )
                print(f"{what + ', ' + match:<24}{choice:<12}{cells}")


LookUp = Callable[[str], object]


def measured(node: MemoryNode, what: str, size: int, choice: str) -> tuple[LookUp, list[str]]:
    """Return the look-up function, and the URIs to look up: the same one, or random ones."""
    realm = node.router.realms["realm1"]
    look_up: LookUp = realm.broker.matching_subscriptions if what == "subscription" else realm.dealer.best_registration
    if not look_up(uri(size - 1)):
        raise SystemExit("what was put in is not found")
    random = Random(1)  # noqa: S311 - the same each time
    numbers = [size // 2] * LOOK_UPS if choice == "one" else [random.randrange(size) for _ in range(LOOK_UPS)]
    return look_up, [uri(number) for number in numbers]


def nanoseconds(look_up: LookUp, uris: list[str]) -> float:
    """Return the CPU time of a look-up in nanoseconds, without that of the loop."""
    begin = thread_time_ns()
    for each in uris:
        look_up(each)
    middle = thread_time_ns()
    for each in uris:
        _nothing(each)
    return (2 * middle - begin - thread_time_ns()) / len(uris)


def _nothing(_: str) -> None:
    pass


def memory() -> None:
    """Measure the memory and print the table of bytes."""
    print(f"\nbytes each, of {MEASURED:,}" + "".join(f"{match:>12}" for match in KINDS))
    for what in ("subscription", "registration"):
        print(f"{what:<24}" + "".join(f"{bytes_each(what, match):>12,.0f}" for match in KINDS))
    print(f"{'one more subscriber':<24}" + "".join(f"{bytes_of_one_more(match):>12,.0f}" for match in KINDS))


def bytes_each(what: str, match: Match) -> float:
    """Return the memory of a subscription or registration, including its index entry and URI."""
    node = MemoryNode(anonymous_options("realm1"))
    session = node.router.sessions[node.join("realm1").session_id]
    return _growth(node, session, what, match) / MEASURED


def bytes_of_one_more(match: Match) -> float:
    """Return the additional memory if a second session has the same subscription."""
    node = realm_with("subscription", match, MEASURED)
    session = node.router.sessions[node.join("realm1").session_id]
    return _growth(node, session, "subscription", match) / MEASURED


def _growth(node: MemoryNode, session: Session, what: str, match: Match) -> int:
    role = node.router.realms["realm1"].roles["anonymous"]
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    fill(node.router, session, what, match, MEASURED)
    # The cached decisions, whose number is limited, are not part of a subscription.
    role.subscriptions.clear()
    role.registrations.clear()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}, medians of {ROUNDS} rounds of {LOOK_UPS:,} look-ups")
    look_ups()
    memory()
