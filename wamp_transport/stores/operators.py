"""How those who run this project's nodes find one, and what proves to it that it is them.

A node writes down where it is reached, and a random salt. Its key is made from that and ``SECRET_KEY``: who has only
the database or only the settings has no key, and each run of a node has its own.
"""

import os
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
    """A place where a node speaks WAMP. ``url`` is for clients on its host; ``socket`` the path of a Unix socket.

    ``realms`` are those that are reached there. ``origin``: what to say that one is a page of; None for nothing.
    """

    url: str
    realms: tuple[str, ...]
    socket: str | None = None
    origin: str | None = None


def operator_key(operator_salt: str, secret_key: str | bytes | None = None) -> str:
    """The key of a node's operators, with the present ``SECRET_KEY`` unless another one is given."""
    return salted_hmac(SALT, operator_salt, secret=secret_key, algorithm="sha256").hexdigest()


def operator_keys(nodes: Iterable[RunningNode]) -> tuple[str, ...]:
    """The keys of these nodes; with the former secret keys too."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return tuple(operator_key(node.operator_salt, one) for node in nodes for one in secrets)


def running_here() -> list[RunningNode]:
    """The nodes of this host that run, the newest first."""
    here = [
        status.node
        for status in running()
        if status.node.host == socket.gethostname() and status.node.operator_salt and not status.is_stale
    ]
    return sorted((one for one in here if _is_alive(one.pid)), key=lambda one: one.started_at, reverse=True)


def running_elsewhere() -> list[RunningNode]:
    """The nodes that run on other hosts."""
    return [one.node for one in running() if one.node.host != socket.gethostname() and not one.is_stale]


def services_of(node: RunningNode) -> list[WampService]:
    """Where a node is reached, the simplest way first."""
    found: list[Any] = node.services
    services = [WampService(one["url"], tuple(one["realms"]), one["socket"], one["origin"]) for one in found]
    return sorted(services, key=lambda one: (one.url.startswith("wss:"), one.socket is not None))


def _is_alive(pid: int) -> bool:
    """Whether there is such a process; on systems that cannot say it harmlessly, yes."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
