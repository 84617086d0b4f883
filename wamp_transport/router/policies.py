"""Choose the callee for a call to a shared registration.

See the WAMP specification, Advanced Profile, "Shared Registration" and "Sharded Registration".
"""

from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Final

from .records import Callee, Registration

HERE: Final = "here"
"""The policy of handlers that each node of a cluster registers: prefer the callee on the caller's node.

Clients cannot request it.
"""

Choice = Callable[[Registration, list[Callee], Callable[[int], int]], Callee]


def choose(
    registration: Registration, random_below: Callable[[int], int], excluded: Collection[int] = ()
) -> Callee | None:
    """Return the callee for the next call, or None if all are busy, leaving or excluded.

    ``random_below(n)`` returns a random number from 0 to n - 1. ``excluded`` contains session ids.
    """
    candidates = [
        callee
        for callee in registration.callees.values()
        if callee.can_accept_call and (not excluded or callee.peer.id not in excluded)
    ]
    if not candidates:
        return None
    # A later release can have other policies. Its callees are also in the registrations of this node.
    return CHOICES.get(registration.invoke, _choose_random)(registration, candidates, random_below)


def choose_by_key(registration: Registration, key: str, excluded: Collection[int] = ()) -> Callee | None:
    """Return the callee to which a resource key is assigned. Return None if no callee is available.

    Resource keys are assigned to the node keys of the callees by rendezvous hashing. If a callee is added or removed,
    only the keys that belong to this callee are reassigned. Callees that are busy, leaving, in ``excluded`` or without
    a node key are skipped.
    """
    shards = [
        callee
        for callee in registration.callees.values()
        if callee.node_key is not None and callee.can_accept_call and callee.peer.id not in excluded
    ]
    return max(shards, key=lambda callee: weight(key, callee.node_key or ""), default=None)


def public_policy(invoke: str) -> str:
    """Return the policy to show to clients for the invocation policy ``invoke``: always one that they can request."""
    return invoke if invoke in CHOICES and invoke != HERE else "single"


def weight(key: str, node_key: str) -> bytes:
    """Return the weight of a node key for a resource key.

    The resource key is assigned to the node key with the highest weight. Every router of a cluster computes the same
    weights.
    """
    return blake2b(f"{node_key}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _choose_first(registration: Registration, candidates: list[Callee], random_below: Callable[[int], int]) -> Callee:
    return candidates[0]


def _choose_last(registration: Registration, candidates: list[Callee], random_below: Callable[[int], int]) -> Callee:
    return candidates[-1]


def _choose_random(registration: Registration, candidates: list[Callee], random_below: Callable[[int], int]) -> Callee:
    return candidates[random_below(len(candidates))]


def _choose_roundrobin(
    registration: Registration, candidates: list[Callee], random_below: Callable[[int], int]
) -> Callee:
    """Choose the next callee in the order of registration. After the last callee, continue with the first."""
    following = next((callee for callee in candidates if callee.number > registration.last_number), candidates[0])
    registration.last_number = following.number
    return following


def _choose_least_loaded(
    registration: Registration, candidates: list[Callee], random_below: Callable[[int], int]
) -> Callee:
    """Choose the callee with the fewest calls in flight, by round-robin if several have the fewest."""
    least = min(callee.in_flight + callee.elsewhere for callee in candidates)
    least_loaded = [callee for callee in candidates if callee.in_flight + callee.elsewhere == least]
    return _choose_roundrobin(registration, least_loaded, random_below)


def _choose_here(registration: Registration, candidates: list[Callee], random_below: Callable[[int], int]) -> Callee:
    """Choose a callee on this node. If there is none, choose any callee."""
    for callee in candidates:
        if callee.peer.remote is None:
            return callee
    return _choose_random(registration, candidates, random_below)


CHOICES: dict[str, Choice] = {
    "single": _choose_first,
    "first": _choose_first,
    "last": _choose_last,
    "random": _choose_random,
    "roundrobin": _choose_roundrobin,
    "queue_least_loaded": _choose_least_loaded,
    HERE: _choose_here,
}
"""The functions that choose among the candidates, by invocation policy."""
