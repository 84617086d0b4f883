"""The Django app."""

import logging

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)


class WampTransportConfig(AppConfig):
    """WAMP as a Django app; what is registered here runs nothing."""

    name = "wamp_transport"
    verbose_name = _("WAMP transport")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, find what the apps declare, and listen to what live sessions hang on."""
        from . import checks  # noqa: F401, PLC0415 - Django must be ready first
        from .handlers.discovery import import_modules  # noqa: PLC0415 - as above

        # In each process, as rows that are to be told of are saved in all of them.
        for broken in import_modules():
            logger.error("%s", broken)

        if apps.is_installed("django.contrib.auth"):
            from .stores.identity import changes  # noqa: PLC0415 - as above

            changes.connect()
