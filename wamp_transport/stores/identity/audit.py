"""The audit trail in the database. Entries are written in batches. Old entries are deleted.

All functions are synchronous: call them in a thread.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from wamp_transport.models import AuditEntry

MAX_ENTRIES: Final = 500_000
"""The maximum number of entries. The oldest are deleted first."""

MAX_DELETED_ROWS: Final = 500
"""The maximum number of entries that are deleted in one transaction."""

MAX_LENGTHS: Final[dict[str, int]] = {
    field.name: field.max_length for field in AuditEntry._meta.concrete_fields if field.max_length is not None
}


def keep(entries: Iterable[dict[str, Any]]) -> None:
    """Store entries. Each entry maps column names to values that :func:`fit` has returned."""
    AuditEntry.objects.bulk_create([AuditEntry(**one) for one in entries], 500)


def purge(days: int) -> int:
    """Delete up to MAX_DELETED_ROWS entries: those older than ``days``, and the oldest entries beyond MAX_ENTRIES.

    Return the number of deleted rows. If it is MAX_DELETED_ROWS, more such entries can be left: call this again.
    """
    entries = AuditEntry.objects.values_list("id", flat=True)
    expired = entries.filter(created_at__lt=timezone.now() - timedelta(days=days)).order_by("created_at")
    ids = set(expired[:MAX_DELETED_ROWS])
    newest_surplus = entries.order_by("-id")[MAX_ENTRIES : MAX_ENTRIES + 1].first()
    if newest_surplus is not None:
        surplus = entries.filter(id__lte=newest_surplus).order_by("id")[:MAX_DELETED_ROWS]
        ids.update(list(surplus)[: MAX_DELETED_ROWS - len(ids)])
    deleted: int = AuditEntry.objects.filter(id__in=ids).delete()[0]
    return deleted


def fit(column: str, value: Any) -> Any:
    """Return ``value`` in a form that can be stored in the column.

    Clients choose the values. Therefore, long values are truncated, and characters that some databases refuse are
    removed.
    """
    if not isinstance(value, str):
        return value
    # Truncate first, because the value can be very long. Usually, few characters are removed afterwards.
    clean = value[: 2 * MAX_LENGTHS[column]].replace("\0", "").encode("utf-8", "replace").decode()
    return clean[: MAX_LENGTHS[column]]
