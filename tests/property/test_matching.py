"""The index of patterns answers as one that looks at all patterns in turn."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from wamp_transport.router.matching import PatternIndex

from ..effort import examples
from .naive.rights import covers, precedence
from .strategies import patterns, uris


class IndexMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.index = PatternIndex()
        self.model = {}

    @rule(pattern=patterns, value=st.integers(1, 99))
    def put(self, pattern, value):
        self.index.put(*pattern, (pattern, value))
        self.model[pattern] = (pattern, value)

    @rule(pattern=patterns)
    def remove(self, pattern):
        self.index.remove(*pattern)
        self.model.pop(pattern, None)

    @rule(data=st.data())
    def remove_one_that_is_there(self, data):
        if self.model:
            self.remove(data.draw(st.sampled_from(sorted(self.model))))

    @rule(pattern=patterns)
    def get(self, pattern):
        assert self.index.get(*pattern) == self.model.get(pattern)

    @rule(uri=uris | patterns.map(lambda pattern: pattern[1]))
    def match(self, uri):
        covering = sorted((each for each in self.model if covers(*each, uri)), key=lambda each: precedence(*each))
        expected = [self.model[each] for each in covering]
        assert self.index.best(uri) == (expected[0] if expected else None)
        assert self.index.patterns(uri) == [each for each in expected if each[0][0] != "exact"]

    @invariant()
    def counts(self):
        assert len(self.index) == len(self.model)
        if not any(match == "wildcard" for match, _ in self.model):
            assert not self.index._shapes
            assert not self.index._shapes_by_mask


TestIndex = IndexMachine.TestCase
TestIndex.settings = settings(max_examples=examples(12), stateful_step_count=40, deadline=None)
