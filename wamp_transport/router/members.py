"""Assign bits to the other nodes of a cluster, so that sets of nodes can be represented as integers.

The bit of a node is an integer with exactly one binary digit 1. A set of nodes is an integer that contains the bits of
these nodes. Such a set takes little memory, and two sets are joined with ``|``.
"""

from typing import Final

MAX_CACHED_SETS: Final = 1000
"""Maximum number of sets whose names are cached."""


class Members:
    """The other nodes of the cluster, by name.

    A node that is added later can get the bit of a node that was removed. A node is *silent* if nothing has been
    received from it for some time, although it is still a member. Nothing waits for silent nodes, and new calls prefer
    other nodes.
    """

    __slots__ = ("_bits", "_names", "everyone", "silent")

    def __init__(self) -> None:
        self.everyone = 0
        """The set of all other nodes."""
        self.silent = 0
        """The set of all silent nodes."""
        self._bits: dict[str, int] = {}
        self._names: dict[int, tuple[str, ...]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._bits

    def add(self, name: str) -> int:
        """Add a node and return its bit. Raises ValueError if it was already added."""
        if name in self._bits:
            raise ValueError(f"node {name!r} was already added")
        bit = ~self.everyone & (self.everyone + 1)  # the lowest bit that no node has
        self._bits[name] = bit
        self.everyone |= bit
        self._names.clear()
        return bit

    def remove(self, name: str) -> int:
        """Remove a node and return the bit that it had; 0 if there is no such node."""
        bit = self._bits.pop(name, 0)
        self.everyone &= ~bit
        self.silent &= ~bit
        self._names.clear()
        return bit

    def is_silent(self, name: str) -> bool:
        """Return whether a node is silent. Return False if there is no such node."""
        return bool(self._bits.get(name, 0) & self.silent)

    def set_silent(self, name: str, is_silent: bool) -> None:
        """Set whether a node is silent. Do nothing if there is no such node."""
        bit = self._bits.get(name, 0)
        self.silent = self.silent | bit if is_silent else self.silent & ~bit

    def bit(self, name: str) -> int:
        """Return the bit of a node; 0 if there is no such node."""
        return self._bits.get(name, 0)

    def names(self, members: int) -> tuple[str, ...]:
        """Return the names of the nodes in a set, in the order in which they were added."""
        names = self._names.get(members)
        if names is None:
            names = tuple(name for name, bit in self._bits.items() if bit & members)
            if len(self._names) >= MAX_CACHED_SETS:
                self._names.clear()
            self._names[members] = names
        return names
