"""The time from the commit of a change until other nodes have applied it, with hints over Redis.

    python -m benchmarks.hints [--layer core|pubsub] [--changes 40] [--rounds 3]

Two nodes use the same database. A third process changes a row again and again. Each node prints the time at which it
has applied the configuration with that change. All processes use the clock of this machine.
"""

import argparse
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.integration.servers import ROOT, Process, free_port, migrate, running, until
from tests.redis_server import redis_process

LAYERS = {"core": "channels_redis.core.RedisChannelLayer", "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer"}
ARRIVES = "Hints about changes arrive over the channel layer"


def site(*arguments: str) -> list[str]:
    """The command line of the site's ``manage.py``."""
    return [sys.executable, "-m", "tests.integration.hint_site", *arguments]


@contextmanager
def two_nodes(layer: str, **more: str) -> Iterator[tuple[dict[str, str], list[Process]]]:
    """Two nodes that receive hints; yields the environment of the processes, and the nodes."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="hints-")))
        server = stack.enter_context(redis_process())
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.integration.hint_site.settings",
            "WAMPNODE_DATABASE": str(directory / "db.sqlite3"),
            "HINT_LAYER": LAYERS[layer],
            "HINT_REDIS": server.url,
            **more,
        }
        migrate(directory / "db.sqlite3")
        nodes = []
        for _ in range(2):
            port = free_port()
            command = site("runserver", "--noreload", f"127.0.0.1:{port}")
            nodes.append(stack.enter_context(running(command, directory, cwd=ROOT, **environment)).wait_for(port))
        for node in nodes:
            node.wait_to_print(ARRIVES)
        yield environment, nodes


def applied(node: Process) -> dict[int, float]:
    """The revisions that a node has applied, with their times."""
    return {int(number): float(at) for number, at in re.findall(r"applied (\d+) at ([\d.]+)", node.output)}


def measure(layer: str, changes: int) -> list[float]:
    """The seconds from each commit until both nodes had applied the change."""
    taken = []
    with two_nodes(layer) as (environment, nodes):
        os.environ.update(environment)
        import django  # noqa: PLC0415 - the settings are known only now

        django.setup()
        from django.db import connection  # noqa: PLC0415

        from wamp_transport.models import ConfigurationState, Realm  # noqa: PLC0415

        connection.settings_dict["NAME"] = environment["WAMPNODE_DATABASE"]
        connection.close()
        for number in range(changes):
            Realm.objects.create(name=f"realm{number}")
            committed = time.time()
            revision = ConfigurationState.objects.get().revision
            until(lambda wanted=revision: all(wanted in applied(node) for node in nodes), "the change", seconds=30)
            taken.append(max(applied(node)[revision] for node in nodes) - committed)
            time.sleep(0.3)
        connection.close()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layer", choices=LAYERS)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for layer in [options.layer] if options.layer else LAYERS:
        for number in range(options.rounds):
            taken = sorted(1000 * one for one in measure(layer, options.changes))
            print(
                f"{layer}, round {number + 1}: median {statistics.median(taken):.1f} ms, "
                f"90 % within {taken[int(0.9 * len(taken))]:.1f} ms, longest {taken[-1]:.1f} ms"
            )


if __name__ == "__main__":
    main()
