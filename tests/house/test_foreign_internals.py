"""Private names of other libraries are used only in ``compat/``, where they are checked, in declared versions."""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.house.sources import ROOT, nodes
from wamp_transport.compat.requirements import Members, release
from wamp_transport.compat.versions import LIBRARIES, PYTHON

APP = ROOT / "wamp_transport"
COMPAT = sorted(path.stem for path in (APP / "compat").glob("*.py"))
FILES = [path for path in sorted(APP.rglob("*.py")) if not {"compat", "migrations"} & set(path.relative_to(APP).parts)]

OF_OTHERS = {
    "_meta", "_state", "_default_manager", "_base_manager",  # documented by Django for models
    "_should_delete_form", "_raw_ipv6",  # Django, which announces changes as deprecations
    "_exit", "_getframe", "_create_unverified_context",  # Python's own: documented in its manual, or a PEP
}  # fmt: skip
"""Private names of libraries to which these rules do not apply."""

OWN_TOO = {"management": {"_command"}}
"""Attribute names, by package, that the package uses for its own objects although Twisted uses them too."""


def members() -> Iterator[Members]:
    """Yield all members that compat modules list."""
    for name in COMPAT:
        yield from getattr(import_module(f"wamp_transport.compat.{name}"), "MEMBERS", ())


PRIVATE = {name for each in members() for name in each.names() if name.startswith("_") and not name.startswith("__")}


@dataclass
class Names:
    """The names in a module: those it defines, the private attributes it uses, and its strings."""

    defined: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)


def names_in(path: Path) -> Names:
    names = Names()
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.defined.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.strings.add(node.value)
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            is_set = isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"
            (names.defined if is_set else names.used).add(node.attr)
    return names


@cache
def scanned() -> dict[str, Names]:
    """Return the names in each module outside ``compat``."""
    return {str(path.relative_to(APP)): names_in(path) for path in FILES}


def test_private_attributes_are_our_own() -> None:
    """Those of libraries get a public name in ``wamp_transport/compat/``, where they are checked."""
    own = {name for names in scanned().values() for name in names.defined}
    foreign = {path: names.used - own - OF_OTHERS for path, names in scanned().items()}
    assert {path: found for path, found in foreign.items() if found} == {}


def test_checked_private_names_stand_in_compat_alone() -> None:
    """Other modules use them neither as attributes, nor for overriding methods, nor as strings for ``getattr``."""
    found = {path: (names.defined | names.used | names.strings) & PRIVATE for path, names in scanned().items()}
    foreign = {path: names - OWN_TOO.get(path.partition("/")[0], set()) for path, names in found.items()}
    assert {path: names for path, names in foreign.items() if names} == {}


@pytest.mark.parametrize("name", COMPAT)
def test_compat_modules_check_the_private_names_that_they_use(name: str) -> None:
    names = names_in(APP / "compat" / f"{name}.py")
    assert names.used <= names.defined | PRIVATE


def test_private_names_stand_in_one_module_each() -> None:
    texts = {name: (APP / "compat" / f"{name}.py").read_text() for name in COMPAT}
    for private in PRIVATE:
        assert sum(re.search(rf"\b{private}\b", text) is not None for text in texts.values()) == 1, private


def test_dependencies_are_the_tested_versions() -> None:
    """Only Daphne and Autobahn have upper bounds.

    With a bound for Twisted, for example, a project could not install its security updates.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {entry.replace("[tls]", "") for entry in project["dependencies"]}
    for library in LIBRARIES:
        if library is PYTHON:
            assert project["requires-python"] == f">={library.oldest}"
        elif library.name in ("daphne", "autobahn"):
            assert library.requirement in declared
        else:
            assert f"{library.name}>={library.oldest}" in declared
        assert release(library.oldest) < release(library.below)
        assert library.is_tested, f"{library.name} {library.installed} runs these tests: it belongs into the range"
