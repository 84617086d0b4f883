"""Index URI patterns: exact, prefix and wildcard. Broker, dealer and permissions share this index.

An exact match takes one lookup. Prefixes take one lookup for each length in use, wildcards a walk through a tree of
components. Neither depends on the number of patterns.
Section of the specification: Advanced Profile, "Pattern-based Registrations" (precedence).
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from .options import Match

T = TypeVar("T")


class _Node(Generic[T]):
    """A component of wildcard patterns.

    It has the components that may follow, and the value of the pattern that ends with it.
    """

    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.value: T | None = None


class PatternIndex(Generic[T]):
    """An index of values by pattern. Each pattern, a pair of match policy and URI, has one value."""

    __slots__ = ("_lengths", "_prefixes", "_wildcard_count", "_wildcards", "exact")

    def __init__(self) -> None:
        self.exact: dict[str, T] = {}
        self._prefixes: dict[str, T] = {}
        self._lengths: dict[int, int] = {}
        self._wildcards: _Node[T] = _Node()
        self._wildcard_count = 0

    def __len__(self) -> int:
        return len(self.exact) + len(self._prefixes) + self._wildcard_count

    def get(self, match: Match, uri: str) -> T | None:
        """Return the value of exactly this pattern."""
        if match == "exact":
            return self.exact.get(uri)
        if match == "prefix":
            return self._prefixes.get(uri)
        node = self._wildcards
        for component in uri.split("."):
            if component not in node.children:
                return None
            node = node.children[component]
        return node.value

    def put(self, match: Match, uri: str, value: T) -> None:
        """Set the value of a pattern."""
        if match == "exact":
            self.exact[uri] = value
        elif match == "prefix":
            if uri not in self._prefixes:
                self._count_length(len(uri), 1)
            self._prefixes[uri] = value
        else:
            node = self._wildcards
            for component in uri.split("."):
                child = node.children.get(component)
                if child is None:
                    child = node.children[component] = _Node()
                node = child
            self._wildcard_count += node.value is None
            node.value = value

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
        """Return the value for a URI, from the pattern with the highest precedence.

        An exact pattern comes first, then the longest prefix, then the wildcard whose literals come first.
        """
        value = self.exact.get(uri)
        if value is None and self._lengths:
            value = self._longest_prefix(uri)
        if value is None and self._wildcard_count:
            value = next(_walk(self._wildcards, uri.split(".")), None)
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
            found.extend(_walk(self._wildcards, uri.split(".")))
        return found

    def find_covering(self, match: Match, pattern: str) -> list[T]:
        """Return the values of prefixes and wildcards that match all URIs of ``pattern``, in order of precedence."""
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
        return [*self._matching_prefixes(literal), *_walk(self._wildcards, components, is_pattern=True)]

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
            # Longest first: the first hit is the best.
            self._lengths = dict(sorted(lengths.items(), reverse=True))

    def _remove_wildcard(self, components: list[str]) -> None:
        path = [self._wildcards]
        for component in components:
            node = path[-1].children.get(component)
            if node is None:
                return
            path.append(node)
        node = path.pop()
        self._wildcard_count -= node.value is not None
        node.value = None
        while path and node.value is None and not node.children:
            node = path.pop()
            del node.children[components[len(path)]]


def _walk(root: _Node[T], components: list[str], *, is_pattern: bool = False) -> Iterator[T]:
    """Yield the values below ``root`` that match, literals before wildcards at each component.

    If ``is_pattern``, the components are a pattern themselves: yield only values that match all of its URIs. The walk
    is iterative, because clients choose the number of components.
    """
    depths = len(components)
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        if depth == depths:
            if node.value is not None:
                yield node.value
            continue
        component = components[depth]
        # An empty component in a pattern matches exactly one component that is not empty.
        if component or is_pattern:
            children = node.children
            wildcard = children.get("")
            if wildcard is not None:
                stack.append((wildcard, depth + 1))
            literal = children.get(component) if component else None
            if literal is not None:
                stack.append((literal, depth + 1))
