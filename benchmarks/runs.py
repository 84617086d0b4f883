"""Summarize several runs of ``make bench`` as a table for the documentation.

Usage: ``python -m benchmarks.runs RESULT.json ...``, with the files that the runs have written. A run with one round is
a measurement of its own: give at least three, from different hours. The table shows ranges over the runs.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from .compare import show

OTHERS = {"crossbar": "Crossbar.io", "xconn": "xconn"}


def extent(values: Sequence[float]) -> str:
    """Format the lowest and the highest of some values."""
    low, high = show(min(values)), show(max(values))
    return low if low == high else f"{low} to {high}"


def summary(key: str, runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the line of one row of the comparison, in Markdown."""
    rows = [row for run in runs for row in run["rows"] if row["key"] == key]
    cells = [rows[0]["title"], f"{extent([row['medians']['ours'] for row in rows])} {rows[0]['unit']}"]
    for name in OTHERS:
        ratios = [median(row["ratios"][name]) for row in rows if name in row["ratios"]]
        cells.append(extent(ratios) if ratios else "")
    over = [median(row["over_bare"]) for row in rows if row["over_bare"]]
    cells.append(extent(over) if over else "")
    return f"| {' | '.join(cells)} |"


def main(paths: Sequence[str]) -> None:
    """Print the table for the results in these files."""
    runs = [json.loads(Path(path).read_text()) for path in paths]
    for run in runs:
        print(f"{run['date']}: {run['commit']}, {run['rounds']} rounds, load average {run['load_average']:.1f}")
    print(f"\n| load | ours | {' | '.join(OTHERS.values())} | ours / bare |\n|---|---|---|---|---|")
    for key in dict.fromkeys(row["key"] for run in runs for row in run["rows"]):
        print(summary(key, runs))


if __name__ == "__main__":
    main(sys.argv[1:])
