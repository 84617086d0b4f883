"""Conversion between times with a time zone and the values of ``DateTimeField`` columns.

If ``USE_TZ`` is False, columns contain local times without a zone, and databases refuse or misread other values.
"""

from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone


def to_column(time: datetime) -> datetime:
    """Return the column value for a time with a zone."""
    return time if settings.USE_TZ else timezone.make_naive(time, timezone.get_default_timezone())


def from_column(value: datetime) -> datetime:
    """Return the time in UTC for a column value."""
    if timezone.is_naive(value):
        value = timezone.make_aware(value, timezone.get_default_timezone())
    return value.astimezone(UTC)
