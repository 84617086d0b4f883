"""Add the time to the log lines of ``runserver`` and ``runnode``, unless the project configures logging itself."""

import logging
from typing import Final

from django.conf import settings
from django.utils.log import ServerFormatter

DATE_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
SERVER_DATE_FORMAT: Final = "%d/%b/%Y %H:%M:%S"
REQUESTS: Final = "django.channels.server"
"""The logger to which Daphne's ``runserver`` writes requests."""


def add_times_to_logs() -> None:
    """Add handlers that write the time of each record to standard error.

    Nothing is changed if the project has the setting LOGGING, or if its code has added handlers to the root logger.
    """
    root = logging.getLogger()
    if settings.LOGGING or root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", DATE_FORMAT))
    # Django's loggers have their own handlers.
    handler.addFilter(lambda record: record.name.partition(".")[0] != "django")
    root.addHandler(handler)


def add_times_to_requests() -> None:
    """Log the requests to ``runserver`` in the format of Django's own ``runserver``, which includes the time.

    Nothing is changed if the project has the setting LOGGING, or if its code has added handlers to this logger.
    """
    logger = logging.getLogger(REQUESTS)
    if settings.LOGGING or logger.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(ServerFormatter("[{server_time}] {message}", SERVER_DATE_FORMAT, style="{"))
    logger.addHandler(handler)
    logger.propagate = False
