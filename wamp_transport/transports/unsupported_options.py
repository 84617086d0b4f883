"""Find the options of WAMP services that have no effect under ASGI servers other than this product's own."""

from collections.abc import Iterable
from typing import Final

from ..config.configuration import Configuration
from ..config.limits import LimitsSection
from ..config.websocket import WebSocketOptions, WebSocketSection

CONSUMER_OPTIONS: Final = frozenset(
    {
        "allowed_origins",
        "allow_null_origin",
        "allow_missing_origin",
        "external_port",
        "enable_webstatus",
        "max_message_size",
        "require_websocket_subprotocol",
        *LimitsSection.model_fields,
    }
)
"""Options that have an effect under every server: the consumer, the status page or the router applies them."""

WAITING_SERVER_OPTIONS: Final = frozenset(
    {"outgoing_limit", "outgoing_grace_period", "outgoing_policy", "max_outgoing_size"}
)
"""Options that have an effect only under servers that wait for slow peers.

Uvicorn and Hypercorn wait for them; plain Daphne does not.
"""

IGNORED_OPTIONS: Final = frozenset({"enable_flash_policy", "flash_policy"})
"""Options that have no effect under any server."""


def unsupported_options(section: WebSocketSection, *, waits: bool = False) -> tuple[str, ...]:
    """Return the names of a service's options that differ from their defaults and would have no effect.

    ``waits`` is true if the ASGI server applies back-pressure, that is, waits for peers that read slowly.
    """
    supported = CONSUMER_OPTIONS | IGNORED_OPTIONS | (WAITING_SERVER_OPTIONS if waits else frozenset())
    names = [
        name
        for name, field in WebSocketOptions.model_fields.items()
        if name not in supported and getattr(section.options, name) != field.default
    ]
    return (*names, "debug") if section.debug else tuple(names)


def unsupported_by_path(configuration: Configuration, *, waits: bool = False) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Yield the path of each service with unsupported options, and the names of these options."""
    for service in configuration.services:
        if isinstance(service.settings, WebSocketSection) and (
            names := unsupported_options(service.settings, waits=waits)
        ):
            yield service.path, names


def describe_unsupported(configuration: Configuration, *, waits: bool = False) -> str:
    """Return one line of text that lists all unsupported options; empty if there are none."""
    return "; ".join(f"{path}: {', '.join(names)}" for path, names in unsupported_by_path(configuration, waits=waits))
