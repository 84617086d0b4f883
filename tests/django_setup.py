"""Set up Django for the tests of one package: its conftest imports ``block_database`` from here.

The tests of the core have no such conftest. They run without Django, also with ``-p no:django``.
"""

import os
from collections.abc import Iterator

import django
import pytest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()


@pytest.fixture(autouse=True, scope="session")
def block_database(django_db_blocker) -> Iterator[None]:
    """Refuse access to the database to tests that do not ask for it.

    pytest-django does so itself only if Django is set up before the tests are collected.
    """
    django_db_blocker.block()
    yield
    django_db_blocker.restore()
