"""Which options of a WAMP service other ASGI servers than this product's own do not carry out."""

from collections.abc import Iterable
from typing import Final

from ..config.configuration import Configuration
from ..config.websocket import WebSocketOptions, WebSocketSection

BY_THE_CONSUMER: Final = frozenset(
    {
        "allowed_origins",
        "allow_null_origin",
        "allow_missing_origin",
        "external_port",
        "enable_webstatus",
        "max_message_size",
        "require_websocket_subprotocol",
    }
)
"""Options that hold under every server, as the consumer carries them out."""

BY_WAITING: Final = frozenset({"outgoing_limit", "outgoing_grace_period", "outgoing_policy", "max_outgoing_size"})
"""Options that hold where the server waits for slow peers, as uvicorn and hypercorn do and plain Daphne does not."""

WITHOUT_EFFECT: Final = frozenset({"enable_flash_policy", "flash_policy"})
"""Options that hold under none."""


def unenforced(section: WebSocketSection, *, waits: bool = False) -> tuple[str, ...]:
    """The options of a service that were changed from their default and would not be carried out.

    ``waits`` says that the server waits for peers that read slowly.
    """
    held = BY_THE_CONSUMER | WITHOUT_EFFECT | (BY_WAITING if waits else frozenset())
    names = [
        name
        for name, field in WebSocketOptions.model_fields.items()
        if name not in held and getattr(section.options, name) != field.default
    ]
    return (*names, "debug") if section.debug else tuple(names)


def unenforced_in(configuration: Configuration, *, waits: bool = False) -> Iterable[tuple[str, tuple[str, ...]]]:
    """The path of each service that has such options, and their names."""
    for service in configuration.services:
        if isinstance(service.settings, WebSocketSection) and (names := unenforced(service.settings, waits=waits)):
            yield service.path, names


def in_words(configuration: Configuration, *, waits: bool = False) -> str:
    """All of them in one line; empty where there are none."""
    return "; ".join(f"{path}: {', '.join(names)}" for path, names in unenforced_in(configuration, waits=waits))
