"""Two nodes of one project that send each other hints over a Redis server of their own."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..redis_server import RedisServer, redis_process
from .servers import ROOT, Process, configuration, environment_of, free_port, migrate, running, until, web

LAYERS = {"core": "channels_redis.core.RedisChannelLayer", "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer"}
ARRIVES = "Hints about changes arrive over the channel layer"


@dataclass(frozen=True)
class HintNodes:
    """The two processes with their ports, the Redis server, and the environment of the project's processes."""

    processes: list[Process]
    ports: list[int]
    redis: RedisServer
    environment: dict[str, str]

    def run(self, code: str) -> str:
        """Run Django code in another process; what it prints."""
        return run_command(self.environment, "shell", "-v", "0", "-c", code)

    def until_applied(self, revision: int) -> None:
        """Wait until both nodes have applied this revision."""
        until(lambda: all(revision in applied(one) for one in self.processes), f"revision {revision} is applied")

    def until_hints_arrive(self, times: int = 1) -> None:
        """Wait until both nodes have logged that hints arrive."""
        until(lambda: all(one.output.count(ARRIVES) == times for one in self.processes), "hints arrive")


def applied(process: Process) -> dict[int, float]:
    """The revisions that a node has applied, with their times."""
    return {int(number): float(at) for number, at in re.findall(r"applied (\d+) at ([\d.]+)", process.output)}


def site(*arguments: str) -> list[str]:
    """The command line of the site's ``manage.py``."""
    return [sys.executable, "-m", "tests.integration.hint_site", *arguments]


def run_command(environment: dict[str, str], *arguments: str) -> str:
    """Run a command of the site; what it prints."""
    own = environment_of(**environment)
    return subprocess.run(site(*arguments), cwd=ROOT, env=own, check=True, text=True, stdout=subprocess.PIPE).stdout


@contextmanager
def hint_nodes(
    directory: Path, layer: str, paths: Any = None, realms: Any = None, prepare: str = "", **environment: str
) -> Iterator[HintNodes]:
    """Two nodes that receive hints. ``prepare`` is Django code that runs before they start."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_process())
        database = directory / "db.sqlite3"
        migrate(database)
        ports = [free_port(), free_port()]
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.integration.hint_site.settings",
            "WAMPNODE_DATABASE": str(database),
            "HINT_LAYER": LAYERS[layer],
            "HINT_REDIS": redis.url,
            **environment,
        }
        if paths is not None:
            (directory / "config.json").write_text(json.dumps(configuration(web(ports[0], paths), realms=realms)))
            run_command(environment, "wamp", "import", str(directory / "config.json"))
        if prepare:
            run_command(environment, "shell", "-v", "0", "-c", prepare)
        processes = []
        for port in ports:
            command = site("runserver", "--noreload", f"127.0.0.1:{port}")
            processes.append(stack.enter_context(running(command, directory, **environment)).wait_for(port))
        nodes = HintNodes(processes, ports, redis, environment)
        nodes.until_hints_arrive()
        yield nodes
        for process in processes:
            assert process.stop() == 0, process.output
