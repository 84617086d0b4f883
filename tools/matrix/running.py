"""Run pytest in a virtual environment, and count the results."""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from .combinations import ROOT, Combination

SECONDS_FOR_ONE_RUN: Final = 1800
LINES_SHOWN: Final = 60


@dataclass(frozen=True)
class Outcome:
    """The numbers of tests that passed, failed and were skipped. A run that ended early counts as a failure."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def tests_for(combination: Combination) -> list[str]:
    """Return the folders of tests that run with a combination. Only the tests of Django's side use the database."""
    if combination.database == "PostgreSQL":
        return ["tests/django"]
    return ["tests/unit", "tests/protocol", "tests/property", "tests/django"]


def run_tests(binary: Path, combination: Combination, results: Path, workers: str) -> Outcome:
    """Run the tests of a combination. Write the output to ``results``, and print its end if a test fails.

    The exit code of pytest counts too: a run that pytest calls failed has at least one failure.
    """
    report, log = results / f"{combination.name}.xml", results / f"{combination.name}.log"
    report.unlink(missing_ok=True)
    command = _command(binary, combination, [f"--junit-xml={report}", "-n", workers])
    with log.open("w") as output:
        # In a session of its own, so that all processes can be ended.
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
        try:
            code = process.wait(SECONDS_FOR_ONE_RUN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            output.write(f"the tests did not end in {SECONDS_FOR_ONE_RUN} seconds\n")
    outcome = counted(report)
    if code and not outcome.failed:
        outcome = replace(outcome, failed=1)
    if outcome.failed:
        print("\n".join(log.read_text().splitlines()[-LINES_SHOWN:]))
    return outcome


def counted(report: Path) -> Outcome:
    """Return the counts in a JUnit report of pytest. A run without a report or without tests has failed."""
    if not report.exists():
        return Outcome(failed=1)
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    if not tests:
        return Outcome(failed=1)
    return Outcome(max(tests - failures - errors - skipped, 0), failures + errors, skipped)


def _command(binary: Path, combination: Combination, options: Sequence[str]) -> list[str | Path]:
    pytest = [binary, "-m", "pytest", "-q", "--dist", "loadfile", "-m", "not long and not full", *options]
    if combination.database == "PostgreSQL":
        return [binary, "-m", "tests.postgresql", *pytest, *tests_for(combination)]
    return [*pytest, *tests_for(combination)]
