"""Find and log members of the cluster with which this node cannot exchange messages.

Their releases of wampnode are too different: the two nodes have no version of the protocol in common.
"""

import logging
from collections.abc import Iterator

from ..cluster.node_state import IncompatibleMember
from ..cluster.protocol_versions import common_version, decode_record, describe_versions
from .membership import Membership

logger = logging.getLogger(__name__)


def incompatible_members(membership: Membership) -> Iterator[IncompatibleMember]:
    """Yield the members with which this node has no version of the protocol in common."""
    for node, data in membership.table.members.items():
        if node != membership.node_id and common_version(membership.link.protocols, data) is None:
            yield describe_member(node, data)


def describe_member(node: str, data: bytes) -> IncompatibleMember:
    """Return the member with the id ``node`` and the encoded record ``data``."""
    record = decode_record(data)
    return (
        IncompatibleMember(node, node, None)
        if record is None
        else IncompatibleMember(node, record.name, record.protocols)
    )


class IncompatibleMemberLog:
    """The log records about incompatible members. Each member is logged once."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def report(self, node: str, data: bytes, own: range) -> None:
        """Log the member with this id and record, unless it was logged before.

        ``own`` are the versions of the protocol that this node supports.
        """
        if node in self._logged:
            return
        self._logged.add(node)
        member = describe_member(node, data)
        logger.error(
            "Node %s cannot exchange messages with this node, because their releases of wampnode are too different "
            "(protocol %s, this node %s): events and calls do not reach the clients of that node. Use the same "
            "release on all nodes",
            *(member.name, describe_versions(member.protocols), describe_versions((own[0], own[-1]))),
        )
