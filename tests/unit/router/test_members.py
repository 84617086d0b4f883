import pytest

from wamp_transport.router.members import MAX_CACHED_SETS, Members


def test_sets_of_nodes_are_integers():
    members = Members()
    a, b, c = (members.add(name) for name in "abc")
    assert members.everyone == a | b | c
    assert len({a, b, c}) == 3
    assert members.names(a | c) == ("a", "c")
    assert members.names(0) == ()
    assert members.bit("b") == b
    assert members.bit("x") == 0
    assert "b" in members
    assert "x" not in members


def test_bit_of_a_removed_node_is_used_again():
    members = Members()
    for name in "abc":
        members.add(name)
    assert members.names(members.everyone) == ("a", "b", "c")
    bit = members.remove("b")
    assert members.remove("b") == 0
    assert members.names(members.everyone) == ("a", "c")
    assert members.add("d") == bit
    assert members.names(bit) == ("d",)
    assert members.names(members.everyone) == ("a", "c", "d")


def test_node_cannot_be_added_twice():
    members = Members()
    members.add("a")
    with pytest.raises(ValueError, match="'a' was already added"):
        members.add("a")


def test_cache_of_names_is_bounded():
    members = Members()
    for number in range(11):
        members.add(str(number))
    for each in range(members.everyone):
        members.names(each)
    assert len(members._names) <= MAX_CACHED_SETS


def test_silent_nodes_are_a_set():
    members = Members()
    a, b = members.add("a"), members.add("b")
    assert not members.is_silent("a")
    for _ in range(2):
        members.set_silent("a", True)
        members.set_silent("x", True)
        assert members.silent == a
        assert [members.is_silent(name) for name in "abx"] == [True, False, False]
    members.set_silent("b", True)
    members.set_silent("a", False)
    assert members.silent == b


def test_node_with_the_bit_of_a_silent_one_is_not_silent():
    members = Members()
    members.add("a")
    members.set_silent("a", True)
    members.remove("a")
    members.add("b")
    assert not members.silent
    assert not members.is_silent("b")
