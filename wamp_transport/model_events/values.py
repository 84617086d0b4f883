"""From the fields of a row to payload: the values as the database has them, in types that every client knows."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ObjectDoesNotExist
from django.db.models import Field, Model

from ..handlers.results import plain
from ..wamp.errors import PayloadError
from .changes import Change


def checked(model: type[Model], names: Iterable[str]) -> tuple[str, ...]:
    """``names``, each of a field, property or attribute of the model. Raises ImproperlyConfigured."""
    if isinstance(names, str):
        raise ImproperlyConfigured(f"fields of {model._meta.label} must be a list of names, not the text {names!r}")
    for name in (names := tuple(names)):
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            if not hasattr(model, name):
                raise ImproperlyConfigured(f"{model._meta.label} has no field {name!r}") from None
        else:
            if not isinstance(field, Field):
                text = f"{name!r} of {model._meta.label} is a relation that another model has: say it by serialize="
                raise ImproperlyConfigured(text)
    return names


def is_column(model: type[Model], name: str) -> bool:
    """Whether a field is a column of the model's table, whose value the instance has."""
    return any(field.name == name for field in model._meta.concrete_fields)


def values_of(change: Change[Any], names: Iterable[str]) -> dict[str, Any]:
    """The values of some fields, as payload. A relation is the primary key of what it leads to, or a list of them.

    They are those that are stored. Where the instance may have others, such as the outcome of ``F("stock") - 1`` or
    those of fields that were not saved, the row is read again, once. Raises PayloadError.
    """
    instance = change.instance
    fields = {name: _field(instance, name) for name in names}
    if change.event != "deleted" and any(not _is_stored(change, field) for field in fields.values()):
        instance = _row(change, fields)
    return {name: _told(instance, name, field, change.using) for name, field in fields.items()}


def _field(instance: Model, name: str) -> "Field[Any, Any] | None":
    """None for a property or attribute."""
    try:
        field = instance._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, Field) else None


def _is_stored(change: Change[Any], field: "Field[Any, Any] | None") -> bool:
    """Whether what the instance has is what the database has; or would be, where a field is asked of it anyway."""
    saved = change.update_fields
    if field is None:  # it may be made of any field
        return saved is None
    if field.many_to_many or field.primary_key:
        return True
    if getattr(field, "generated", False) or (saved is not None and saved.isdisjoint((field.name, field.attname))):
        return False
    return not _is_expression(field.value_from_object(change.instance))


def _is_expression(value: object) -> bool:
    """Whether it is something for the database to work out."""
    return hasattr(value, "resolve_expression")


def _row(change: Change[Any], fields: "Mapping[str, Field[Any, Any] | None]") -> Model:
    """The row as it is stored: all of it, as properties may want, or no more than the columns among ``fields``."""
    rows = type(change.instance)._base_manager.using(change.using).filter(pk=change.pk)
    if all(fields.values()):
        rows = rows.only(*(name for name, field in fields.items() if field is not None and not field.many_to_many))
    row: Model | None = rows.first()
    if row is None:
        raise ObjectDoesNotExist(f"{change}, and not there any more")
    return row


def _told(instance: Model, name: str, field: "Field[Any, Any] | None", using: str) -> Any:
    if field is None:
        return plain(getattr(instance, name), name)
    if field.many_to_many:
        return _related(instance, field, using)
    value = field.value_from_object(instance)
    return None if _is_expression(value) else _value(field, value)


def _related(instance: Model, field: "Field[Any, Any]", using: str) -> list[Any]:
    related = getattr(instance, field.name).using(using).order_by("pk")
    return [plain(pk, field.name) for pk in related.values_list("pk", flat=True)]


def _value(field: "Field[Any, Any]", value: Any) -> Any:
    """One value: made what the field holds, as ``price="9.9"`` gives no Decimal before it is read again."""
    value = field.to_python(value)
    places = getattr(field, "decimal_places", None)
    if value is not None and places is not None:
        return f"{value:.{places}f}"
    try:
        return plain(value, field.name)
    except PayloadError:
        # Fields of other apps, of types that nobody but they know, can say their values as text.
        return plain(field.get_prep_value(value), field.name)
