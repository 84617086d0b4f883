"""Helpers for tests: a whole router in memory, without a loop, a socket or a clock of its own."""

from .memory import MemoryNode, MemoryPeer, anonymous_options

__all__ = ["MemoryNode", "MemoryPeer", "anonymous_options"]
