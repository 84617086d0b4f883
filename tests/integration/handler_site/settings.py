"""The project's settings, with the app. ``HANDLER_SITE_ROUTER`` is the router for processes that serve nobody."""

import os

from wampnode import settings
from wampnode.settings import *  # noqa: F403

INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.integration.handler_site"]
WAMP_TRANSPORT = {
    **getattr(settings, "WAMP_TRANSPORT", {}),
    "API": {"URL": os.environ.get("HANDLER_SITE_ROUTER"), "REALM": "realm1"},
}
