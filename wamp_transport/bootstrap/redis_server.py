"""Check whether the Redis server of a cluster is suitable."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

CONNECT_SECONDS: Final = 3.0
MIN_VERSION: Final = (6, 2)
LOCAL_HOSTS: Final = ("", "localhost", "127.0.0.1", "::1")


class RedisFindings(Struct):
    """The result of checking a Redis server.

    - ``fault``: why the server cannot be used; empty if it can
    - ``warning``: a problem with the options of the server; empty if there is none
    - ``is_unreachable``: whether the server could not be checked, because it cannot be reached; ``fault`` is the reason
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
    """Return a sentence about the protection that the connection to a Redis server lacks; empty if it lacks none.

    Connections to a server on the same host need no protection.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix" or (parts.hostname or "") in LOCAL_HOSTS:
        return ""
    missing = ["a password"] if not parts.password and "password=" not in parts.query else []
    missing += ["TLS"] if parts.scheme != "rediss" else []
    return (
        f"The cluster connects to Redis on {parts.hostname} without {' and without '.join(missing)}" if missing else ""
    )
