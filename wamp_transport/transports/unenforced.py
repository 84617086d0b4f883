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

WITHOUT_EFFECT: Final = frozenset({"enable_flash_policy", "flash_policy"})
"""Options that hold under none."""


def unenforced(section: WebSocketSection) -> tuple[str, ...]:
    """The options of a service that were changed from their default and would not be carried out."""
    names = [
        name
        for name, field in WebSocketOptions.model_fields.items()
        if name not in BY_THE_CONSUMER | WITHOUT_EFFECT and getattr(section.options, name) != field.default
    ]
    return (*names, "debug") if section.debug else tuple(names)


def unenforced_in(configuration: Configuration) -> Iterable[tuple[str, tuple[str, ...]]]:
    """The path of each service that has such options, and their names."""
    for service in configuration.services:
        if isinstance(service.settings, WebSocketSection) and (names := unenforced(service.settings)):
            yield service.path, names


def in_words(configuration: Configuration) -> str:
    """All of them in one line; empty where there are none."""
    return "; ".join(f"{path}: {', '.join(names)}" for path, names in unenforced_in(configuration))
