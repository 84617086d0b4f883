"""Logins as Crossbar's documentation configures them, by Autobahn: how they end here, as the page of differences says.

What Crossbar makes of the same is for ``make differences``.
"""

from pathlib import Path

import pytest

from tools.differences.play import observations
from tools.differences.routers import ours
from tools.differences.scenarios import SCENARIOS, authenticators, logins

pytestmark = [pytest.mark.integration, pytest.mark.full]

SPECIFIED = [
    one for one in SCENARIOS if one.steps.__module__ in (authenticators.__name__, logins.__name__) and one.keeps
]


def test_logins_end_as_they_should(tmp_path: Path) -> None:
    with ours(tmp_path / "node") as place:
        seen = observations(place, SPECIFIED)
    wrong = {one.name: seen[one.name] for one in SPECIFIED if seen[one.name] not in one.keeps}
    assert wrong == {}
