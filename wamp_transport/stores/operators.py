"""Access for operators to the nodes of this project: the addresses of a node, and the key for controlling it.

A node stores its addresses and a random salt in the database. The operator key of the node is derived from the salt and
``SECRET_KEY``, so the key cannot be computed from the database or the settings alone. A node has a different key each
time it is started.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.utils.crypto import salted_hmac

from wamp_transport.models import RunningNode
from wamp_transport.stores.nodes import running

SALT: Final = "wamp_transport.operator"


@dataclass(frozen=True, slots=True)
class WampService:
    """An address at which a node offers WAMP.

    - ``url``: the URL for clients on the same host
    - ``socket``: the path of a Unix socket, None for a TCP port
    - ``realms``: the realms that can be joined at this address
    - ``origin``: the Origin header to send, None for no header
    """

    url: str
    realms: tuple[str, ...]
    socket: str | None = None
    origin: str | None = None


def operator_key(operator_salt: str, secret_key: str | bytes | None = None) -> str:
    """Return the operator key of a node, derived with ``secret_key``, by default the current ``SECRET_KEY``."""
    return salted_hmac(SALT, operator_salt, secret=secret_key, algorithm="sha256").hexdigest()


def operator_keys(nodes: Iterable[RunningNode]) -> tuple[str, ...]:
    """Return the operator keys of these nodes, derived with ``SECRET_KEY`` and each of ``SECRET_KEY_FALLBACKS``."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return tuple(operator_key(node.operator_salt, one) for node in nodes for one in secrets)


def running_here() -> list[RunningNode]:
    """Return the running nodes on this host that accept operators, the newest first."""
    here = [
        status.node
        for status in running()
        if status.node.operator_salt and not status.is_stale and status.has_process_here
    ]
    return sorted(here, key=lambda one: one.started_at, reverse=True)


def running_elsewhere() -> list[RunningNode]:
    """Return the running nodes on other hosts."""
    return [one.node for one in running() if one.node.host != socket.gethostname() and not one.is_stale]


def services_of(node: RunningNode) -> list[WampService]:
    """Return the addresses of a node: those without TLS first, and Unix sockets after TCP ports."""
    found: list[Any] = node.services
    services = [WampService(one["url"], tuple(one["realms"]), one["socket"], one["origin"]) for one in found]
    return sorted(services, key=lambda one: (one.url.startswith("wss:"), one.socket is not None))
