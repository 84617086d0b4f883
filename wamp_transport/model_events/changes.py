"""The description of a created, updated or deleted row, from which an event is built."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from django.db.models import Model

EventName = Literal["created", "updated", "deleted"]
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Change(Generic[Row]):
    """A row that was created or updated, or is about to be deleted.

    The functions that are passed to ``publish_model_events()`` are called with a change.

    ``using`` is the database alias. ``update_fields`` contains the names of the saved fields if they are known, as
    after ``save(update_fields=...)``. None means that any field might have been saved.
    """

    event: EventName
    instance: Row
    using: str
    update_fields: frozenset[str] | None = None

    @property
    def pk(self) -> Any:
        """The primary key of the row."""
        return self.instance.pk

    def __str__(self) -> str:
        return f"{self.instance._meta.label} {self.pk} {self.event}"
