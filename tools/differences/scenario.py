"""Define what a scenario is, and keep the list of all scenarios."""

from collections.abc import Callable
from dataclasses import dataclass

from .stage import Stage

BASIC = "Basic Profile"
ADVANCED = "Advanced Profile"

Steps = Callable[[Stage], str]


@dataclass(frozen=True)
class Scenario:
    """The steps of a scenario, its requirement, and the observations that meet it.

    ``section`` and ``demands`` give the requirement of the specification. ``keeps`` has the observations that conform
    to it; it is empty if the specification leaves the outcome open. ``means`` tells users of Crossbar what a difference
    means for them.
    """

    name: str
    section: str
    demands: str
    keeps: tuple[str, ...]
    means: str
    steps: Steps


SCENARIOS: list[Scenario] = []


def scenario(name: str, section: str, demands: str, *, keeps: str | tuple[str, ...] = (), means: str = "") -> Callable:
    """Add the decorated function to the list. It plays the steps and returns the observation."""
    kept = (keeps,) if isinstance(keeps, str) and keeps else tuple(keeps)

    def add(steps: Steps) -> Steps:
        assert all(one.name != name for one in SCENARIOS), name
        SCENARIOS.append(Scenario(name, section, demands, kept, means, steps))
        return steps

    return add
