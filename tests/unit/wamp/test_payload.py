from wamp_transport.wamp.payload import ABSENT, positional


def test_positional_values_are_a_list():
    assert positional() == []
    assert positional("a", None, [1]) == ["a", None, [1]]


def test_absent_is_no_payload_at_all():
    assert bytes(ABSENT) == b""
