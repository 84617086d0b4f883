import pytest

from wamp_transport.router.matching import PatternIndex

PATTERNS = [
    ("exact", "a.b"), ("prefix", "a."), ("prefix", "a.b"), ("prefix", ""), ("wildcard", "a."), ("wildcard", ".b"),
    ("wildcard", "."), ("wildcard", "a.b"), ("wildcard", "a..c"),
]  # fmt: skip


@pytest.fixture
def index():
    index = PatternIndex()
    for pattern in PATTERNS:
        index.put(*pattern, pattern)
    return index


@pytest.mark.parametrize("pattern", PATTERNS)
def test_value_is_found_by_its_pattern(index, pattern):
    assert index.get(*pattern) == pattern
    assert len(index) == len(PATTERNS)


@pytest.mark.parametrize("pattern", [("exact", "a."), ("prefix", "a"), ("wildcard", "a.x"), ("wildcard", "a")])
def test_nothing_is_found_for_another_pattern(index, pattern):
    assert index.get(*pattern) is None
    index.remove(*pattern)
    assert len(index) == len(PATTERNS)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_value_may_be_replaced_and_removed(index, pattern):
    index.put(*pattern, "new")
    assert index.get(*pattern) == "new"
    assert len(index) == len(PATTERNS)
    index.remove(*pattern)
    assert index.get(*pattern) is None
    assert len(index) == len(PATTERNS) - 1
    index.remove(*pattern)
    assert len(index) == len(PATTERNS) - 1


def test_all_removed_leaves_nothing(index):
    for pattern in PATTERNS:
        index.remove(*pattern)
    assert len(index) == 0
    assert not index._shapes
    assert not index._shapes_by_mask
    assert not index._lengths
    assert index.best("a.b") is None
    assert index.patterns("a.b") == []


def test_best_is_exact_then_longest_prefix_then_wildcard_with_literals_in_front(index):
    found = []
    while (best := index.best("a.b")) is not None:
        found.append(best)
        index.remove(*best)
    assert found == [
        ("exact", "a.b"), ("prefix", "a.b"), ("prefix", "a."), ("prefix", ""), ("wildcard", "a.b"), ("wildcard", "a."),
        ("wildcard", ".b"), ("wildcard", "."),
    ]  # fmt: skip


def test_patterns_are_all_that_cover_in_order_of_precedence(index):
    assert index.patterns("a.b") == [
        ("prefix", "a.b"), ("prefix", "a."), ("prefix", ""), ("wildcard", "a.b"), ("wildcard", "a."),
        ("wildcard", ".b"), ("wildcard", "."),
    ]  # fmt: skip
    assert index.patterns("z") == [("prefix", "")]


def test_empty_component_in_a_uri_is_matched_by_no_wildcard(index):
    assert ("wildcard", "a.") not in index.patterns("a.")
    assert ("wildcard", ".") not in index.patterns(".b")


def test_work_does_not_depend_on_the_number_of_patterns_or_their_components():
    """All patterns agree with the URI in all components but the last."""
    index = PatternIndex()
    for count in (2, 64):
        for number in range(1000):
            index.put("wildcard", ".".join([*["a"] * (count - 2), "", f"z{number}"]), number)
    assert [len(shapes) for shapes in index._shapes.values()] == [1, 1]
    assert index.patterns(".".join(["a"] * 63 + ["z7"])) == [7]
    assert index.patterns(".".join(["a"] * 64)) == []


def test_uri_with_other_numbers_of_components_is_not_taken_apart(index):
    class Unsplittable(str):
        def split(self, *args):
            raise AssertionError

    assert index.patterns(Unsplittable("a" * 3 + "." * 100)) == [("prefix", "")]


def test_prefixes_alone_are_enough():
    index = PatternIndex()
    index.put("prefix", "a", 1)
    index.put("prefix", "b", 2)
    assert index.patterns("b.c") == [2]
    assert index.best("c") is None
    index.remove("prefix", "a")
    assert index.best("b.c") == 2
    index.put("prefix", "b.", 3)
    assert index.patterns("b.c") == [3, 2]


def test_wildcards_alone_are_enough():
    index = PatternIndex()
    index.put("wildcard", "a..c", 1)
    assert index.best("a.b.c") == 1
    assert index.patterns("a.b.c") == [1]
    assert index.best("a.b") is None


def test_deep_patterns_need_no_deep_stack():
    index = PatternIndex()
    index.put("wildcard", ".".join(["a", ""] * 50_000), 1)
    uri = ".".join("a" * 100_000)
    assert index.best(uri) == 1
    assert index.patterns(uri) == [1]


def test_all_values_of_a_uri_come_in_order_of_precedence(index):
    patterns = index.patterns("a.b")
    assert index.find_all("a.b") == [("exact", "a.b"), *patterns]
    assert index.find_all("a.x") == index.patterns("a.x")
    assert index.find_all("a.x")[0] == ("prefix", "a.")
