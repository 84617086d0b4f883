"""The node is started as Django starts it."""

from ..django_setup import block_database  # noqa: F401 - a fixture
