"""``python -m tests.differences .venv-crossbar``: run all scenarios on both routers and write the page."""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .autobahn import Autobahn
from .page import PAGE, rendered
from .routers import Place, crossbar, ours, versions
from .scenario import Scenario
from .scenarios import SCENARIOS
from .stage import Stage, Unexpected


def observation(scenario: Scenario, place: Place, number: int, autobahn: Autobahn) -> str:
    """What comes of a scenario on a router."""
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


def run(place: Place, wanted: str) -> dict[str, str]:
    """All observations of one router, by the scenario's name."""
    seen = {}
    with Autobahn() as autobahn:
        for number, scenario in enumerate(SCENARIOS):
            if wanted in scenario.name:
                seen[scenario.name] = observation(scenario, place, number, autobahn)
    return seen


def main(environment: Path, wanted: str = "") -> int:
    """Run, tell, write (when all were run). 1 where this router does not do what the specification demands."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        with (
            crossbar(directory / "crossbar", environment) as theirs,
            ours(directory / "ours") as mine,
            ThreadPoolExecutor(2) as pool,
        ):
            runs = [pool.submit(run, place, wanted) for place in (theirs, mine)]
            crossbars, own = (one.result() for one in runs)
    wrong = 0
    for scenario in SCENARIOS:
        if scenario.name not in own:
            continue
        departs = bool(scenario.keeps) and own[scenario.name] not in scenario.keeps
        wrong += departs
        if wanted or departs:
            print(f"{scenario.name}\n  Crossbar  {crossbars[scenario.name]}\n  ours      {own[scenario.name]}")
            print(f"  demanded  {' | '.join(scenario.keeps)}" if departs else "  as demanded")
    if not wanted:
        PAGE.write_text(rendered(SCENARIOS, crossbars, own, versions(environment)))
        print(f"{PAGE}: {len(SCENARIOS)} scenarios, {wrong} in which the specification is not kept here")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), *sys.argv[2:]))
