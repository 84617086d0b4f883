"""References to models of ``django.contrib.auth`` or of the project, which are not always installed.

If the target of a foreign key is not installed, the key refers to its own model instead, without a constraint in the
database. Such a key is always empty, so other code need not distinguish the two cases. Migrations use these functions
too.
"""

from typing import Any

from django.apps import apps
from django.conf import settings

GROUP_MODEL = "auth.Group"


def has_users() -> bool:
    """Return whether the app of the project's user model (``AUTH_USER_MODEL``) is installed."""
    return _is_installed(settings.AUTH_USER_MODEL)


def has_groups() -> bool:
    """Return whether ``django.contrib.auth``, which contains the model of groups, is installed."""
    return _is_installed(GROUP_MODEL)


def user_reference(own: str) -> dict[str, Any]:
    """Return the arguments that make a foreign key of the model ``own`` refer to the user model."""
    return _reference(settings.AUTH_USER_MODEL, own)


def group_reference(own: str) -> dict[str, Any]:
    """Return the arguments that make a foreign key of the model ``own`` refer to the model of groups."""
    return _reference(GROUP_MODEL, own)


def _reference(target: str, own: str) -> dict[str, Any]:
    return {"to": target} if _is_installed(target) else {"to": f"wamp_transport.{own}", "db_constraint": False}


def _is_installed(model: str) -> bool:
    label = model.partition(".")[0]
    return any(config.label == label for config in apps.get_app_configs())
