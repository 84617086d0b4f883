"""The ASGI entry point: Django, with WAMP on the configured paths."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "wampnode.settings")

django_application = get_asgi_application()

from wamp_transport.routing import wamp_application  # noqa: E402 - after Django is set up

application = wamp_application(django_application)
