"""Check whether the Redis server of a cluster is suitable."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

CONNECT_SECONDS: Final = 3.0
MIN_VERSION: Final = (6, 2)
LOCAL_HOSTS: Final = ("", "localhost", "127.0.0.1", "::1")


class RedisFindings(Struct):
    """What is wrong with a Redis server.

    ``fault`` is the reason why it cannot be used, and ``warning`` is a problem with its configuration. Both are empty
    if there is none. ``is_unreachable`` is true if the server could not be checked.
    """

    fault: str = ""
    warning: str = ""
    is_unreachable: bool = False


def inspect_redis(url: str) -> RedisFindings:
    """Connect to a Redis server and check its version and its options. This blocks for a few seconds at most."""
    # Imported here, so that a process without a cluster does not load the library.
    from redis import Redis  # noqa: PLC0415
    from redis.exceptions import ConnectionError as RedisConnectionError  # noqa: PLC0415
    from redis.exceptions import RedisError  # noqa: PLC0415
    from redis.exceptions import TimeoutError as RedisTimeoutError  # noqa: PLC0415

    try:
        with Redis.from_url(url, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS) as client:
            sections = [client.info(section) for section in ("server", "memory")]
    except (RedisConnectionError, RedisTimeoutError, OSError) as error:
        return RedisFindings(fault=str(error), is_unreachable=True)
    except RedisError:
        return RedisFindings()  # the command INFO is not allowed, for example
    return judge_redis({key: value for section in sections for key, value in dict(section).items()})


def judge_redis(info: Mapping[str, Any]) -> RedisFindings:
    """Check the version and the options in the answer to the command INFO."""
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if len(numbers) == 2 and numbers < MIN_VERSION:
        return RedisFindings(fault=f"Redis {version} is too old: a cluster needs Redis 6.2 or newer, or Valkey")
    policy = str(info.get("maxmemory_policy", ""))
    if policy.startswith("allkeys-"):
        return RedisFindings(
            warning=f"The Redis server of the cluster has the maxmemory-policy {policy}: when its memory is full, it "
            "deletes messages between the nodes and registrations. Use noeviction, or a server of its own."
        )
    return RedisFindings()


def find_unprotected(url: str) -> str:
    """Return how the connection to a Redis server is unprotected; an empty string if it is not.

    Connections to the same host need no protection against others.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix" or (parts.hostname or "") in LOCAL_HOSTS:
        return ""
    missing = ["a password"] if not parts.password and "password=" not in parts.query else []
    missing += ["TLS"] if parts.scheme != "rediss" else []
    return (
        f"The cluster connects to Redis on {parts.hostname} without {' and without '.join(missing)}" if missing else ""
    )
