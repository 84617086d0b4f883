"""The combinations of versions with which the tests run, and the bounds in ``pyproject.toml``."""

import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[2]
CLASSIFIER: Final = "Programming Language :: Python :: 3."
OLDEST_DJANGO: Final = "5.2"
NEWEST: Final = "newest"
LOWEST: Final = "lowest"

DJANGO_ONLY_FOR_OLDEST_PYTHON: Final = "3.11"
"""The Python whose newest Django is ``OLDEST_DJANGO``: Django 6.0 needs Python 3.12."""


@dataclass(frozen=True)
class Combination:
    """Versions and a database with which the tests run.

    ``django`` is a series such as ``5.2``, or ``newest``. ``dependencies`` is ``lowest`` or ``newest``. It applies to
    the version within the series of Django too.
    """

    python: str
    django: str
    dependencies: str
    database: str = "SQLite"

    @property
    def environment(self) -> str:
        """The name of the virtual environment, which does not depend on the database."""
        return f"{self.python}-django-{self.django}-{self.dependencies}"

    @property
    def name(self) -> str:
        """The name of the combination, for file names and messages."""
        return f"{self.environment}-{self.database.lower()}"


def combinations(pythons: Collection[str]) -> Iterator[Combination]:
    """Yield the combinations for these versions of Python, such as ``3.11``, the most important first."""
    for python in pythons:
        yield Combination(python, OLDEST_DJANGO, LOWEST)
        yield newest_pair(python)
    for python in pythons:
        yield newest_pair(python, "PostgreSQL")
    for python in pythons:
        if python != DJANGO_ONLY_FOR_OLDEST_PYTHON:
            yield Combination(python, OLDEST_DJANGO, NEWEST)


def newest_pair(python: str, database: str = "SQLite") -> Combination:
    """Return the combination of a Python with the newest Django that it can have."""
    django = OLDEST_DJANGO if python == DJANGO_ONLY_FOR_OLDEST_PYTHON else NEWEST
    return Combination(python, django, NEWEST, database)


def supported_pythons() -> list[str]:
    """Return the versions of Python that ``pyproject.toml`` names, the oldest first."""
    found = [each.rpartition(" ")[2] for each in _project()["classifiers"] if each.startswith(CLASSIFIER)]
    return sorted(found, key=lambda version: int(version.partition(".")[2]))


def lowest_versions() -> dict[str, str]:
    """Return the lowest version of each dependency that ``pyproject.toml`` allows, by the name of the dependency."""
    project = _project()
    entries = [*project["dependencies"], *project["optional-dependencies"]["cbor"]]
    return {one.name: _lower_bound(one) for one in map(Requirement, entries)}


def _lower_bound(requirement: Requirement) -> str:
    (bound,) = [each.version for each in requirement.specifier if each.operator == ">="]
    return bound


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project
