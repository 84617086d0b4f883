"""An index of URI patterns (exact, prefix and wildcard), which broker, dealer and permissions use.

Finding the patterns that match a URI takes only a few dictionary look-ups, however many patterns are stored:

- exact patterns: one look-up
- prefixes: one look-up for each different length of a stored prefix
- wildcards: one look-up for each different set of wildcard positions, among the stored patterns with as many components
  as the URI

The cost of a single look-up depends only on the URI, not on the number of patterns.
See the WAMP specification, Advanced Profile, "Pattern-based Registrations", for the order of precedence.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from .options import Match

T = TypeVar("T")

MAX_SHAPES: Final = 256
"""Maximum number of different sets of wildcard positions, among clients' patterns with the same number of components.

Each additional set makes look-ups slower. Patterns with up to eight components cannot exceed this number, because eight
positions have only 256 subsets.
"""


class _Shape(Generic[T]):
    """A group of wildcard patterns that have the same number of components, and wildcards at the same positions.

    ``literals`` returns the components of a URI at the positions without wildcards. ``values`` maps the literal
    components of each pattern to its value. Literal components are never empty, so an empty component of a URI matches
    none of them.
    """

    __slots__ = ("literals", "values")

    def __init__(self, mask: str) -> None:
        places = [place for place, kind in enumerate(mask) if kind == LITERAL]
        self.literals: Callable[[Sequence[str]], Any] = itemgetter(*places) if places else _nothing
        self.values: dict[Any, T] = {}


LITERAL, WILDCARD = "01"
"""The characters of a mask, a text with one character for each component of a pattern.

