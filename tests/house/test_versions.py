"""The page of tested versions agrees with ``pyproject.toml``, and the matrix covers what it promises."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from tools.matrix.combinations import Combination, combinations, lowest_versions, newest_pair, supported_pythons
from tools.matrix.environments import interpreter
from tools.matrix.page import PAGE, Row, rendered
from tools.matrix.running import Outcome, counted

ROOT = Path(__file__).parents[2]
CLASSIFIERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]


def table(title: str) -> list[list[str]]:
    """The rows of the page's table whose first column has this title."""
    lines = PAGE.read_text().partition(f"| {title} |")[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_page_has_each_supported_python() -> None:
    found = {".".join(row[0].split(".")[:2]) for row in table("Python")}
    assert sorted(found) == sorted(supported_pythons()), "run 'make test-matrix'"


def test_classifiers_name_the_tested_series_of_django() -> None:
    declared = {each.rpartition(" ")[2] for each in CLASSIFIERS if re.search(r"Django :: \d", each)}
    tested = {".".join(row[1].split(".")[:2]) for row in table("Python") if row[1]}
    assert tested == declared, "change the classifiers in pyproject.toml, or run 'make test-matrix'"


def test_no_test_of_the_page_has_failed() -> None:
    assert [row for row in table("Python") if row[1] and row[5] != "0"] == []


def test_page_has_the_present_lowest_versions() -> None:
    assert {row[0]: row[1] for row in table("dependency")} == lowest_versions(), "run 'make test-matrix'"


def test_lowest_versions_are_the_bounds_of_all_dependencies() -> None:
    versions = lowest_versions()
    assert versions["Django"] == "5.2"
    assert {"Twisted", "cbor2", "pyOpenSSL"} < versions.keys()


def test_each_python_has_lowest_and_newest_versions_and_postgresql() -> None:
    found = list(combinations(["3.11", "3.13"]))
    assert Combination("3.11", "5.2", "lowest") in found
    assert not [each for each in found if each.python == "3.11" and each.django == "newest"]  # none that it can have
    assert Combination("3.13", "newest", "newest") in found
    assert [each for each in found if each.database == "PostgreSQL"] == [
        newest_pair("3.11", "PostgreSQL"),
        newest_pair("3.13", "PostgreSQL"),
    ]
    assert len({each.name for each in found}) == len(found)


def test_absent_python_is_not_found() -> None:
    assert interpreter("3.999") is None


@pytest.mark.parametrize(
    ("report", "outcome"),
    [
        (None, Outcome(failed=1)),
        ('<testsuite tests="0" failures="0" errors="0" skipped="0"/>', Outcome(failed=1)),
        ('<testsuite tests="9" failures="1" errors="2" skipped="3"/>', Outcome(passed=3, failed=3, skipped=3)),
    ],
)
def test_run_without_a_result_is_a_failure(tmp_path: Path, report: str | None, outcome: Outcome) -> None:
    if report is not None:
        (tmp_path / "x.xml").write_text(f"<testsuites>{report}</testsuites>")
    assert counted(tmp_path / "x.xml") == outcome


def test_absent_python_and_failures_are_on_the_page() -> None:
    row = Row(Combination("3.13", "newest", "newest"), {}, Outcome(failed=1))
    page = rendered([row], ["3.12"], date(2026, 1, 2))
    assert "on 2026-01-02" in page
    assert "| 3.13 | newest | newest | SQLite | 0 | 1 | 0 |" in page
    assert "| 3.12 | | | | not tested" in page
