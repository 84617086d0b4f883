"""What the router is told: its realms, their roles and permissions, and limits.

Plain immutable values. ``config/`` builds them from its schema; the core reads them and never sees the schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Match = Literal["exact", "prefix", "wildcard"]
Action = Literal["call", "register", "publish", "subscribe"]

ACTIONS: tuple[Action, ...] = ("call", "register", "publish", "subscribe")


@dataclass(frozen=True, slots=True)
class Permission:
    """What a role may do with the URIs that a pattern covers. What is not allowed is denied."""

    uri: str
    match: Match = "exact"
    call: bool = False
    register: bool = False
    publish: bool = False
    subscribe: bool = False
    disclose_caller: bool = False
    disclose_publisher: bool = False


@dataclass(frozen=True, slots=True)
class RoleOptions:
    """A role of a realm. ``allow_by_default`` decides where no permission covers a URI."""

    name: str
    permissions: tuple[Permission, ...] = ()
    allow_by_default: bool = False


@dataclass(frozen=True, slots=True)
class RealmOptions:
    """A realm: its name, its roles by name, and how its URIs are checked."""

    name: str
    roles: Mapping[str, RoleOptions] = field(default_factory=dict)
    loose_uris: bool = False
    strict_request_ids: bool = False


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """Everything the router is told. Times in seconds.

    ``hello_timeout``: how long a connection may stay without a session.
    ``goodbye_timeout``: how long the router waits for the answer to its GOODBYE.
    """

    realms: Mapping[str, RealmOptions] = field(default_factory=dict)
    hello_timeout: float = 10.0
    goodbye_timeout: float = 5.0
    agent: str = "wampnode"


@dataclass(frozen=True, slots=True)
class AnonymousLogin:
    """Anonymous authentication of a transport: the role given, and a fixed authid if any."""

    role: str = "anonymous"
    authid: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What a path service says about the sessions that come through it.

    ``key`` names the service for as long as it is configured; its sessions are closed when it goes.
    ``anonymous`` is None where nobody may join without credentials.
    """

    key: str
    anonymous: AnonymousLogin | None = None