Sorted masks are in the order of precedence. A mask is not a number, because clients choose the patterns, and could
choose them so that the hashes of numbers collide.
"""


def _mask(components: Sequence[str]) -> str:
    return "".join([LITERAL if component else WILDCARD for component in components])


def _nothing(components: Sequence[str]) -> tuple[()]:
    return ()


class PatternIndex(Generic[T]):
    """An index with one value for each pattern. A pattern consists of a match policy and a URI.

    Wildcard patterns are grouped in shapes; see :class:`_Shape`. The mask of a shape is a text that shows which of the
    components are wildcards. ``_shapes`` maps each number of components to a list of ``(mask, shape)`` tuples in
    order of precedence. ``_shapes_by_mask`` maps each mask to its shape. A shape without values is removed from both.
    """

    __slots__ = ("_lengths", "_prefixes", "_shapes", "_shapes_by_mask", "_wildcard_count", "exact")

    def __init__(self) -> None:
        self.exact: dict[str, T] = {}
        self._prefixes: dict[str, T] = {}
        self._lengths: dict[int, int] = {}
        self._shapes: dict[int, list[tuple[str, _Shape[T]]]] = {}
        self._shapes_by_mask: dict[str, _Shape[T]] = {}
        self._wildcard_count = 0

    def __len__(self) -> int:
        return len(self.exact) + len(self._prefixes) + self._wildcard_count

    def get(self, match: Match, uri: str) -> T | None:
        """Return the value of exactly this pattern, or None if the index does not contain the pattern."""
        if match == "exact":
            return self.exact.get(uri)
        if match == "prefix":
            return self._prefixes.get(uri)
        components = uri.split(".")
        shape = self._shapes_by_mask.get(_mask(components))
        return None if shape is None else shape.values.get(shape.literals(components))

    def has_room(self, match: Match, uri: str) -> bool:
        """Return whether a client may add this pattern without exceeding :data:`MAX_SHAPES`."""
        if match != "wildcard":
            return True
        mask = _mask(uri.split("."))
        return mask in self._shapes_by_mask or len(self._shapes.get(len(mask), ())) < MAX_SHAPES

    def put(self, match: Match, uri: str, value: T) -> None:
        """Set the value of a pattern."""
        if match == "exact":
            self.exact[uri] = value
        elif match == "prefix":
            if uri not in self._prefixes:
                self._count_length(len(uri), 1)
            self._prefixes[uri] = value
        else:
            self._put_wildcard(uri.split("."), value)

    def remove(self, match: Match, uri: str) -> None:
        """Remove a pattern, if present."""
        if match == "exact":
            self.exact.pop(uri, None)
        elif match == "prefix":
            if self._prefixes.pop(uri, None) is not None:
                self._count_length(len(uri), -1)
        else:
            self._remove_wildcard(uri.split("."))

    def best(self, uri: str) -> T | None:
        """Return the value of the matching pattern with the highest precedence, or None if no pattern matches.

        The exact pattern comes first, then the longest prefix, then the wildcard patterns. Of two wildcard patterns,
        the one with a literal at the first component in which they differ comes first.
        """
        value = self.exact.get(uri)
        if value is None and self._lengths:
            value = self._longest_prefix(uri)
        if value is None and self._wildcard_count:
            value = next(self._matching_wildcards(uri), None)
        return value

    def find_all(self, uri: str) -> list[T]:
        """Return the values of all patterns that match ``uri``: the exact one, then those of :meth:`patterns`."""
        exact = self.exact.get(uri)
        patterns = self.patterns(uri)
        return patterns if exact is None else [exact, *patterns]

    def patterns(self, uri: str) -> list[T]:
        """Return the values of all prefixes and wildcards that match ``uri``, in order of precedence."""
        found = self._matching_prefixes(uri) if self._lengths else []
        if self._wildcard_count:
            found.extend(self._matching_wildcards(uri))
        return found

    def find_covering(self, match: Match, pattern: str) -> list[T]:
        """Return the values of the prefixes and wildcards that match all URIs that ``pattern`` matches.

        For example, the prefix ``com.shop.`` covers the wildcard ``com.shop..price``. The values are in order of
        precedence.
        """
        if match == "prefix":
            return self._matching_prefixes(pattern)
        components = pattern.split(".")
        literal = ""
        for component in components:
            if not component:
                break
            literal += component + "."
        else:
            literal = pattern
        return [*self._matching_prefixes(literal), *self._matching_wildcards(pattern, is_pattern=True)]

    def _longest_prefix(self, uri: str) -> T | None:
        size = len(uri)
        for length in self._lengths:
            if length <= size and (value := self._prefixes.get(uri[:length])) is not None:
                return value
        return None

    def _matching_prefixes(self, uri: str) -> list[T]:
        find = self._prefixes.get
        size = len(uri)
        return [value for length in self._lengths if length <= size and (value := find(uri[:length])) is not None]

    def _count_length(self, length: int, change: int) -> None:
        lengths = self._lengths
        is_new = length not in lengths
        lengths[length] = lengths.get(length, 0) + change
        if not lengths[length]:
            del lengths[length]
        elif is_new:
            # Longest first, so that the first prefix that matches has the highest precedence.
            self._lengths = dict(sorted(lengths.items(), reverse=True))

    def _matching_wildcards(self, uri: str, *, is_pattern: bool = False) -> Iterator[T]:
        """Yield the values of the wildcard patterns that match ``uri``, in order of precedence.

        If ``is_pattern`` is true, ``uri`` is itself a wildcard pattern. In this case, yield the values of the patterns
        that match all URIs which ``uri`` matches. Otherwise, no pattern matches a URI with an empty component, because
        a wildcard stands for one component that is not empty.
        """
        # Do this before splitting the URI, because a client can send a URI of any length.
        shapes = self._shapes.get(uri.count(".") + 1)
        if shapes is None:
            return
        components = uri.split(".")
        if "" in components and not is_pattern:
            return
        for _, shape in shapes:
            value = shape.values.get(shape.literals(components))
            if value is not None:
                yield value

    def _put_wildcard(self, components: list[str], value: T) -> None:
        mask = _mask(components)
        shape = self._shapes_by_mask.get(mask)
        if shape is None:
            shape = self._shapes_by_mask[mask] = _Shape(mask)
            insort(self._shapes.setdefault(len(mask), []), (mask, shape))
        literals = shape.literals(components)
        self._wildcard_count += literals not in shape.values
        shape.values[literals] = value

    def _remove_wildcard(self, components: list[str]) -> None:
        mask = _mask(components)
        shape = self._shapes_by_mask.get(mask)
        if shape is None or shape.values.pop(shape.literals(components), None) is None:
            return
        self._wildcard_count -= 1
        if not shape.values:
            del self._shapes_by_mask[mask]
            shapes = self._shapes[len(mask)]
            del shapes[bisect_left(shapes, mask, key=itemgetter(0))]
            if not shapes:
                del self._shapes[len(mask)]
