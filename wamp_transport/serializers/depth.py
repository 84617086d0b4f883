"""How deep values are nested."""

from itertools import accumulate, chain
from typing import Any

CONTAINERS = frozenset({list, tuple, dict})


def is_nested_deeper(value: Any, depth: int) -> bool:
    """Whether more than ``depth`` lists and dictionaries are inside each other, ``value`` itself counted.

    Level by level, without recursion: in a time that grows with the number of values.
    """
    level = [value] if type(value) in CONTAINERS else []
    for _ in range(depth):
        if not level:
            return False
        inside = chain.from_iterable(each.values() if type(each) is dict else each for each in level)
        level = [each for each in inside if type(each) in CONTAINERS]
    return bool(level)


def has_towers(brackets: bytes, depth: int) -> bool:
    """Whether more than ``depth`` pairs of brackets are inside each other in ``[`` and ``]`` that are balanced.

    What is innermost is taken away until nothing can be too deep; towers that stay are looked at one by one.
    """
    for level in range(8):
        if len(brackets) <= 2 * (depth - level):
            return False
        brackets = brackets.replace(b"[]", b"")
    steps = (1 if bracket == 0x5B else -1 for bracket in brackets)
    # Eight levels are gone, everywhere.
    return max(accumulate(steps), default=0) + 8 > depth
