"""The configuration of the Django app."""

import logging

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)


class WampTransportConfig(AppConfig):
    """The Django app. Loading the app does not start a node."""

    name = "wamp_transport"
    verbose_name = _("WAMP")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, import the apps' ``wamp.py`` modules, and watch for changes in the database."""
        from . import checks  # noqa: F401, PLC0415 - Django must be ready first
        from .bootstrap import hint_sender  # noqa: PLC0415 - as above
        from .handlers.discovery import import_modules  # noqa: PLC0415 - as above
        from .stores.identity import changes  # noqa: PLC0415 - as above

        # Do this in every process, because every process that saves rows publishes model events.
        for broken in import_modules():
            logger.error("%s", broken)

        changes.connect()
        hint_sender.connect()
