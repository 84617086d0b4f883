"""Run a state machine for as long as you like: ``python -m tests.property.soak SECONDS [router|link]``."""

import sys
import time

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from .machine import RouterMachine
from .test_cluster_link import LinkMachine

MACHINES: dict[str, tuple[type[RuleBasedStateMachine], int]] = {
    "router": (RouterMachine, 100),
    "link": (LinkMachine, 20),
}
"""The machines, and the number of steps in an example."""


def main(seconds: float, name: str = "router") -> None:
    """Rounds of random examples until time is up; the first failure ends it with a traceback and the steps to it."""
    machine, steps = MACHINES[name]
    one_round = settings(
        max_examples=200,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        run_state_machine_as_test(machine, settings=one_round)
        rounds += 1
    print(f"{rounds} rounds")
    for key, count in sorted(getattr(machine, "counts", {}).items()):
        print(f"{count:>10,} {key}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60, *sys.argv[2:3])
