"""Play scenarios on one router and collect the observations."""

from collections.abc import Iterable

from .autobahn import Autobahn
from .routers import Place
from .scenario import Scenario
from .stage import Stage, Unexpected


def observation(scenario: Scenario, place: Place, number: int, autobahn: Autobahn) -> str:
    """Play a scenario on a router and return the observation."""
    stage = Stage(place, number, autobahn)
    try:
        seen = scenario.steps(stage)
    except Unexpected as heard:
        seen = str(heard)
    except (LookupError, TypeError, OSError) as error:
        seen = f"an answer of another form than the scenario knows: {error!r}"
    finally:
        stage.close()
    return seen.replace(stage.prefix, "com.example")


def observations(place: Place, scenarios: Iterable[Scenario]) -> dict[str, str]:
    """Play scenarios on one router and return the observations by the scenario's name."""
    seen = {}
    with Autobahn() as autobahn:
        for number, scenario in enumerate(scenarios):
            seen[scenario.name] = observation(scenario, place, number, autobahn)
    return seen
