"""Settings of the test suite."""

from tests.databases import databases
from wampnode.settings import *  # noqa: F403
from wampnode.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.shop", "tests.catalogue"]
SECRET_KEY = "for-tests-only"
DATABASES = databases({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
