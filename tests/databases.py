"""The databases in the settings of the tests: SQLite, unless the environment names a PostgreSQL server."""

import os
from typing import Any


def databases(otherwise: dict[str, Any]) -> dict[str, Any]:
    """Return the setting ``DATABASES``: the PostgreSQL server of the environment, or else ``otherwise``.

    See :meth:`tests.postgresql.Cluster.create` for the environment variables.
    """
    directory = os.environ.get("TEST_POSTGRESQL")
    if directory is None:
        return otherwise
    return {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": directory,
            "USER": "postgres",
            "NAME": os.environ["TEST_POSTGRESQL_NAME"],
            "CONN_MAX_AGE": int(os.environ.get("TEST_CONN_MAX_AGE", "0")),
        }
    }
