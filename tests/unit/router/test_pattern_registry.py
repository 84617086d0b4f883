import pytest

from wamp_transport.router import pattern_registry
from wamp_transport.router.pattern_registry import PatternRegistry
from wamp_transport.wamp.ids import stable_id


@pytest.fixture
def registry():
    return PatternRegistry("realm1", "subscription")


def add(registry, match, uri):
    """Add a record that is its id and URI."""
    return registry.create(match, uri, lambda record_id: (record_id, uri))


def test_record_is_found_by_pattern_and_by_id(registry):
    record = add(registry, "exact", "com.x")
    assert registry.index.get("exact", "com.x") is record
    assert registry.index.get("prefix", "com.x") is None
    assert registry.by_id == {record[0]: record}
    assert registry.index.exact == {"com.x": record}


def test_id_is_the_same_on_each_node(registry):
    record_id, _ = add(registry, "prefix", "com.")
    assert record_id == stable_id("realm1", "subscription", "prefix", "com.", 0)
    assert record_id != add(PatternRegistry("realm1", "registration"), "prefix", "com.")[0]
    assert record_id != add(PatternRegistry("realm2", "subscription"), "prefix", "com.")[0]


def test_id_that_is_taken_is_salted(registry, monkeypatch):
    monkeypatch.setattr(pattern_registry, "stable_id", lambda *parts: 7 + parts[-1])
    assert [add(registry, "exact", uri)[0] for uri in ("com.a", "com.b", "com.c")] == [7, 8, 9]


@pytest.mark.parametrize(("match", "uri"), [("exact", "com.x"), ("prefix", "com."), ("wildcard", "com..x")])
def test_removed_record_leaves_nothing(registry, match, uri):
    record_id, _ = add(registry, match, uri)
    registry.remove(record_id, match, uri)
    assert registry.index.get(match, uri) is None
    assert not registry.by_id
    assert not registry.index.find_all("com.x")
    with pytest.raises(KeyError):
        registry.remove(record_id, match, uri)
