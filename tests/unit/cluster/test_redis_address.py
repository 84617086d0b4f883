from typing import Any

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection

from wamp_transport.cluster.redis_address import RedisAddress


def options(url: str) -> dict[str, Any]:
    connection = RedisAddress(url).make_connection()
    names = ("host", "port", "path", "db", "username", "password", "protocol", "socket_timeout")
    return {name: getattr(connection, name) for name in names if hasattr(connection, name)}


def test_options_come_from_the_url() -> None:
    assert options("redis://ann:s%20x@example.com:7000/3") == {
        "host": "example.com",
        "port": 7000,
        "db": 3,
        "username": "ann",
        "password": "s x",
        "protocol": 2,
        "socket_timeout": None,
    }
    assert options("unix:///run/redis.sock?db=2")["path"] == "/run/redis.sock"
    assert isinstance(RedisAddress("unix:///s").make_connection(), UnixDomainSocketConnection)
    assert isinstance(RedisAddress("rediss://example.com").make_connection(), SSLConnection)


def test_options_that_the_connections_need_cannot_be_changed() -> None:
    url = "redis://example.com?socket_timeout=1&protocol=3&decode_responses=1&health_check_interval=5"
    connection = RedisAddress(url).make_connection()
    assert connection.socket_timeout is None
    assert connection.protocol == 2
    assert not connection.encoder.decode_responses
    assert not connection.health_check_interval


@pytest.mark.parametrize("url", ["", "http://example.com", "redis://example.com?colour=red", "redis://example.com:x"])
def test_invalid_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError):
        RedisAddress(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@example.com:7000/1?x", "redis://example.com:7000/1"),
        ("rediss://example.com", "rediss://example.com"),
        ("unix://ann@/run/s?password=secret", "unix:///run/s"),
    ],
)
def test_address_is_shown_without_password(url: str, shown: str) -> None:
    assert str(RedisAddress(url.removesuffix("?x"))) == shown
