"""Draw the graphs of docs/performance.md from the latest results: ``python -m benchmarks.graphs [--into docs]``.

The results are the newest ``compare-*.json`` and ``growth-*.json`` in ``benchmarks/results/``, or the files given on
the command line. The graphs are SVG files.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Any, Final

from .generator import figure

RESULTS = Path(__file__).with_name("results")
INK, PALE, PAPER = "#333", "#ccc", "#fff"
COLOURS: Final = ("#0b6e99", "#d9730d", "#448361", "#9065b0")
NAMES: Final = {"crossbar": "Crossbar.io", "xconn": "xconn-python"}
BAR, GAP, LEFT, RIGHT, TOP = 13, 10, 280, 650, 62
"""Lengths in pixels: the height of a bar, the gap between rows, the left and right ends of the bars, and the top of the
first row."""


def text(x: float, y: float, words: str, anchor: str = "start", colour: str = INK, size: int = 12) -> str:
    """Return a line of text."""
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-size="{size}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = INK, more: str = "") -> str:
    """Return a straight line. ``more`` contains additional attributes."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" {more}/>'


def picture(width: int, height: int, title: str, below: str, parts: Sequence[str]) -> str:
    """Return an SVG document of the parts, with a title and a line of text at the bottom."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}" font-family="system-ui, sans-serif">'
    )
    paper = f'<rect width="{width}" height="{height}" fill="{PAPER}"/>'
    named = [text(10, 22, title, size=15), text(10, height - 10, below, colour="#777", size=11)]
    return "\n".join([head, paper, *named, *parts, "</svg>"]) + "\n"


def ratios(measured: Mapping[str, Any]) -> str:
    """Draw the ratio of each other router's figure to ours, by row.

    Each ratio is a bar, with a line from the lowest to the highest round, and a mark for the target.
    """
    rows = [row for row in measured["rows"] if row["ratios"]]
    most = max(max(each) for row in rows for each in row["ratios"].values())
    most = max(most, *(target for row in rows for target in row["targets"].values()))

    def place(ratio: float) -> float:
        return LEFT + (RIGHT - LEFT) * math.log2(max(ratio, 0.5) * 2) / math.log2(most * 2)

    parts: list[str] = []
    y = float(TOP)
    for row in rows:
        parts.append(text(LEFT - 8, y + 11, row["title"], "end"))
        for (name, each), colour in zip(row["ratios"].items(), COLOURS, strict=False):
            middle = median(each)
            parts.append(
                f'<rect x="{LEFT}" y="{y:.0f}" width="{place(middle) - LEFT:.1f}" height="{BAR}" fill="{colour}"/>'
            )
            parts.append(line(place(min(each)), y + BAR / 2, place(max(each)), y + BAR / 2))
            target = place(row["targets"][name])
            parts.append(line(target, y - 1, target, y + BAR + 1, more='stroke-width="2" stroke-dasharray="2 2"'))
            parts.append(text(max(place(max(each)), target) + 5, y + 11, f"{middle:.1f}", colour=colour))
            y += BAR + 2
        y += GAP
    ticks = [2.0**power for power in range(-1, math.floor(math.log2(most)) + 1)]
    grid = [line(place(each), TOP - 6, place(each), y, PALE) for each in ticks]
    grid += [text(place(each), TOP - 10, f"{each:g}", "middle", "#777", 11) for each in ticks]
    legend = [text(LEFT + 130 * number, 40, NAMES[name], colour=COLOURS[number]) for number, name in enumerate(NAMES)]
    legend.append(text(LEFT + 260, 40, "target: dashed; lowest and highest: thin"))
    title = "How many times as much as this router (CPU, or what the row says)"
    return picture(RIGHT + 130, round(y) + 30, title, _about(measured), [*grid, *parts, *legend])


def growth(measured: Mapping[str, Any]) -> str:
    """Draw how the cost of a message grows with the size of the node. The curves should be flat.

    The cost at the smallest size is 1.
    """
    curves = dict(_curves(measured["measured"]))
    left, right, top, bottom = 60, 560, 50, 260
    longest = max(number for curve in curves.values() for number, _ in curve)
    highest = max(2.0, *(value / curve[0][1] for curve in curves.values() for _, value in curve))

    def across(number: float) -> float:
        return left + (right - left) * math.log10(number) / math.log10(longest)

    def up(value: float) -> float:
        return bottom - (bottom - top) * value / highest

    parts = [
        line(across(10**power), top, across(10**power), bottom, PALE) for power in range(round(math.log10(longest)) + 1)
    ]
    parts += [
        text(across(10**power), bottom + 16, f"{10**power:,}", "middle", "#777", 11)
        for power in range(round(math.log10(longest)) + 1)
    ]
    parts += [line(left, up(each), right, up(each), PALE) for each in range(math.floor(highest) + 1)]
    parts += [text(left - 8, up(each) + 4, f"{each}", "end", "#777", 11) for each in range(math.floor(highest) + 1)]
    dashes = ("", "6 3", "2 3", "8 3 2 3")
    for number, (name, curve) in enumerate(curves.items()):
        dash = dashes[(number + number // 4) % 4]
        points = [(across(count), up(value / curve[0][1])) for count, value in curve]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = f'fill="none" stroke="{COLOURS[number % 4]}" stroke-width="2" stroke-dasharray="{dash}"'
        parts.append(f'<polyline points="{drawn}" {style}/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[number % 4]}"/>' for x, y in points]
        parts.append(text(right + 10, top + 14 + 18 * number, name, colour=COLOURS[number % 4]))
        parts.append(line(right + 10, top + 18 + 18 * number, right + 40, top + 18 + 18 * number, COLOURS[number % 4],
                          f'stroke-width="2" stroke-dasharray="{dash}"'))  # fmt: skip
    title = "Cost of a message as a node grows (1: with the fewest)"
    return picture(right + 270, bottom + 50, title, _about(measured), parts)


def _curves(measured: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    """Yield the name and the points of each curve. A point is a size, and the CPU time or time per message."""
    crowds = {name: results for name, results in measured.items() if name.startswith("crowd-")}
    if crowds:
        yield (
            "a call, by sessions",
            [
                (int(name.partition("-")[2]), median(figure(each, "server_cpu_us_each") for each in results))
                for name, results in crowds.items()
            ],
        )
    for match in ("exact", "prefix", "wildcard"):
        if results := measured.get(f"subscriptions-{match}"):
            by_count = [each["by_count"] for each in results]
            yield (
                f"a publication, by {match} subscriptions",
                [
                    (rows[0]["subscriptions"], median(1e6 / row["publishes_per_s"] for row in rows))
                    for rows in zip(*by_count, strict=True)
                ],
            )
    for match in ("exact", "prefix", "wildcard"):
        if results := measured.get(f"registrations-{match}"):
            by_count = [each["by_count"] for each in results]
            yield (
                f"a call, by {match} registrations",
                [
                    (rows[0]["registrations"], median(row["any"] for row in rows))
                    for rows in zip(*by_count, strict=True)
                ],
            )


def _about(measured: Mapping[str, Any]) -> str:
    return (
        f"{measured['date'][:10]}, {measured['commit']}, Python {measured['python']}, {measured['cores']} cores, "
        f"medians of {measured['rounds']} rounds"
    )


def newest(pattern: str) -> Path | None:
    """Return the newest file of a kind. The names contain the time, so the newest one is the last in sorted order."""
    return max(RESULTS.glob(pattern), default=None)


def main() -> int:
    """Draw the graphs for which there are results. Return the exit code, which is 1 if there are no results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--compare", type=Path, default=newest("compare-*.json"))
    parser.add_argument("--growth", type=Path, default=newest("growth-*.json"))
    parser.add_argument("--into", type=Path, default=Path("docs"))
    args = parser.parse_args()
    for source, draw, name in ((args.compare, ratios, "ratios"), (args.growth, growth, "growth")):
        if source is not None:
            path = args.into / f"performance-{name}.svg"
            path.write_text(draw(json.loads(source.read_text())), encoding="utf-8")
            print(f"{path} from {source}")
    return int(args.compare is None and args.growth is None)


if __name__ == "__main__":
    sys.exit(main())
