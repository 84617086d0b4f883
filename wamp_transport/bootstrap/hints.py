"""Hints: messages between the processes of a project that say that a change was committed to the database.

They travel over the project's default channel layer, to a *group*, which is the Channels term for a set of channels
that all receive the group's messages. A hint contains only the kinds of the changes. Each node then reads the changes
from the database, so a hint that is lost, repeated or forged does no harm.
"""

from collections.abc import Iterable
from typing import Any, Final

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.conf import settings

from ..cluster.keys import hint_group
from ..conf import app_settings

MESSAGE_TYPE: Final = "wamp.hint"
"""The type of the messages. Channels requires that each message has a type."""


def are_hints_configured() -> bool:
    """Return whether the settings allow hints and contain a default channel layer. It may be one in memory."""
    return app_settings().change_hints and "default" in getattr(settings, "CHANNEL_LAYERS", {})


def hint_layer() -> Any:
    """Return the channel layer for hints; None if there is no layer that reaches other processes.

    Raises the exceptions of a layer with invalid settings. The first call can import the layer's modules.
    """
    layer = get_channel_layer() if are_hints_configured() else None
    return None if isinstance(layer, InMemoryChannelLayer) else layer


def group_name() -> str:
    """Return the name of the group that receives the hints of this project."""
    return hint_group(settings.SECRET_KEY)


def to_message(kinds: Iterable[str]) -> dict[str, Any]:
    """Return the message for changes of these kinds. Without kinds, it only shows that the channel layer works."""
    return {"type": MESSAGE_TYPE, "kinds": sorted(kinds)}


def kinds_in(message: object) -> list[str]:
    """Return the kinds of changes in a message. Other releases can send other kinds, and messages of another form."""
    kinds = message.get("kinds") if isinstance(message, dict) else None
    return [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []
