"""What a scenario is, and the list of all."""

from collections.abc import Callable
from dataclasses import dataclass

from .stage import Stage

BASIC = "Basic Profile"
ADVANCED = "Advanced Profile"

Steps = Callable[[Stage], str]


@dataclass(frozen=True)
class Scenario:
    """Steps on the wire and what is to be seen.

    ``section`` and ``demands``: what the specification says. ``keeps``: the observations that carry it out; empty
    where the specification leaves it open. ``means``: what a difference means to users who come from Crossbar.
    """

    name: str
    section: str
    demands: str
    keeps: tuple[str, ...]
    means: str
    steps: Steps


SCENARIOS: list[Scenario] = []


def scenario(name: str, section: str, demands: str, *, keeps: str | tuple[str, ...] = (), means: str = "") -> Callable:
    """Add the decorated steps, which return what was observed, to the list."""
    kept = (keeps,) if isinstance(keeps, str) and keeps else tuple(keeps)

    def add(steps: Steps) -> Steps:
        assert all(one.name != name for one in SCENARIOS), name
        SCENARIOS.append(Scenario(name, section, demands, kept, means, steps))
        return steps

    return add
