"""Every scenario runs over every serializer, on a router in memory; ``pytest`` alone runs it over one."""

from collections.abc import Callable

import pytest

from wamp_transport.testing.memory import MemoryNode, MemoryPeer, anonymous_options


@pytest.fixture(params=["json", *(pytest.param(name, marks=pytest.mark.long) for name in ("msgpack", "cbor"))])
def serializer(request: pytest.FixtureRequest) -> str:
    """The name of the serializer that peers use."""
    return str(request.param)


@pytest.fixture
def node() -> MemoryNode:
    """A router with two realms in which everything is allowed."""
    return MemoryNode(anonymous_options("realm1", "realm2"))


@pytest.fixture
def peer(node: MemoryNode, serializer: str) -> MemoryPeer:
    """A peer before its HELLO."""
    return node.connect(serializer)


@pytest.fixture
def join(node: MemoryNode, serializer: str) -> Callable[[], MemoryPeer]:
    """Makes a peer with a session in ``realm1``."""
    return lambda: node.join("realm1", serializer)


@pytest.fixture
def alice(join: Callable[[], MemoryPeer]) -> MemoryPeer:
    """A peer in ``realm1``."""
    return join()


@pytest.fixture
def bob(join: Callable[[], MemoryPeer]) -> MemoryPeer:
    """Another peer in ``realm1``."""
    return join()
