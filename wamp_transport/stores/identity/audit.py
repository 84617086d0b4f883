"""The audit trail in the database. Entries are written in batches. Entries that are too old or too many are deleted.

All functions are synchronous: call them in a thread.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from wamp_transport.models import AuditEntry

MAX_ENTRIES: Final = 500_000
"""The maximum number of entries. The oldest are deleted first."""

MAX_LENGTHS: Final = {
    field.name: field.max_length
    for field in AuditEntry._meta.concrete_fields
    if getattr(field, "max_length", None) is not None
}


def keep(entries: Iterable[dict[str, Any]]) -> None:
    """Store entries. Each entry maps column names to values.

    Long values are truncated, and characters that some databases refuse are removed, because clients choose the values.
    """
    AuditEntry.objects.bulk_create([AuditEntry(**{key: _fit(key, one[key]) for key in one}) for one in entries], 500)


def purge(days: int) -> int:
    """Delete entries older than ``days``, and the oldest entries beyond MAX_ENTRIES.

    Return the number of deleted entries.
    """
    deleted: int = AuditEntry.objects.filter(created_at__lt=timezone.now() - timedelta(days=days)).delete()[0]
    oldest = AuditEntry.objects.order_by("-id").values_list("id", flat=True)[MAX_ENTRIES : MAX_ENTRIES + 1]
    for id in oldest:
        deleted += AuditEntry.objects.filter(id__lte=id).delete()[0]
    return deleted


def _fit(column: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    clean = value.replace("\0", "").encode("utf-8", "replace").decode()
    return clean[: MAX_LENGTHS[column]]
