import msgspec
import pytest

from wamp_transport.cluster.ledger.layout import MemberRecord
from wamp_transport.cluster.protocol_versions import common_version, decode_record, supported_versions


def record(lowest: int, highest: int) -> bytes:
    return msgspec.msgpack.encode(MemberRecord("host:1", (lowest, highest), 10_000))


@pytest.mark.parametrize(("own", "lowest", "highest", "expected"), [
    (range(1, 2), 1, 1, 1),
    (range(1, 3), 1, 1, 1),
    (range(1, 3), 1, 2, 2),
    (range(1, 3), 2, 5, 2),
    (range(2, 5), 1, 3, 3),
    (range(1, 2), 2, 3, None),
    (range(3, 4), 1, 2, None),
    (range(1, 2), 3, 2, None),
])  # fmt: skip
def test_highest_version_that_both_support(own: range, lowest: int, highest: int, expected: int | None) -> None:
    assert common_version(own, record(lowest, highest)) == expected


def test_record_with_later_fields_is_known() -> None:
    data = msgspec.msgpack.encode(["host:1", [1, 2], 10_000, [], {"later": True}])
    assert decode_record(data) == MemberRecord("host:1", (1, 2), 10_000)
    assert common_version(range(1, 2), data) == 1


@pytest.mark.parametrize("data", [b"", b"\xff", msgspec.msgpack.encode({"name": "host:1"})])
def test_record_of_another_kind_has_no_common_version(data: bytes) -> None:
    assert decode_record(data) is None
    assert common_version(range(1, 2), data) is None


def test_supported_versions() -> None:
    assert list(supported_versions(MemberRecord("host:1", (2, 3), 10_000))) == [2, 3]
