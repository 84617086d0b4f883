"""Throw mutated messages at decoders and connections: ``python -m tests.fuzz.run SECONDS [SEED]``.

Reports what was done. A failure ends it with the bytes that did it. Where atheris is installed, half of the time is
its: it looks at which lines the bytes reach, and goes on from those that reached new ones.
"""

import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from random import Random

from . import targets
from .corpus import NAMES, seeds
from .mutation import mutated

STEPS = 60
"""Messages in one life of a node."""


class Finding(AssertionError):
    """The serializer, and the bytes that did it."""


def decode_once(random: Random, name: str, corpus: list[bytes], outcomes: Counter[str]) -> None:
    """One mutated message for one decoder."""
    data = mutated(random, random.choice(corpus), corpus)
    try:
        outcome = targets.decode(name, data)
    except Exception as fault:
        raise Finding(f"{name}: {data!r}: {type(fault).__name__}: {fault}") from fault
    outcomes[f"{name} decoder"] += 1
    outcomes[f"{name} decoder: {'violation' if outcome == 'violation' else 'message'}"] += 1


def connect_once(random: Random, corpora: dict[str, list[bytes]], outcomes: Counter[str]) -> None:
    """One life of a node: messages as they are and mutated, from connections in turn, and time."""
    history: list[tuple[int, bytes]] = []
    try:
        with targets.Connections() as connections:
            for _ in range(STEPS):
                number = random.randrange(len(connections.encoders))
                corpus = corpora[connections.encoders[number].serializer.name]
                data = random.choice(corpus[1:])
                if random.random() < 0.3:
                    data = mutated(random, data, corpus)
                history.append((number, data))
                if random.random() < 0.1:
                    connections.stop_reading(number)
                connections.receive(number, data)
                if random.random() < 0.1:
                    connections.pass_time(random.choice((0.0, 0.5, 20.0)))
            connections.end()
    except Exception as fault:
        raise Finding(f"after {history!r}: {type(fault).__name__}: {fault}") from fault
    outcomes["connections: messages"] += STEPS
    outcomes["connections: lives of a node"] += 1


def mutate(seconds: float, seed: int) -> Counter[str]:
    """All targets in turn until time is up."""
    random = Random(seed)
    corpora = {name: seeds(name) for name in NAMES}
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name in NAMES:
            for _ in range(200):
                decode_once(random, name, corpora[name], outcomes)
        for _ in range(3):
            connect_once(random, corpora, outcomes)
    return outcomes


def main(seconds: float, seed: int) -> None:
    """Mutation, then what atheris finds, a process for each serializer."""
    is_guided = find_spec("atheris") is not None
    print(f"seed {seed}")
    for line, number in sorted(mutate(seconds / 2 if is_guided else seconds, seed).items()):
        print(f"{number:>12,} {line}")
    for name in NAMES if is_guided else ():
        command = [sys.executable, "-m", "tests.fuzz.guided", name, str(max(1, round(seconds / 2 / len(NAMES))))]
        subprocess.run(command, check=True)
    if not is_guided:
        print("atheris is not installed: mutation alone (pip install atheris; there is no wheel for each Python)")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60, int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns())
