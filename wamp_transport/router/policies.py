"""Which of the callees of a shared registration gets a call.

Sections of the specification: Advanced Profile, "Shared Registration", "Sharded Registration".
"""

from collections.abc import Callable, Collection
from hashlib import blake2b

from .records import Callee, Registration

Choice = Callable[[Registration, list[Callee], Callable[[int], int]], Callee]


def choose(
    registration: Registration, random_below: Callable[[int], int], passed_over: Collection[int] = ()
) -> Callee | None:
    """The callee for the next call, or None where all are busy, leaving or passed over.

    ``random_below(n)`` is a random number from 0 to n - 1. ``passed_over`` holds session ids.
    """
    able = [
        callee
        for callee in registration.callees.values()
        if callee.is_able and (not passed_over or callee.session.id not in passed_over)
    ]
    if not able:
        return None
    return CHOICES[registration.invoke](registration, able, random_below)


def choose_by_key(registration: Registration, key: str, passed_over: Collection[int] = ()) -> Callee | None:
    """The callee of the shard that a resource key belongs to (rendezvous hashing over node keys).

    The same key goes to the same callee for as long as that one is there; callees without a node key have no shard.
    """
    shards = [
        callee
        for callee in registration.callees.values()
        if callee.node_key is not None and callee.is_able and callee.session.id not in passed_over
    ]
    return max(shards, key=lambda callee: weight(key, callee.node_key or ""), default=None)


def weight(key: str, node_key: str) -> bytes:
    """How much a node wants a resource: the same number everywhere, without talking."""
    return blake2b(f"{node_key}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _first(registration: Registration, able: list[Callee], random_below: Callable[[int], int]) -> Callee:
    return able[0]


def _last(registration: Registration, able: list[Callee], random_below: Callable[[int], int]) -> Callee:
    return able[-1]


def _random(registration: Registration, able: list[Callee], random_below: Callable[[int], int]) -> Callee:
    return able[random_below(len(able))]


def _roundrobin(registration: Registration, able: list[Callee], random_below: Callable[[int], int]) -> Callee:
    """The one after the last, in the order of registering, going round."""
    following = next((callee for callee in able if callee.number > registration.last_number), able[0])
    registration.last_number = following.number
    return following


def _least_loaded(registration: Registration, able: list[Callee], random_below: Callable[[int], int]) -> Callee:
    """The one with the fewest calls in flight; going round among equals."""
    least = min(callee.in_flight for callee in able)
    return _roundrobin(registration, [callee for callee in able if callee.in_flight == least], random_below)


CHOICES: dict[str, Choice] = {
    "single": _first,
    "first": _first,
    "last": _last,
    "random": _random,
    "roundrobin": _roundrobin,
    "queue_least_loaded": _least_loaded,
}
"""Invocation policy to how it chooses among the callees that are able."""
