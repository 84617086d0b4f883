"""Every scenario runs over every serializer, on a router in memory; ``pytest`` alone runs it over one."""

from collections.abc import Callable

import pytest

from wamp_transport.testing.memory import MemoryNode, MemoryPeer, anonymous_options


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    has_own = any("serializer" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "serializer" in metafunc.fixturenames and not has_own:
        is_short = "not long" in metafunc.config.option.markexpr
        metafunc.parametrize("serializer", ["json"] if is_short else ["json", "msgpack", "cbor"])


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
