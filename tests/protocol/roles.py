"""Peers that announce features."""

from typing import Any

from wamp_transport.router.router import Router
from wamp_transport.testing.memory import MemoryNode, MemoryPeer
from wamp_transport.testing.memory_cluster import MemoryCluster

CANCELING = ["call_canceling"]


def roles(**announced: list[str]) -> dict[str, Any]:
    """``HELLO.Details.roles`` with all roles, and features by role."""
    names = ("publisher", "subscriber", "caller", "callee")
    return {name: {"features": dict.fromkeys(announced.get(name, []), True)} for name in names}


def joined(node: MemoryNode, serializer: str, **announced: list[str]) -> MemoryPeer:
    """A peer in ``realm1`` that announced features by role."""
    peer = node.connect(serializer)
    peer.join("realm1", roles=roles(**announced))
    return peer


def open_calls(node: MemoryNode | MemoryCluster) -> int:
    """Return the number of calls that the routers have on record, at either end and for other nodes."""
    return sum(
        sum(len(session.calls) + len(session.invocations) for session in router.sessions.values())
        + remote_calls(router)
        for router in node.routers
    )


def remote_calls(router: Router) -> int:
    """Return the number of calls to and from other nodes."""
    realms = router.cluster.calls.realms.values() if router.cluster else ()
    return sum(len(node.sent) + len(node.received) for realm in realms for node in realm.nodes.values())
