"""Compare this router with Crossbar.io, xconn-python and a bare echo server, and report which targets are met.

    python -m benchmarks.compare [--rounds 5] [--rows rpc-json,joins] [--page docs/performance-figures.md]
    python -m benchmarks.compare --quick

In each round, all servers are measured in turn, so that other load on the machine affects them equally. A ratio
compares two figures of the same round, and the median over the rounds is reported. The results are written to
``benchmarks/results/`` as JSON.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tests.integration.servers import ROOT, until
from tests.integration.wire import Wire

from . import generator
from .generator import LoadFailed, figure
from .rows import BARE_LIMIT, QUICK, ROWS, Row
from .servers import STARTS, Server, Start, bare, missing, prepare

RESULTS = Path(__file__).with_name("results")
HELLO = [1, "realm1", {"roles": {role: {} for role in ("publisher", "subscriber", "caller", "callee")}}]


def welcomed(port: int) -> bool:
    """Return whether the server accepts a session."""
    try:
        with Wire(port) as wire:
            if " 101 " not in wire.upgrade("/ws"):
                return False
            wire.send_json(HELLO)
            return bool(wire.message()[0] == 2)
    except (OSError, ConnectionError):
        return False


def measured_start(start: Start, directory: Path, websocket: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the seconds from the start of the process to the first session."""
    begin = time.perf_counter()
    with start(directory, websocket) as server:
        until(lambda: welcomed(server.port), "a session is welcomed", seconds=60)
        return {"seconds": time.perf_counter() - begin}


class Comparison:
    """The measurements of one row: the results of all rounds, by server."""

    def __init__(self, row: Row, directory: Path, timing: Mapping[str, float], *, names: Sequence[str]) -> None:
        self.row = row
        self.timing = timing if row.load not in ("connect", "start") else {}
        self.names = [name for name in names if name == "ours" or name in row.targets]
        self.results: dict[str, list[dict[str, Any]]] = {name: [] for name in self.names}
        self.bare: list[float] = []
        self._directory = directory

    def run(self, rounds: int) -> None:
        """Measure all rounds. Raises LoadFailed."""
        numbers = range(rounds)
        for batch in [[number] for number in numbers] if self.row.is_fresh else [numbers]:
            with ExitStack() as stack:
                running = {} if self.row.is_fresh else {name: self._start(stack, name) for name in self.names}
                plain = stack.enter_context(bare(self._place("bare"), {})) if self.row.bare else None
                for number in batch:
                    # Alternate the order, so that no server is always the first of a round.
                    for name in self.names if number % 2 == 0 else self.names[::-1]:
                        self.results[name].append(self._measure(name, running.get(name)))
                    if plain is not None:
                        self.bare.append(self._measure_bare(plain))

    def _start(self, stack: ExitStack, name: str) -> Server:
        return stack.enter_context(STARTS[name](self._place(name), self.row.websocket))

    def _measure(self, name: str, server: Server | None) -> dict[str, Any]:
        row = self.row
        if row.load == "start":
            return measured_start(STARTS[name], self._place(name), row.websocket)
        with ExitStack() as stack:
            server = server or self._start(stack, name)
            try:
                return generator.run(server, row.load, **row.options, **self.timing)
            except LoadFailed as failure:
                raise LoadFailed(f"{name}: {failure}; it printed: {server.process.output[-1000:]}") from failure

    def _measure_bare(self, server: Server) -> float:
        likeness = self.row.bare
        assert likeness is not None  # noqa: S101 - run() has looked
        result = generator.run(server, likeness.load, path=likeness.path, **likeness.options, **self.timing)
        return likeness.times * figure(result, self.row.figure)

    def _place(self, name: str) -> Path:
        place = self._directory / f"{name}-{self.row.key if self.row.websocket else 'plain'}"
        if not place.exists():
            prepare(place)
        return place

    def figures(self, name: str) -> list[float]:
        """Return the figure of a server in each round."""
        return [figure(result, self.row.figure) for result in self.results[name]]

    def ratios(self, name: str) -> list[float]:
        """Return the ratio of another server's figure to ours, for each round."""
        return [other / own for own, other in zip(self.figures("ours"), self.figures(name), strict=True)]

    def over_bare(self) -> list[float]:
        """Return the ratio of our CPU time to that of the bare server, for each round."""
        return [own / least for own, least in zip(self.figures("ours"), self.bare, strict=False)]

    def document(self) -> dict[str, Any]:
        """Return all figures, ratios and results as JSON data."""
        row = self.row
        others = [name for name in self.names if name != "ours"]
        return {
            "key": row.key,
            "title": row.title,
            "figure": row.figure,
            "unit": row.unit,
            "medians": {name: median(self.figures(name)) for name in self.names},
            "rates": {name: median(figure(each, row.rate) for each in self.results[name]) for name in self.names}
            if row.rate
            else {},
            "ratios": {name: self.ratios(name) for name in others},
            "targets": {name: row.targets[name] for name in others},
            "is_met": {name: median(self.ratios(name)) >= row.targets[name] for name in others},
            "bare": median(self.bare) if self.bare else None,
            "over_bare": self.over_bare(),
            "results": self.results,
        }


