"""The Django app."""

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class WampTransportConfig(AppConfig):
    """WAMP as a Django app; what is registered here runs nothing."""

    name = "wamp_transport"
    verbose_name = _("WAMP transport")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and listen to what live sessions hang on."""
        from . import checks  # noqa: F401, PLC0415 - Django must be ready first

        if apps.is_installed("django.contrib.auth"):
            from .stores.identity import changes  # noqa: PLC0415 - as above

            changes.connect()
