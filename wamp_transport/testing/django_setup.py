"""The setup of Django for tests that run without pytest-django and without ``manage.py test``."""

import os

import django
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def set_up_django() -> None:
    """Load the apps if they are not loaded. Raises ImproperlyConfigured if the settings or this app are missing."""
    if apps.loading:
        return
    if not settings.configured and not os.environ.get("DJANGO_SETTINGS_MODULE"):
        raise ImproperlyConfigured(
            "The WAMP test tools need Django's settings: set DJANGO_SETTINGS_MODULE in the environment, or with"
            " pytest-django in the configuration of pytest."
        )
    if not apps.ready:
        django.setup()
    if not apps.is_installed("wamp_transport"):
        raise ImproperlyConfigured("The WAMP test tools need 'wamp_transport' in INSTALLED_APPS.")
