"""Runs the load generator ``wampload``, which is no part of this project, and the loads made of its parts.

It is looked for in ``../shared/bench`` beside the project, or where the variable ``WAMPLOAD`` says; ``make bench``
makes the environment it runs in, ``.venv-bench``.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.servers import ROOT

from .servers import GENERATOR_CORE, Server, pinned

HOME = Path(os.environ.get("WAMPLOAD") or ROOT.parent / "shared" / "bench").absolute()
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
DRIVER = Path(__file__).with_name("driver.py")


class LoadFailed(Exception):
    """The generator could not measure; the message is what it said."""


def check() -> None:
    """Exits with a message where the generator is missing."""
    if not (HOME / "wampload").is_dir():
        raise SystemExit(
            f"The load generator wampload is not in {HOME}.\n"
            "Say where its folder (the one with requirements.txt) is: make bench WAMPLOAD=/path/to/it"
        )
    if not PYTHON.exists():
        raise SystemExit(f"{PYTHON} is missing: make .venv-bench/.installed")


def run(server: Server, load: str, *, path: str | None = None, **options: Any) -> dict[str, Any]:
    """One run; its figures. Raises LoadFailed, also where messages were lost or refused.

    A load that begins with a slash is one of :mod:`benchmarks.driver`. ``path`` is another than the server's own.
    """
    url = server.url if path is None else f"ws://127.0.0.1:{server.port}{path}"
    own = load.startswith("/")
    program = [str(DRIVER), load[1:]] if own else ["-m", "wampload", load, "--json"]
    arguments = ["--url", url, "--server-pid", str(server.pid)]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(  # noqa: S603 - our own
        pinned(GENERATOR_CORE, str(PYTHON), *program, *arguments),
        check=False,
        cwd=HOME,
        env={**os.environ, "PYTHONPATH": str(HOME)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode != 0:
        raise LoadFailed(
            f"{load} {options}: exit code {done.returncode}: {(done.stderr or done.stdout)[-600:].strip()}"
        )
    result: dict[str, Any] = json.loads(done.stdout)["results"][0]
    if result.get("errors") or result.get("lost"):
        raise LoadFailed(f"{load} {options}: {result.get('errors')} errors, {result.get('lost')} lost")
    return result


def figure(result: dict[str, Any], name: str) -> float:
    """A figure by its dotted name."""
    value: Any = result
    for part in name.split("."):
        value = value[part]
    return float(value)
