"""Run the tests with all supported versions of Python, Django and the other dependencies.

``python -m tools.matrix`` runs all combinations and writes ``docs/versions.md``. ``--only TEXT`` runs those whose names
contain the text, and writes no page. ``--newest-pair`` runs the short tests with the newest Python that is installed
and the newest Django. The exit code is 1 if a test fails.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from .combinations import ROOT, Combination, combinations, newest_pair, supported_pythons
from .environments import installed_versions, interpreter, prepare
from .page import PAGE, Row, rendered
from .running import Outcome, run_tests

RESULTS = ROOT / "build" / "matrix"
SHORT_TESTS = ["tests/unit", "tests/protocol", "tests/django"]


def main() -> int:
    """Run what the command line asks for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.matrix", description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", default="2", help="number of worker processes of pytest")
    parser.add_argument("--only", metavar="TEXT", help="run the combinations whose names contain this text")
    parser.add_argument("--newest-pair", action="store_true", help="run the short tests with the newest pair")
    options = parser.parse_args()
    if options.newest_pair:
        return _run_newest_pair(options.workers)
    return _run_matrix(options.workers, options.only)


def _run_newest_pair(workers: str) -> int:
    """Run the tests of ``pytest`` alone, except those that are slow, with the newest Python and Django."""
    default, *newer = supported_pythons()
    for version in reversed(newer):
        if python := interpreter(version):
            break
        print(f"Python {version} is not installed")
    else:
        print(f"no Python newer than {default} is installed: the newest Django is not tested")
        return 0
    binary = prepare(newest_pair(version), python)
    print(", ".join(f"{name} {release}" for name, release in installed_versions(binary).items()), flush=True)
    command = [binary, "-m", "pytest", "-n", workers, "--dist", "loadfile", "-m", "not long and not full"]
    return subprocess.run([*command, *SHORT_TESTS], cwd=ROOT, check=False).returncode


def _run_matrix(workers: str, only: str | None) -> int:
    pythons = {version: interpreter(version) for version in supported_pythons()}
    absent = [version for version, python in pythons.items() if python is None]
    for version in absent:
        print(f"Python {version} is not installed: it is not tested")
    chosen = [
        (each, python)
        for each in combinations([version for version, python in pythons.items() if python])
        if (only is None or only in each.name) and (python := pythons[each.python])
    ]
    rows: list[Row] = []
    for row in _run_rows(chosen, workers):
        rows.append(row)
        if only is None:  # after each row, because a run takes long
            PAGE.write_text(rendered(rows, absent, datetime.now(UTC).date()))
    if only is None:
        print(f"{PAGE.relative_to(ROOT)}: {len(rows)} combinations")
    return int(not rows or any(row.outcome.failed for row in rows))


def _run_rows(chosen: list[tuple[Combination, Path]], workers: str) -> Iterator[Row]:
    """Run the tests of each combination, and print its result."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for combination, python in chosen:
        try:
            binary = prepare(combination, python)
            versions = installed_versions(binary)
        except subprocess.CalledProcessError as fault:
            print(f"{combination.name}: its versions cannot be installed: {fault}", flush=True)
            row = Row(combination, {}, Outcome(failed=1))
        else:
            row = Row(combination, versions, run_tests(binary, combination, RESULTS, workers))
        print(f"{combination.name}: {row.outcome}", flush=True)
        yield row


if __name__ == "__main__":
    sys.exit(main())
