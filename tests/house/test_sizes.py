"""Functions, classes and files stay small. Split one that exceeds a limit: it usually contains several concepts."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import FILES, ROOT, nodes, parse

FUNCTION_LINES = 60
CLASS_LINES = 350
CLASS_METHODS = 20
FILE_LINES = 600

Function = ast.FunctionDef | ast.AsyncFunctionDef


def problems(path: Path) -> Iterator[str]:
    """Yield a message for each function, class or file that is too large."""
    text = path.read_text()
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path.relative_to(ROOT)}: {lines} lines"
    for node in nodes(path):
        size = getattr(node, "end_lineno", 0) - getattr(node, "lineno", 0)
        if isinstance(node, Function) and size > FUNCTION_LINES:
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {size} lines"
        if isinstance(node, ast.ClassDef):
            methods = [
                each
                for each in node.body
                if isinstance(each, Function) and not (each.name.startswith("_") and not each.name.startswith("__"))
            ]
            if size > CLASS_LINES:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {size} lines"
            if len(methods) > CLASS_METHODS:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {len(methods)} public methods"


def test_files_keep_the_size_limits() -> None:
    assert [problem for path in FILES for problem in problems(path)] == []


def test_every_module_says_what_it_owns() -> None:
    assert [str(path) for path in FILES if not ast.get_docstring(parse(path))] == []
