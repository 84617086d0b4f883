"""Run the router's state machine for as long as you like: ``python -m tests.property.soak SECONDS``."""

import sys
import time

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from .machine import RouterMachine

ROUND = settings(
    max_examples=200,
    stateful_step_count=100,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def main(seconds: float) -> None:
    """Rounds of random examples until time is up; the first failure ends it with a traceback and the steps to it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run_state_machine_as_test(RouterMachine, settings=ROUND)
    for name, count in sorted(RouterMachine.counts.items()):
        print(f"{count:>10,} {name}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
