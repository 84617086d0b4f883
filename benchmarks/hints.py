"""The time from the commit of a change until two other nodes have applied it, with hints over Redis.

    python -m benchmarks.hints [--layer core|pubsub] [--changes 40] [--rounds 3]

Another process of the project changes a row again and again. Each node prints the time at which it has applied the
configuration with that change. All processes use the clock of this machine.
"""

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.integration.hint_nodes import LAYERS, applied, hint_nodes

CHANGES = """
import time
from django.db import transaction
from wamp_transport.models import ConfigurationState, Realm
for number in range({}):
    with transaction.atomic():
        Realm.objects.create(name=f"realm{{number}}")
        revision = ConfigurationState.objects.get().revision
        transaction.on_commit(lambda: print(revision, time.time()))
    time.sleep(0.5)
"""


def measure(layer: str, changes: int) -> list[float]:
    """The milliseconds from each commit until both nodes had applied the change, in ascending order."""
    with TemporaryDirectory(prefix="hints-") as directory, hint_nodes(Path(directory), layer) as nodes:
        lines = [line.split() for line in nodes.run(CHANGES.format(changes)).splitlines()]
        committed = {int(revision): float(at) for revision, at in lines}
        nodes.until_applied(max(committed))
        times = [applied(process) for process in nodes.processes]
    return sorted(1000 * (max(each[revision] for each in times) - at) for revision, at in committed.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layer", choices=LAYERS)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for layer in [options.layer] if options.layer else LAYERS:
        for number in range(1, options.rounds + 1):
            taken = measure(layer, options.changes)
            print(
                f"{layer}, round {number}: shortest {taken[0]:.1f} ms, median {statistics.median(taken):.1f} ms, "
                f"90 % within {taken[int(0.9 * len(taken))]:.1f} ms, longest {taken[-1]:.1f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
