"""Peers that announce features."""

from typing import Any

from wamp_transport.testing.memory import MemoryNode, MemoryPeer

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


def open_calls(node: MemoryNode) -> int:
    """Return the number of calls that the router has on record, at either end."""
    return sum(len(session.calls) + len(session.invocations) for session in node.router.sessions.values())
