"""The project with the shop in it, for servers that tests start."""

from tests.databases import databases
from wampnode.settings import *  # noqa: F403
from wampnode.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.shop", "tests.shop.live"]
DATABASES = databases(DATABASES)
# Nobody's secrets are in these databases.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
