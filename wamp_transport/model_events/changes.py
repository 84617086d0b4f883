"""What has happened to a row."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from django.db.models import Model

EventName = Literal["created", "updated", "deleted"]
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Change(Generic[Row]):
    """One row, created, updated, or about to be deleted; what the hooks of a declaration are given.

    ``using`` is the database. ``update_fields``: which fields were saved, where that is known, as with
    ``save(update_fields=...)``; None where it may be all of them.
    """

    event: EventName
    instance: Row
    using: str
    update_fields: frozenset[str] | None = None

    @property
    def pk(self) -> Any:
        """The row's primary key."""
        return self.instance.pk

    def __str__(self) -> str:
        return f"{self.instance._meta.label} {self.pk} {self.event}"
