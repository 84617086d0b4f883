"""A function that finds the Django user of a WAMP session. It is synchronous: call it in a thread."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from wamp_transport.auth.providers import NAMES_USERS
from wamp_transport.conf import app_settings
from wamp_transport.models import has_users


def user_behind(user_key: str | None, authid: str, authprovider: str) -> Any:
    """Return the active Django user of a session; None if there is none.

    ``user_key`` is the primary key of the user, or None if the login did not store it. In this case, the user is found
    by ``authid`` if sessions of this provider have a username as their authid.
    """
    if not has_users():
        return None
    users = get_user_model()
    if user_key is not None:
        wanted = {"pk": user_key}
    elif authprovider in NAMES_USERS and app_settings().hook("USER_AUTHID") is None:
        wanted = {users.USERNAME_FIELD: authid}
    else:
        return None
    try:
        user = users._default_manager.filter(**wanted).first()
    except (ValueError, ValidationError):
        return None
    return user if user is not None and user.is_active else None
