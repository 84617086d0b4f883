"""Read the stored values of a row's fields, and convert them to event payload that all clients support."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ObjectDoesNotExist
from django.db.models import Field, Model

from ..handlers.results import to_plain_value
from ..wamp.errors import PayloadError
from .changes import Change


def checked_names(model: type[Model], names: Iterable[str]) -> tuple[str, ...]:
    """Return ``names`` after checking that each is a field, property or attribute of the model.

    Raises ImproperlyConfigured for any other name, and for a relation that is defined on another model.
    """
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
                text = f"{name!r} of {model._meta.label} is a relation defined on another model: use serialize= instead"
                raise ImproperlyConfigured(text)
    return names


def is_column(model: type[Model], name: str) -> bool:
    """Return whether ``name`` is a field with a column in the model's table, so that instances contain its value."""
    return any(field.name == name for field in model._meta.concrete_fields)


def values_of(change: Change[Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the stored values of the fields ``names``. For a relation, return one primary key or a list of them.

    The values of the instance can differ from the stored values, for example after ``F("stock") - 1``, or if some
    fields were not saved. In this case, the row is read again, once for all fields. Raises PayloadError if a value
    cannot be converted, and ObjectDoesNotExist if the row no longer exists.
    """
    instance = change.instance
    fields = {name: _field(instance, name) for name in names}
    if change.event != "deleted" and any(not _is_stored(change, field) for field in fields.values()):
        instance = _row(change, fields)
    return {name: _stored_value(instance, name, field, change.using) for name, field in fields.items()}


def _field(instance: Model, name: str) -> "Field[Any, Any] | None":
    """Return the field; None for a property or attribute."""
    try:
        field = instance._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, Field) else None


def _is_stored(change: Change[Any], field: "Field[Any, Any] | None") -> bool:
    """Return whether the value of a field can be used without reading the row again."""
    saved = change.update_fields
    if field is None:  # a property may depend on any field
        return saved is None
    if field.many_to_many or field.primary_key:
        return True
    if getattr(field, "generated", False) or (saved is not None and saved.isdisjoint((field.name, field.attname))):
        return False
    return not _is_expression(field.value_from_object(change.instance))


def _is_expression(value: object) -> bool:
    """Return whether the value is an expression that the database computes."""
    return hasattr(value, "resolve_expression")


def _row(change: Change[Any], fields: "Mapping[str, Field[Any, Any] | None]") -> Model:
    """Read the row. Only the columns in ``fields`` are read, or all if ``fields`` contains properties."""
    rows = type(change.instance)._base_manager.using(change.using).filter(pk=change.pk)
    if all(fields.values()):
        rows = rows.only(*(name for name, field in fields.items() if field is not None and not field.many_to_many))
    row: Model | None = rows.first()
    if row is None:
        raise ObjectDoesNotExist(f"{change}, but the row no longer exists")
    return row


def _stored_value(instance: Model, name: str, field: "Field[Any, Any] | None", using: str) -> Any:
    if field is None:
        return to_plain_value(getattr(instance, name), name)
    if field.many_to_many:
        return _related(instance, field, using)
    value = field.value_from_object(instance)
    return None if _is_expression(value) else _value(field, value)


def _related(instance: Model, field: "Field[Any, Any]", using: str) -> list[Any]:
    related = getattr(instance, field.name).using(using).order_by("pk")
    return [to_plain_value(pk, field.name) for pk in related.values_list("pk", flat=True)]


def _value(field: "Field[Any, Any]", value: Any) -> Any:
    """Convert a value to the field's type, then to payload.

    The first step is necessary because an instance can contain a value of another type. After ``price="9.9"``, for
    example, it contains text instead of a Decimal.
    """
    value = field.to_python(value)
    places = getattr(field, "decimal_places", None)
    if value is not None and places is not None:
        return f"{value:.{places}f}"
    try:
        return to_plain_value(value, field.name)
    except PayloadError:
        # Fields of other apps can have their own Python types, but can convert the values for the database.
        return to_plain_value(field.get_prep_value(value), field.name)
