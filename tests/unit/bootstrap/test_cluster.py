"""How a process joins the cluster in the settings."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.redis_server import redis_process
from wamp_transport.bootstrap.cluster import NodeCluster, SharedStoresPart, cluster_to_join, other_leases
from wamp_transport.bootstrap.redis_server import RedisFindings
from wamp_transport.cluster.ledger.layout import MemberRecord
from wamp_transport.cluster.ledger.scripts import COMMANDS as SCRIPT_COMMANDS
from wamp_transport.cluster.ledger.table import LedgerTable
from wamp_transport.cluster.member import COMMANDS
from wamp_transport.conf import ClusterSettings
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.reader import read_mapping
from wamp_transport.config.report import ConfigError
from wamp_transport.node.node import Node
from wamp_transport.router.options import RouterOptions

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "cluster.md"


def configured(**cookies: dict[str, Any] | None) -> Configuration:
    paths = {name: {"type": "websocket", "cookie": cookie} for name, cookie in cookies.items()}
    worker = {"type": "router", "transports": [{"type": "web", "paths": paths}]}
    return read_mapping({"version": 2, "workers": [worker]}, Path())


def test_stores_that_nodes_do_not_share_are_refused() -> None:
    file, memory = {"store": {"type": "file", "filename": "c"}}, {"store": {"type": "memory"}}
    with pytest.raises(ConfigError) as refusal:
        asyncio.run(SharedStoresPart().prepare(configured(a=file, b=memory, c=None, d={})))
    assert [fault.path for fault in refusal.value.report.faults] == [
        f"workers[0].transports[0].paths.{name}.cookie.store.type" for name in ("a", "b")
    ]
    asyncio.run(SharedStoresPart().prepare(configured(c=None, d={})))


def test_cookies_need_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a database, cookies are kept in memory."""
    monkeypatch.setattr("wamp_transport.bootstrap.cluster.has_database", lambda: False)
    with pytest.raises(ConfigError, match="type 'memory'"):
        asyncio.run(SharedStoresPart().prepare(configured(d={})))


def test_project_s_tests_never_join(settings: Any) -> None:
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "a b"}}
    assert cluster_to_join() is None


async def join(url: str, **attributes: Any) -> str:
    """Join a cluster alone, and return the status."""
    node = Node(RouterOptions(), asyncio.get_running_loop(), is_clustered=True)
    cluster = NodeCluster(ClusterSettings("shop", url, "key"), node, "host:1")
    await cluster.join(configured())
    status = cluster.status
    await cluster.leave()
    return status


def test_invalid_url_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"\['CLUSTER'\]\['URL'\]"):
        asyncio.run(join("redis://127.0.0.1:x"))


@pytest.mark.long
def test_status_has_no_password() -> None:
    with redis_process(requirepass="secret") as redis:
        status = asyncio.run(join(redis.url.replace("unix://", "unix://:secret@")))
        assert status == f'cluster "shop": joined 0 other nodes at {redis.url}'


def test_different_leases_are_reported() -> None:
    table = LedgerTable("a")
    for name, lease in (("a:1", 10_000), ("b:2", 12_500)):
        table.members[name] = msgspec.msgpack.encode(MemberRecord(name, (1, 1), lease))
    table.members["later"] = b"another kind of record"
    (text,) = other_leases(table, 10_000)
    assert text.startswith("Node b:2 of the cluster has the LEASE 12.5 s, but this node has 10 s")
    assert list(other_leases(None, 10_000)) == []


def test_documented_permissions_suffice_and_are_no_more_than_needed() -> None:
    line = next(line for line in DOCUMENTATION.read_text().splitlines() if "ACL SETUSER" in line)
    allowed = {word[1:].upper() for word in line.split() if word.startswith("+")}
    assert allowed == {*COMMANDS, *SCRIPT_COMMANDS, "SELECT", "INFO"}


def test_server_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "wamp_transport.bootstrap.cluster.inspect_redis", lambda url: RedisFindings(fault="Redis 5.0 is too old")
    )
    with pytest.raises(ImproperlyConfigured, match=r"Redis 5\.0 is too old \(redis://redis\.example/1\)"):
        asyncio.run(join("redis://:secret@redis.example/1"))
