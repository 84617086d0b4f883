"""The scenarios by name.

Each scenario is a module with

- NAME and HELP,
- METRICS: the figures to compare, each with "higher" or "lower", whichever is better,
- add_arguments(parser),
- async run(options, monitor, args), which returns a dict with at least "errors" and "lost".
"""

from . import connect, echo, idle, pubsub, rpc, slow, subs

SCENARIOS = {module.NAME: module for module in (rpc, rpc.latency, pubsub, slow, subs, connect, idle, echo)}
