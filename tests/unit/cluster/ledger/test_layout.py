import pytest

from wamp_transport.cluster.ledger.layout import (
    CalleeKey,
    CalleeRow,
    MemberRow,
    RegistrationKey,
    RegistrationRow,
    node_of,
    parse_callee_field,
    registration_of,
)

KEYS = [
    RegistrationKey("realm1", "exact", "com.example.add"),
    RegistrationKey("realm1", "prefix", ""),
    RegistrationKey("realm1", "wildcard", "com..é"),
    RegistrationKey("realm1", "exact", "com.\ud800"),
]


@pytest.mark.parametrize("key", KEYS)
def test_callee_field_can_be_parsed(key: RegistrationKey) -> None:
    callee = CalleeKey(key, "n1", 2**53)
    assert parse_callee_field(callee.field) == callee
    assert registration_of(callee.field) == key.field
    assert node_of(callee.field) == b"n1"


def test_space_in_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="contains a space"):
        _ = RegistrationKey("realm1", "exact", "a b").field


@pytest.mark.parametrize(
    "row",
    [
        RegistrationRow("roundrobin", 2, 7, "2026-01-01T00:00:00.000Z"),
        CalleeRow(3, 4, b"\x00 \xff"),
        CalleeRow(3, 4, b""),
        MemberRow(1000, 5, b" \x93 "),
    ],
)
def test_row_can_be_decoded(row: RegistrationRow | CalleeRow | MemberRow) -> None:
    assert type(row).decode(row.encode()) == row
