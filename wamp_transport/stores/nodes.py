"""The reports that running nodes store in the database about their state, for the admin and for operators."""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from wamp_transport.models import RunningNode
from wamp_transport.stores.cluster_states import ClusterView, cluster_view
from wamp_transport.stores.configuration import revision as revision_stored
from wamp_transport.stores.connections import require_database
from wamp_transport.stores.processes import process_exists

STALE_AFTER = timedelta(seconds=35)
"""The time without a report after which a node is assumed to have ended. Nodes report every ten seconds."""

HIDE_AFTER = timedelta(minutes=1)
"""The time without a report after which a node is no longer listed."""

FORGET_AFTER = timedelta(days=1)
"""The time without a report after which the row of a node is deleted.

It is longer than HIDE_AFTER, so that a node that could not report for a while keeps its start time.
"""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The reported state of a node. ``age`` is the time since its last report.

    ``is_current`` is true if the node has applied the stored configuration, and None if its configuration is not from
    the database. ``cluster`` is None if the node is in no cluster.
    """

    node: RunningNode
    age: timedelta
    is_stale: bool
    is_current: bool | None
    cluster: ClusterView | None = None

    @property
    def seconds(self) -> int:
        """The age of the last report, in seconds."""
        return int(self.age.total_seconds())

    @property
    def has_process_here(self) -> bool:
        """Whether the node's process exists on this host."""
        return self.node.host == socket.gethostname() and process_exists(self.node.pid)

    @property
    def is_alive(self) -> bool:
        """Whether the node runs, as far as this host can tell. The processes of other hosts cannot be checked."""
        return not self.is_stale and (self.node.host != socket.gethostname() or self.has_process_here)


def report(
    name: str,
    apply_count: int,
    revision: object,
    problem: str = "",
    *,
    source: str = "",
    services: Sequence[Any] = (),
    operator_salt: str = "",
    sessions: Sequence[Any] = (),
    cluster: Mapping[str, Any] | None = None,
) -> None:
    """Report that the node ``name`` is running in this process, and the state of its configuration.

    ``apply_count`` is the number of configurations that the process has applied. ``revision`` identifies the applied
    configuration. It is stored only if it is an integer, that is, if the configuration is from the database.
    ``problem`` is the reason why a newer configuration was refused. ``services`` and ``operator_salt`` are stored for
    :mod:`.operators`. ``sessions`` contains session counts by group, as returned by :func:`.session_groups.to_json`.
    ``cluster`` is the state of the node in its cluster, as returned by :func:`.node_state.to_json`.

    This function also deletes the rows of nodes that have not reported for a day.
    """
    now = timezone.now()
    stored = revision if isinstance(revision, int) else None
    process = {"pid": os.getpid(), "host": socket.gethostname()}
    with transaction.atomic():
        # Write first: in SQLite, a transaction that begins with a query fails if another process is writing.
        RunningNode.objects.filter(name=name).update(seen_at=now)
        node = RunningNode.objects.select_for_update().filter(name=name).first()
        if node is None or (node.pid, node.host) != (process["pid"], process["host"]):
            started = {"started_at": now, "applied_at": now}
        else:
            started = {"applied_at": now} if (node.apply_count, node.revision) != (apply_count, stored) else {}
        RunningNode.objects.update_or_create(
            name=name,
            defaults={
                **process,
                **started,
                "apply_count": apply_count,
                "revision": stored,
                "source": source[:500],
                "problem": problem,
                "services": list(services),
                "operator_salt": operator_salt,
                "sessions": list(sessions),
                "cluster": dict(cluster or {}),
                "seen_at": now,
            },
        )
        RunningNode.objects.filter(seen_at__lt=now - FORGET_AFTER).delete()


def forget(name: str) -> None:
    """Delete the report of a node that has ended."""
    RunningNode.objects.filter(name=name).delete()


def running() -> list[NodeStatus]:
    """Return the status of each node that has reported during the last minute, ordered by name.

    Raises NoDatabase if there is no database.
    """
    require_database()
    now, current = timezone.now(), revision_stored()
    found = list(RunningNode.objects.filter(seen_at__gt=now - HIDE_AFTER).order_by("name"))
    ages = {node.name: max(timedelta(), now - node.seen_at) for node in found}
    reporters = [node for node in found if ages[node.name] <= STALE_AFTER]
    return [
        NodeStatus(
            node,
            ages[node.name],
            is_stale=ages[node.name] > STALE_AFTER,
            is_current=None if node.revision is None else node.revision == current,
            cluster=cluster_view(node, reporters),
        )
        for node in found
    ]
