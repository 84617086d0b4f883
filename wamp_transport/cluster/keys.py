"""The names of the Redis keys of a cluster, and of the group for hints.

All keys of a cluster begin with the same prefix. It contains the cluster's name and a short code that is derived from
the name and a secret, such as Django's ``SECRET_KEY``. Therefore, projects with different secrets never share keys,
even if they use the same name.
"""

import hmac
import re
from hashlib import sha256
from typing import Final

LAYOUT: Final = 1
"""The version of the data in Redis. Releases with different versions cannot form one cluster."""

CODE_LENGTH: Final = 8
SALT: Final = b"wamp.cluster"
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ClusterKeys:
    """The Redis keys of one cluster.

    - ``members`` and ``rows``: the two hashes of the ledger; see :mod:`.ledger`
    - ``log``: the stream of the changes of the ledger
    """

    __slots__ = ("log", "members", "prefix", "rows")

    def __init__(self, name: str, secret: str | bytes) -> None:
        self.prefix = key_prefix(name, secret)
        self.members = f"{self.prefix}members"
        self.rows = f"{self.prefix}rows"
        self.log = f"{self.prefix}log"

    def inbox(self, node: str) -> str:
        """Return the key of the stream with the messages for a node."""
        return f"{self.prefix}in:{node}"


def key_prefix(name: str, secret: str | bytes) -> str:
    """Return the prefix of all keys of the cluster ``name``. Raises ValueError if the name is invalid.

    The part in braces is a hash tag: Redis Cluster stores all keys with the same hash tag on the same shard.
    """
    if NAME.fullmatch(name) is None:
        allowed = "1 to 64 ASCII letters, digits, dots, hyphens and underscores"
        raise ValueError(f"invalid cluster name {name!r}: a name consists of {allowed}")
    return f"{{wamp:{name}:{_code(name, secret)}}}:{LAYOUT}:"


def layout_of(prefix: str) -> str:
    """Return the version of the data in Redis that a prefix of :func:`key_prefix` contains."""
    return prefix.rstrip(":").rpartition(":")[2]


def differ_only_in_layout(prefix: str, other: str) -> bool:
    """Return whether two prefixes are those of one cluster in releases with different versions of the data in Redis."""
    return prefix != other and prefix.removesuffix(f"{layout_of(prefix)}:") == other.removesuffix(
        f"{layout_of(other)}:"
    )


def hint_group(secret: str | bytes) -> str:
    """Return the name of the channel layer's group for hints between the processes of a project.

    The module ``bootstrap/hints.py`` explains hints. Hints need no cluster, so the name depends only on the secret.
    """
    return f"wamp.hints.{_code('hints', secret)}"


def _code(name: str, secret: str | bytes) -> str:
    """Return the first characters of Django's ``salted_hmac("wamp.cluster", name, secret, algorithm="sha256")``."""
    secret = secret.encode() if isinstance(secret, str) else secret
    key = sha256(SALT + secret).digest()
    return hmac.new(key, name.encode(), sha256).hexdigest()[:CODE_LENGTH]
