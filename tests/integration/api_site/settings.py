"""The project's settings, with other pages."""

from wampnode.settings import *  # noqa: F403

ROOT_URLCONF = "tests.integration.api_site.pages"
