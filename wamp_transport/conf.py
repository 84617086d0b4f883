"""``settings.WAMP_TRANSPORT``, read once and again when a test changes it.

Keys: ``CONFIG``, the path of a Crossbar node directory, ``.crossbar`` directory or configuration file, or a mapping
of the same form; without it the configuration is in the database.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

SETTING = "WAMP_TRANSPORT"
KEYS = ("CONFIG",)


@dataclass(frozen=True, slots=True)
class AppSettings:
    """What the project's settings say about this app. ``faults`` are sentences for a system check."""

    config: str | os.PathLike[str] | Mapping[str, Any] | None = None
    faults: tuple[str, ...] = ()


@cache
def app_settings() -> AppSettings:
    """The settings as they are; what is wrong with them is told, not raised."""
    given = getattr(settings, SETTING, {})
    if not isinstance(given, Mapping):
        return AppSettings(faults=(f"settings.{SETTING} must be a dictionary, not {type(given).__name__}",))
    faults = [f"settings.{SETTING} has no key {key!r}; it knows {', '.join(KEYS)}" for key in given if key not in KEYS]
    config = given.get("CONFIG")
    if config is not None and not isinstance(config, str | os.PathLike | Mapping):
        faults.append(f"settings.{SETTING}['CONFIG'] must be a path or a dictionary, not {type(config).__name__}")
        config = None
    return AppSettings(config, tuple(faults))


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        app_settings.cache_clear()


setting_changed.connect(_forget, dispatch_uid="wamp_transport.conf")
