"""Calls to the project's hooks. Running calls are recorded, so that the log can name hooks that do not return."""

from collections.abc import Callable
from itertools import count
from time import monotonic
from typing import Any, Final

from wamp_transport.project_code import call_guarded

_numbers: Final = count()
_running: dict[int, tuple[str, float]] = {}
"""The running hooks, each with its name and the time of the call."""


def call_hook(name: str, hook: Callable[..., Any], *arguments: Any) -> Any:
    """Call a hook and return its result. ``name`` is the name of the setting that contains the hook."""
    number = next(_numbers)
    _running[number] = name, monotonic()
    try:
        return call_guarded(hook, *arguments)
    finally:
        del _running[number]


def running_hooks() -> list[str]:
    """Return a description of each running hook for the log, the longest running first."""
    now = monotonic()
    return [f"{name} for {now - since:.0f} s" for name, since in list(_running.values())]
