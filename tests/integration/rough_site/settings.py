"""The project's settings, with pages that raise whatever code can raise."""

from wampnode.settings import *  # noqa: F403

ROOT_URLCONF = "tests.integration.rough_site.pages"
ASGI_APPLICATION = "tests.integration.rough_site.asgi.application"
