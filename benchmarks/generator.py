"""Run the load generator :mod:`benchmarks.wampload`, or a load of :mod:`benchmarks.driver`, against a server."""

import json
import subprocess
import sys
from typing import Any

from tests.integration.servers import ROOT

from .servers import GENERATOR_CORE, Server, pinned


class LoadFailed(Exception):
    """Raised if the generator could not measure. The message contains the reason."""


def run(server: Server, load: str, *, path: str | None = None, **options: Any) -> dict[str, Any]:
    """Run one load and return its figures. Raise LoadFailed if it fails, or if messages were lost or refused.

    A load whose name begins with a slash is one of :mod:`benchmarks.driver`. ``path`` replaces the path of the server's
    URL.
    """
    url = server.url if path is None else f"ws://127.0.0.1:{server.port}{path}"
    is_extra = load.startswith("/")
    program = ["-m", "benchmarks.driver", load[1:]] if is_extra else ["-m", "benchmarks.wampload", load, "--json"]
    arguments = ["--url", url, "--server-pid", str(server.pid)]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(  # noqa: S603 - our own
        pinned(GENERATOR_CORE, sys.executable, *program, *arguments),
        check=False,
        cwd=ROOT,
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
    """Return a figure by its dotted name, such as ``latency_ms.p50``."""
    value: Any = result
    for part in name.split("."):
        value = value[part]
    return float(value)
