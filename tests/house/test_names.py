"""Each class has the same name everywhere, and the name is unique within its package."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import FILES, ROOT, nodes

CONVENTIONAL = {"Command", "Media", "Meta"}
"""Names that Django gives to classes."""


def is_class_name(name: str) -> bool:
    """Return whether a name is capitalized like that of a class, unlike constants and functions."""
    return name[:1].isupper() and (not name.isupper() or len(name) == 1)


def aliases(path: Path) -> Iterator[str]:
    """Yield each import that gives one of the project's classes another name."""
    for node in nodes(path):
        if not isinstance(node, ast.ImportFrom):
            continue
        is_ours = node.level or (node.module or "").partition(".")[0] in ("wamp_transport", "wampnode")
        for each in node.names if is_ours else ():
            if each.asname is not None and each.asname != each.name and is_class_name(each.name):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {each.name} as {each.asname}"


def classes(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each class of a module, with its line."""
    for node in nodes(path):
        if isinstance(node, ast.ClassDef) and node.name not in CONVENTIONAL:
            yield node.name, node.lineno


def test_no_class_is_imported_under_another_name() -> None:
    found = [each for path in FILES for each in aliases(path)]
    assert not found, "give one of the two classes a better name:\n" + "\n".join(found)


def test_class_names_are_unique_within_a_package() -> None:
    places = defaultdict(list)
    for path in FILES:
        for name, line in classes(path):
            places[path.parent, name].append(f"{path.relative_to(ROOT)}:{line}")
    found = [f"{name}: {', '.join(where)}" for (_, name), where in places.items() if len(where) > 1]
    assert not found, "classes of one package with the same name:\n" + "\n".join(found)


def test_an_alias_is_found(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    module = tmp_path / "module.py"
    lines = ["from .other import Thing as Other", "from wamp_transport.x import LIMIT as MOST, function as f"]
    module.write_text("\n".join([*lines, "from elsewhere import Thing as Another"]))
    assert list(aliases(module)) == ["module.py:1: Thing as Other"]
