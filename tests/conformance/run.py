"""Run the cases of the Autobahn TestSuite against the echo endpoint, and write the results to the docs.

``python -m tests.conformance.run KOSOKU REPORTS PAGE``: the test runner's program, a folder for its reports, the page.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from tests.integration.servers import ROOT, free_port, running

GROUPS = {
    "1": "Framing",
    "2": "Pings and pongs",
    "3": "Reserved bits",
    "4": "Opcodes",
    "5": "Fragmentation",
    "6": "UTF-8",
    "7": "Closing",
    "9": "Limits and performance",
    "10": "Automatic fragmentation",
    "12": "Compression, different payloads",
    "13": "Compression, different parameters",
}
GOOD = ("OK", "INFORMATIONAL")

PAGE = """# Conformance of the WebSocket protocol

`make autobahn-testsuite` runs the cases of the Autobahn TestSuite (PyPI package `kosoku` {kosoku}) against an echo
endpoint. The endpoint uses this product's own server, with its fast path for frames and with compression.

{total} cases: {failed} failed, {lax} not strict, {informational} informational. Of {messages} echoed messages {short}
were read by the fast path, the others by Autobahn's parser (autobahn {autobahn}, Daphne {daphne}).

| group | cases | passed | informational | not strict | failed |
|---|---|---|---|---|---|
{rows}

Informational cases, in which the suite accepts any behavior: {informational_ids}.
"""


def run(kosoku: str, reports: Path) -> tuple[int, int]:
    """Run all cases. Return the number of echoed messages, and how many of them the fast path has read."""
    port = free_port()
    reports.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.conformance.echo", str(port)]
    with running(command, reports, cwd=ROOT) as server:
        server.wait_for(port)
        subprocess.run([kosoku, "-m", "fuzzingclient", "-o", str(reports), f"127.0.0.1:{port}"], check=False)
        if server.stop() != 0 or "Traceback" in server.output:
            sys.exit(server.output)
        counted = re.search(r"messages (\d+) short (\d+)", server.output)
    if counted is None:
        sys.exit(server.output)
    return int(counted[1]), int(counted[2])


def page(results: dict[str, dict[str, str]], messages: int, short: int, kosoku: str) -> tuple[str, bool]:
    """Return the page for the docs, and whether no case failed."""
    by_group: dict[str, Counter[str]] = {}
    informational: list[str] = []
    for case, result in results.items():
        kind = result["behavior"]
        if kind in GOOD and result["behaviorClose"] not in GOOD:
            kind = result["behaviorClose"]
        if kind == "INFORMATIONAL":
            informational.append(case)
        by_group.setdefault(case.partition(".")[0], Counter())[kind if kind in (*GOOD, "NON-STRICT") else "FAILED"] += 1
    total: Counter[str] = sum(by_group.values(), Counter())
    rows = [
        f"| {number}. {name} | {sum(counts.values())} | {counts['OK']} | {counts['INFORMATIONAL']} "
        f"| {counts['NON-STRICT']} | {counts['FAILED']} |"
        for number, name in GROUPS.items()
        if (counts := by_group.get(number))
    ]
    text = PAGE.format(
        kosoku=kosoku,
        total=sum(total.values()),
        failed=total["FAILED"],
        lax=total["NON-STRICT"],
        informational=total["INFORMATIONAL"],
        messages=messages,
        short=short,
        autobahn=version("autobahn"),
        daphne=version("daphne"),
        rows="\n".join(rows),
        informational_ids=", ".join(informational) or "none",
    )
    return text, total["FAILED"] == 0


def main(kosoku: str, reports: Path, target: Path) -> int:
    """Run all cases and write the page. Return the exit code."""
    messages, short = run(kosoku, reports)
    (results,) = json.loads((reports / "index.json").read_text()).values()
    command = [
        Path(kosoku).with_name("python"),
        "-c",
        "from importlib.metadata import version; print(version('kosoku'))",
    ]
    number = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    text, is_well = page(results, messages, short, number)
    target.write_text(text)
    print(text)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
