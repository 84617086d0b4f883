"""These tests need Django."""

from ...django_setup import block_database  # noqa: F401 - a fixture
