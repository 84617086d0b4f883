"""The scenarios by name.

Each is a module with
- NAME and HELP,
- METRICS: the figures a comparison looks at, each "higher" or "lower" is better,
- add_arguments(parser),
- async run(options, monitor, args) -> dict with at least "errors" and "lost".
"""

from . import connect, echo, idle, pubsub, rpc, slow, subs

SCENARIOS = {module.NAME: module for module in (rpc, rpc.latency, pubsub, slow, subs, connect, idle, echo)}
