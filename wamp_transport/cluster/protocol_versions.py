"""Choose the version of the protocol in which two nodes exchange messages.

The ledger has a record of each member with the lowest and the highest version that the member supports. Two nodes use
the highest version that both support. If there is none, they exchange no messages. During a rolling upgrade, the nodes
of both releases are members of the same cluster.
"""

import msgspec

from .ledger.layout import MemberRecord


def supported_versions(record: MemberRecord) -> range:
    """Return the versions that a member supports."""
    lowest, highest = record.protocols
    return range(lowest, highest + 1)


def decode_record(data: bytes) -> MemberRecord | None:
    """Return the record of a member; None if it has a form that only later releases can decode."""
    try:
        return msgspec.msgpack.decode(data, type=MemberRecord)
    except msgspec.DecodeError:
        return None


def describe_versions(protocols: tuple[int, int] | None) -> str:
    """Return the lowest and the highest version as text, such as ``2 to 3``; ``unknown`` for None."""
    if protocols is None:
        return "unknown"
    lowest, highest = protocols
    return str(lowest) if lowest == highest else f"{lowest} to {highest}"


def common_version(own: range, data: bytes) -> int | None:
    """Return the highest common version with a peer whose encoded record is ``data``; None if there is none.

    ``own`` are the versions that this node supports.
    """
    record = decode_record(data)
    versions = range(0) if record is None else supported_versions(record)
    return max((version for version in own if version in versions), default=None)
