"""Join the cluster that the project's settings define: several processes that form one router.

Redis connects the nodes of a cluster. See :mod:`wamp_transport.node.clustering` for what a node does in a cluster.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterator

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured

from ..cluster.keys import ClusterKeys
from ..cluster.ledger.layout import MemberRecord
from ..cluster.ledger.table import LedgerTable
from ..cluster.messages import PROTOCOLS
from ..cluster.node_state import NodeState
from ..cluster.protocol_versions import decode_record
from ..conf import SETTING_NAME, ClusterSettings, app_settings
from ..config.configuration import Configuration
from ..config.report import ConfigError, Problem, Report
from ..config.websocket import WebSocketSection
from ..node.clustering import Clustering
from ..node.membership import ClusterHandler, Membership
from ..node.node import Node
from ..stores.connections import has_database
from .plan import ConfigurationPart
from .redis_server import inspect_redis

logger = logging.getLogger(__name__)

UNSHARED_STORE = (
    "the nodes of a cluster do not share a cookie store of type {!r}, so a client would be unknown on other nodes"
)
USE_DATABASE = 'use a store of type "database", or remove the setting CLUSTER'


def cluster_to_join() -> ClusterSettings | None:
    """Return the settings of the cluster to join. Return None if there is no cluster, or if the project's tests run.

    Raises ImproperlyConfigured if the settings are invalid.
    """
    if _is_test_run():
        return None
    found = app_settings()
    if found.is_cluster_invalid:
        prefix = f"settings.{SETTING_NAME}['CLUSTER']"
        raise ImproperlyConfigured("; ".join(fault for fault in found.faults if fault.startswith(prefix)))
    return found.cluster


def find_url_fault(url: str) -> str:
    """Return an error message if the URL of the Redis server is invalid, otherwise an empty string."""
    # Imported here, so that a process without a cluster does not load the Redis library.
    from ..cluster.redis_address import RedisAddress  # noqa: PLC0415

    try:
        RedisAddress(url)
    except ValueError as error:
        return f"settings.{SETTING_NAME}['CLUSTER']['URL']: {error}"
    return ""


def _is_test_run() -> bool:
    """Return whether Django's ``setup_test_environment()`` was called, which sets both of these values."""
    return hasattr(mail, "outbox") and "testserver" in settings.ALLOWED_HOSTS


class NodeCluster:
    """The membership of this process in the cluster.

    ``node`` must have been created with ``is_clustered``. ``name`` is a human-readable name of the node. Raises
    ImproperlyConfigured if the URL of the Redis server is invalid.
    """

    def __init__(self, cluster: ClusterSettings, node: Node, name: str) -> None:
        from ..cluster.redis_address import RedisAddress  # noqa: PLC0415 - see find_url_fault()

        if fault := find_url_fault(cluster.url):
            raise ImproperlyConfigured(fault)
        self._address = RedisAddress(cluster.url)
        self._settings = cluster
        self._keys = ClusterKeys(cluster.name, cluster.key)
        self._name = name
        self._realms: tuple[str, ...] = ()
        self._lease = round(cluster.lease * 1000)
        self._table: LedgerTable | None = None
        self.clustering = Clustering(node, asyncio.get_running_loop(), self._begin)

    @property
    def status(self) -> str:
        """A text with the name of the cluster, the number of its other nodes, and the address of Redis."""
        count = self.clustering.peers
        nodes = f"{count} other node{'' if count == 1 else 's'}"
        return f'cluster "{self._settings.name}": joined {nodes} at {self._address}'

    def state(self) -> NodeState:
        """Return the state of this node in the cluster."""
        return self.clustering.state(self._settings.name, self._keys.prefix)

    async def join(self, configuration: Configuration) -> None:
        """Join the cluster. Retry while Redis cannot be reached.

        Raises ImproperlyConfigured if the Redis server cannot be used.
        """
        self._realms = tuple(realm.name for realm in configuration.realms)
        is_inspected = await self._inspect()
        await self.clustering.join()
        if not is_inspected:
            await self._inspect()
        for other in other_leases(self._table, self._lease):
            logger.warning("%s", other)
        logger.info("%s", self.status)

    async def leave(self) -> None:
        """Leave the cluster. Call this after the sessions of this node have ended."""
        await self.clustering.leave()

    def _begin(self, handler: ClusterHandler) -> Membership:
        from ..cluster.member import ClusterMember  # noqa: PLC0415 - see find_url_fault()

        record = MemberRecord(self._name, (PROTOCOLS[0], PROTOCOLS[-1]), self._lease, self._realms)
        node_id = secrets.token_hex(8)
        member = ClusterMember(self._address, self._keys, node_id, record, self._settings.lease, handler)
        self._table = member.table
        return member

    async def _inspect(self) -> bool:
        """Check the Redis server. Return False if it cannot be reached.

        Raises ImproperlyConfigured if the server cannot be used.
        """
        findings = await asyncio.to_thread(inspect_redis, self._settings.url)
        if findings.is_unreachable:
            return False
        if findings.fault:
            raise ImproperlyConfigured(f"{findings.fault} ({self._address})")
        if findings.warning:
            logger.warning("%s", findings.warning)
        return True


def other_leases(table: LedgerTable | None, lease: int) -> Iterator[str]:
    """Yield a sentence for each member whose lease differs from ``lease``, which is in milliseconds."""
    for data in () if table is None else table.members.values():
        record = decode_record(data)
        if record is not None and record.lease != lease:
            yield (
                f"Node {record.name} of the cluster has the LEASE {record.lease / 1000:g} s, but this node has "
                f"{lease / 1000:g} s: set the same value on all nodes"
            )


class SharedStoresPart(ConfigurationPart):
    """The part of a node in a cluster that refuses configurations with stores that other nodes cannot use."""

    name = "cluster"

    async def prepare(self, new: Configuration) -> None:
        """Refuse the configuration if it has cookie stores that the nodes of a cluster do not share."""
        problems = tuple(unshared_stores(new))
        if problems:
            raise ConfigError(Report(new.source, problems))

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Do nothing: all work is done in :meth:`prepare`."""


def unshared_stores(configuration: Configuration) -> Iterator[Problem]:
    """Yield a problem for each cookie store that the nodes of a cluster do not share."""
    for service in configuration.services:
        cookie = service.settings.cookie if isinstance(service.settings, WebSocketSection) else None
        if cookie is None:
            continue
        kind = cookie.store.type if has_database() else "memory"
        if kind != "database":
            yield Problem(f"{service.config_path}.cookie.store.type", UNSHARED_STORE.format(kind), USE_DATABASE)
