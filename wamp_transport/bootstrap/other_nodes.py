"""Detect and log other nodes that use the same database, but do not form one router with this one.

Nodes form one router if they belong to the same cluster.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from ..cluster.keys import differ_only_in_layout
from ..conf import app_settings
from ..models import RunningNode
from ..stores.cluster_states import cluster_of
from ..stores.nodes import NodeStatus

logger = logging.getLogger(__name__)

NOT_SHARED: Final = (
    "Each process is a router of its own: sessions, subscriptions and procedures are not shared. Events that are "
    "published in one process do not reach the subscribers of another, and calls do not find its procedures."
)
ADVICE: Final = (
    "Set WAMP_TRANSPORT['CLUSTER'], so that all processes form one router, or serve WAMP with a single process: "
    "'manage.py runnode', or one worker ('uvicorn --workers 1', 'gunicorn --workers 1')."
)
JOIN_ADVICE: Final = (
    "The setting WAMP_TRANSPORT['CLUSTER'] exists, but this process does not use it: start it with "
    "'manage.py runserver --cluster', or with 'manage.py runnode'."
)
OTHER_CLUSTER: Final = (
    "That is another cluster than the one of this process, so they are different routers. Set the same NAME and KEY in "
    "WAMP_TRANSPORT['CLUSTER'] for all processes."
)
OTHER_LAYOUT: Final = (
    "That node is in the same cluster, but its release of wampnode stores registrations in another form in Redis, so "
    "they are different routers: events and calls do not reach each other's clients. Use the same release for all "
    "processes."
)


class OtherNodes:
    """A detector for the node ``name``. It logs each running node of another router once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._first_reports: dict[str, datetime] | None = None
        self._known: set[str] = set()

    def look(self, statuses: Iterable[NodeStatus], cluster: str = "") -> list[RunningNode]:
        """Log and return the running nodes of other routers that the previous call has not found.

        ``statuses`` contains the statuses of all nodes, and can include that of the detector's own node. ``cluster``
        identifies the cluster of this node, as :func:`.cluster_of` does; it is empty if there is none. A node that was
        killed leaves its row in the database. Such a row is not reported as another node.

        If this node is in a cluster, only nodes of other clusters are reported. Nodes without a cluster detect and log
        the problem themselves.
        """
        others = {one.node.name: one for one in statuses if one.node.name != self._name}
        first = self._first_reports
        if first is None:
            first = self._first_reports = {name: one.node.seen_at for name, one in others.items()}
        alive = {
            name
            for name, one in others.items()
            if _is_alive(one, first.get(name)) and (not cluster or cluster_of(one.node) not in ("", cluster))
        }
        found = [others[name].node for name in sorted(alive - self._known)]
        self._known = alive
        upgraded = [node for node in found if cluster and differ_only_in_layout(cluster_of(node), cluster)]
        self._log([node for node in found if node not in upgraded], OTHER_CLUSTER if cluster else "")
        self._log(upgraded, OTHER_LAYOUT)
        return found

    def _log(self, found: Sequence[RunningNode], advice: str) -> None:
        """Log nodes of other routers, if there are any. If there is no advice, no cluster is in use."""
        if found:
            logger.warning(
                "This process (%s) is not the only node of this project: %s. %s",
                *(self._name, described(found), advice or f"{NOT_SHARED} {_advice()}"),
            )


def _advice() -> str:
    return ADVICE if app_settings().cluster is None else JOIN_ADVICE


def _is_alive(status: NodeStatus, first_report: datetime | None) -> bool:
    """Return whether a node is certainly running: its process exists on this host, or it has reported again.

    ``first_report`` is the time of the node's report when this process first read the reports; None if there was none.
    """
    return not status.is_stale and (status.has_process_here or status.node.seen_at != first_report)


def described(nodes: Sequence[RunningNode]) -> str:
    """Return the beginning of a message that lists the processes of nodes."""
    text = ", ".join(f"process {node.pid} on host {node.host}" for node in nodes)
    return f"{text} {'uses' if len(nodes) == 1 else 'use'} the same database"
