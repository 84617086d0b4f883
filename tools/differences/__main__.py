"""``python -m tools.differences .venv-crossbar``: run all scenarios on both routers and write the page."""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .page import PAGE, rendered
from .play import observations
from .routers import crossbar, ours, versions
from .scenarios import SCENARIOS


def main(environment: Path, wanted: str = "") -> int:
    """Play the scenarios whose names contain ``wanted`` and print their outcome, or play all and write the page.

    Return 1 if this router does not do what the specification requires.
    """
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        with (
            crossbar(directory / "crossbar", environment) as theirs,
            ours(directory / "ours") as mine,
            ThreadPoolExecutor(2) as pool,
        ):
            chosen = [one for one in SCENARIOS if wanted in one.name]
            runs = [pool.submit(observations, place, chosen) for place in (theirs, mine)]
            crossbars, own = (one.result() for one in runs)
    wrong = 0
    for scenario in SCENARIOS:
        if scenario.name not in own:
            continue
        departs = bool(scenario.keeps) and own[scenario.name] not in scenario.keeps
        wrong += departs
        if wanted or departs:
            print(f"{scenario.name}\n  Crossbar  {crossbars[scenario.name]}\n  ours      {own[scenario.name]}")
            print(f"  required  {' | '.join(scenario.keeps)}" if departs else "  as required")
    if not wanted:
        PAGE.write_text(rendered(SCENARIOS, crossbars, own, versions(environment)))
        print(f"{PAGE}: {len(SCENARIOS)} scenarios, {wrong} in which wampnode does not conform to the specification")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), *sys.argv[2:]))
