"""Django is set up before the fixtures are imported, which need it."""

from ..django_setup import block_database  # noqa: F401 - a fixture
from .pages import close_kept_connections, pages, pages_with, quick_keys  # noqa: F401 - fixtures