def show(value: float) -> str:
    """Format a number with about three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cells(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of a row of the table."""
    line = [str(row["title"]), str(row["unit"])]
    line += [show(row["medians"][name]) if name in row["medians"] else "" for name in STARTS]
    for name in ("crossbar", "xconn"):
        ratios = row["ratios"].get(name)
        if ratios is None:
            line.append("")
            continue
        verdict = "met" if row["is_met"][name] else "MISSED"
        spread = f"[{min(ratios):.2g}, {max(ratios):.2g}]"
        line.append(f"{median(ratios):.2f} {spread} >= {row['targets'][name]:.2g} {verdict}")
    over = row["over_bare"]
    line.append(f"{median(over):.2f} {'met' if median(over) <= BARE_LIMIT else 'MISSED'}" if over else "")
    return line


HEAD = ["load", "unit", "ours", "Crossbar.io", "xconn", "Crossbar.io / ours", "xconn / ours", "ours / bare echo"]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return all rows as a Markdown table that is also aligned on a terminal."""
    lines = [HEAD, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def circumstances(rounds: int, timing: Mapping[str, float]) -> dict[str, Any]:
    """Return the conditions of the measurement, such as the commit, the machine and the versions."""
    commit = _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit or "unknown",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "rounds": rounds,
        **timing,
        "versions": {name: version(name) for name in ("daphne", "autobahn", "twisted", "msgspec")} | peers(),
    }


def peers() -> dict[str, str]:
    """Return the versions of the other routers."""
    found = {}
    for name in ("crossbar", "xconn"):
        python = ROOT / f".venv-{name}" / "bin" / "python"
        if python.exists():
            program = f"from importlib.metadata import version; print(version('{name}'))"
            found[name] = _said([str(python), "-c", program])
    return found


def _said(command: Sequence[str]) -> str:
    """Return the output of a command; an empty string if it prints only errors."""
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()  # noqa: S603 - our own


def compare(
    rows: Sequence[Row], rounds: int, timing: Mapping[str, float], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Measure the rows one after the other, and return their documents."""
    documents = []
    with tempfile.TemporaryDirectory(prefix="wampnode-bench-") as directory:
        for row in rows:
            comparison = Comparison(row, Path(directory), timing, names=names)
            print(f"{row.title} ...", file=sys.stderr, flush=True)
            try:
                comparison.run(rounds)
            except LoadFailed as failure:
                print(f"  not measured: {failure}", file=sys.stderr, flush=True)
            else:
                documents.append(comparison.document())
                print(f"  {' | '.join(cells(documents[-1])[1:])}", file=sys.stderr, flush=True)
    return documents


def page(rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    """Return the figures as Markdown, for the documentation."""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"Measured {about['date'][:10]} at {about['commit']}, Python {about['python']}, {about['rounds']} rounds, "
        f"{about['cores']} cores; {versions}.\n\n{table(rows)}\n"
    )


def main() -> int:
    """Measure, print and save the results. Return the exit code, which is 1 if a row could not be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=1.5, help="seconds measured in a run")
    parser.add_argument("--warmup", type=float, default=0.5, help="seconds before that")
    parser.add_argument("--rows", help=f"some of {', '.join(row.key for row in ROWS)}")
    parser.add_argument("--quick", action="store_true", help="only ours beside a bare echo, in two minutes")
    parser.add_argument("--page", type=Path, help="write the figures into this file, in Markdown")
    args = parser.parse_args()
    if not args.quick and missing():
        raise SystemExit(f"Missing: {', '.join(missing())}. Run make bench, which installs them.")
    keys = args.rows.split(",") if args.rows else QUICK if args.quick else [row.key for row in ROWS]
    rows = [row for row in ROWS if row.key in keys]
    timing = {"duration": args.duration, "warmup": args.warmup}
    about = circumstances(args.rounds, timing)
    documents = compare(rows, args.rounds, timing, ["ours"] if args.quick else list(STARTS))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{'quick' if args.quick else 'compare'}-{about['date'].replace(':', '')[:17]}.json"
    path.write_text(json.dumps({**about, "rows": documents}, indent=1))
    print(f"\n{table(documents)}\n\nall results: {path}")
    if args.page:
        args.page.write_text(page(documents, about))
    return int(len(documents) < len(rows))


if __name__ == "__main__":
    sys.exit(main())
