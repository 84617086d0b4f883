"""Hints: messages that a process sends to all nodes of the project when it has committed changes to the database.

Hints are sent over the project's default channel layer to a *group*. In Channels, a group is a set of channels, and
each of them receives all messages to the group. A hint contains only the kinds of the changes. The nodes read the
changes themselves from the database, so a hint that is lost, repeated or forged does no harm.
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
    """Return whether the settings allow hints and contain a default channel layer.

    This does not check whether the layer reaches other processes. It is fast and raises no exceptions.
    """
    return app_settings().change_hints and "default" in (getattr(settings, "CHANNEL_LAYERS", None) or {})


def hint_layer() -> Any:
    """Return the channel layer for hints; None if there is no layer that reaches other processes.

    If the layer's settings are invalid, this can raise any exception. The first call is slow if it must import the
    layer.
    """
    layer = get_channel_layer() if are_hints_configured() else None
    return None if isinstance(layer, InMemoryChannelLayer) else layer


def group_name() -> str:
    """Return the name of the group that receives the hints of this project.

    It depends on the key of the cluster if there is one. So hints reach processes whose ``SECRET_KEY`` differs because
    it is being changed.
    """
    cluster = app_settings().cluster
    return hint_group(settings.SECRET_KEY if cluster is None else cluster.key)


def to_message(kinds: Iterable[str]) -> dict[str, Any]:
    """Return the message about changes of these kinds. A message without kinds only tests the channel layer."""
    return {"type": MESSAGE_TYPE, "kinds": sorted(kinds)}


def kinds_in(message: object) -> list[str]:
    """Return the kinds of changes in a message; an empty list if the message has another format.

    Other releases of this package can send kinds that are unknown here, or use another format.
    """
    kinds = message.get("kinds") if isinstance(message, dict) else None
    return [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []
