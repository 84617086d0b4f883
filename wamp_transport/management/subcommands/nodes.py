"""``wamp nodes``: list the running nodes and their states in the cluster, as they have reported to the database."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from wamp_transport.management.client.lists import write_table
from wamp_transport.management.client.values import as_json
from wamp_transport.stores import nodes
from wamp_transport.stores.cluster_states import ClusterView
from wamp_transport.stores.nodes import NodeStatus

COUNTERS = ("lost_batches", "dropped_events", "unsent", "unconfirmed_subscriptions", "missing_replies", "removals")
HEAD = (
    "NODE", "RUNS", "CLUSTER", "STATE", "PROTOCOL", "LAYOUT", "NODES", "WAITING", "LOST", "DROPPED", "UNSENT",
    "UNCONFIRMED", "MISSING", "REMOVALS",
)  # fmt: skip


class NodesCommand:
    """The subcommand ``nodes``. It reads the reports of the nodes from the database, and connects to none of them."""

    name = "nodes"
    help = (
        "List the running nodes of this project, with their configuration and their state in the cluster. Nodes report "
        "both to the database every ten seconds."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="write a JSON object with the key nodes")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        try:
            found = nodes.running()
        except DatabaseError as fault:
            raise CommandError(f"The running nodes cannot be read from the database: {fault}", returncode=1) from None
        if options["json"]:
            command.stdout.write(as_json({"nodes": [_as_mapping(one) for one in found]}, is_indented=True))
        else:
            write_table(command, HEAD, [_row(one) for one in found], "No node has reported.", right=HEAD[4:])
            for status in found:
                _warn(command, status)


def _warn(command: BaseCommand, status: NodeStatus) -> None:
    """Name the nodes with which a node exchanges no messages."""
    names = () if status.cluster is None else status.cluster.incompatible
    if names:
        command.stderr.write(
            f"{status.node.name} exchanges no messages with {', '.join(names)}, because their releases of wampnode are "
            "too different: events and calls do not reach each other's clients. Use the same release on all nodes."
        )


def _runs(status: NodeStatus) -> str:
    """Describe whether a node runs the configuration in the database, with the same words as the admin."""
    if status.is_stale:
        return "not seen"
    if status.node.problem:
        return "refused a newer one"
    return {True: "up to date", None: "not from the database", False: "behind"}[status.is_current]


def _as_mapping(status: NodeStatus) -> dict[str, Any]:
    node, view = status.node, status.cluster
    return {
        "name": node.name,
        "host": node.host,
        "pid": node.pid,
        "runs": _runs(status),
        "revision": node.revision,
        "problem": node.problem,
        "seconds_since_report": status.seconds,
        "cluster": None if view is None else _cluster_mapping(view),
    }


def _cluster_mapping(view: ClusterView) -> dict[str, Any]:
    state = view.state
    counts = (
        state.lost_batches,
        state.dropped_events,
        state.unsent,
        state.missed_holds,
        state.missing_replies,
        state.removals,
    )
    return {
        "name": state.cluster,
        "state": view.condition,
        "protocol": view.protocol,
        "layout": view.layout,
        "incompatible": list(view.incompatible),
        "nodes": view.nodes,
        "waiting": view.waiting,
        **dict(zip(COUNTERS, counts, strict=True)),
    }


def _row(status: NodeStatus) -> tuple[str, ...]:
    cluster = _as_mapping(status)["cluster"]
    names = ("name", "state", "protocol", "layout", "nodes", "waiting", *COUNTERS)
    return (status.node.name, _runs(status), *("-" if cluster is None else str(cluster[name]) for name in names))
