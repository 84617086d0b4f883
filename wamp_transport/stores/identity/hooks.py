"""Calls the project's hooks, and keeps track of running ones so that hooks that do not return can be logged."""

from collections.abc import Callable
from itertools import count
from time import monotonic
from typing import Any, Final

from wamp_transport.project_code import call_guarded

_numbers: Final = count()
_running: dict[int, tuple[str, float]] = {}
"""The name of each, and since when."""


def call_hook(name: str, hook: Callable[..., Any], *arguments: Any) -> Any:
    """Call the hook ``name`` of the settings and return its result."""
    number = next(_numbers)
    _running[number] = name, monotonic()
    try:
        return call_guarded(hook, *arguments)
    finally:
        del _running[number]


def running_hooks() -> list[str]:
    """Return a description of each running hook, such as ``USER_ROLE for 3 s``, the longest-running first."""
    now = monotonic()
    return [f"{name} for {now - since:.0f} s" for name, since in list(_running.values())]
