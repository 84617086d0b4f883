"""Problems in a configuration, the report that lists them, and the exception that contains the report."""

import json
import re
from dataclasses import dataclass
from typing import Literal

Level = Literal["fault", "ignored"]
Location = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z$_][A-Za-z0-9$_\-]*")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem in a configuration, described for the operator.

    ``path`` is the JSON path of the problem, or empty for the whole configuration. The ``level`` is ``fault`` if the
    configuration cannot be used, and ``ignored`` if a setting is valid but has no effect.
    """

    path: str
    message: str
    hint: str = ""
    level: Level = "fault"

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{hint}"


@dataclass(frozen=True, slots=True)
class Report:
    """All problems found in a configuration.

    Problems in the document are in document order. Problems with files and directories follow.
    """

    source: str = ""
    faults: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.faults and not self.notices:
            return f"{self.source or 'configuration'}: no problems"
        head = f"{self.source or 'configuration'}: {_count(self.faults, 'fault')}, {_count(self.notices, 'notice')}"
        lines = [head]
        lines += [f"  fault: {problem}" for problem in self.faults[:_SHOWN]]
        lines += [f"  notice: {problem}" for problem in self.notices[:_SHOWN]]
        hidden = max(0, len(self.faults) - _SHOWN) + max(0, len(self.notices) - _SHOWN)
        if hidden:
            lines.append(f"  ... and {hidden} more")
        return "\n".join(lines)


class ConfigError(Exception):
    """Raised if a configuration cannot be used. ``report`` contains all reasons."""

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return str(self.report)


def path_text(location: Location) -> str:
    """Return a location as a JSON path, such as ``workers[0].transports[0].paths.ws`` or ``paths["/"]``."""
    parts: list[str] = []
    for step in location:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN_KEY.fullmatch(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f"[{json.dumps(short(step))}]")
    return "".join(parts)


def short(text: str, limit: int = 60) -> str:
    """Return ``text``, truncated to ``limit`` characters."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _count(problems: tuple[Problem, ...], word: str) -> str:
    return f"{len(problems)} {word}{'' if len(problems) == 1 else 's'}"
