"""The documentation is correct: generated pages are up to date, and links and file names lead to existing files."""

import importlib.util
import re
from pathlib import Path

import pytest

from benchmarks.attacks import ATTACKS

ROOT = Path(__file__).parents[2]

_spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)

from tools.differences.page import names_in, rendered_again  # noqa: E402 - next to the other generator
from tools.differences.scenarios import SCENARIOS  # noqa: E402

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


GENERATED = ["features.md", "configuration.md", "clients.md", "migrating.md", "commands.md", "security.md"]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_page_is_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == generate.pages()[name], "run 'make docs'"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_differences_tell_of_the_present_scenarios() -> None:
    page = (ROOT / "docs" / "differences.md").read_text()
    assert sorted(names_in(page)) == sorted(one.name for one in SCENARIOS), "run 'make differences'"


def test_differences_have_the_present_texts() -> None:
    page = (ROOT / "docs" / "differences.md").read_text()
    assert page == rendered_again(page, SCENARIOS), "run 'python -m tools.differences.page'"


def test_differing_scenarios_say_what_it_means() -> None:
    page = (ROOT / "docs" / "differences.md").read_text().partition("## Alike")[0]
    assert [name for name in names_in(page) if not {one.name: one.means for one in SCENARIOS}[name]] == []


def test_contributing_names_existing_files() -> None:
    names = re.findall(r"`([\w./]+(?:\.py|/))`", (ROOT / "CONTRIBUTING.md").read_text())
    found = {name for name in names for place in (ROOT, ROOT / "wamp_transport") if (place / name).exists()}
    others = {"conftest.py", "wamp.py", "build/matrix/"}  # a file of any package, one of a project's app, and output
    assert set(names) - found == others


def test_security_page_has_every_attack_of_the_benchmark() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    section = page.partition("### Measured attacks\n")[2].partition("\n#")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE) == list(ATTACKS)


def test_security_page_names_existing_tests() -> None:
    named = re.findall(r"\[`?(test_\w+)`?\]\(\.\./([^)]+)\)", (ROOT / "docs" / "security.md").read_text())
    assert named
    assert [name for name, path in named if f"def {name}(" not in (ROOT / path).read_text()] == []
