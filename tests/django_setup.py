"""Set up Django for the tests of a package, whose ``conftest.py`` imports ``block_database`` from this module.

The tests of the core do not use it. They run without Django, even with ``-p no:django``.
"""

import os
from collections.abc import Iterator

import django
import pytest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()


@pytest.fixture(autouse=True, scope="session")
def block_database(django_db_blocker) -> Iterator[None]:
    """Block access to the database for tests that do not request it.

    pytest-django does this itself only if Django is set up before the tests are collected.
    """
    django_db_blocker.block()
    yield
    django_db_blocker.restore()
