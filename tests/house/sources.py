"""The project's source files and their syntax trees, which are parsed once for all house tests."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for package in ("wamp_transport", "wampnode")
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
)


@cache
def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(path.read_text())


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a module's syntax tree."""
    return tuple(ast.walk(parse(path)))
