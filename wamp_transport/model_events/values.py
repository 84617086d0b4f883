"""From the fields of a row to payload: the values as the database has them, in types that every client knows."""

from collections.abc import Iterable
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

    What only the database knows, such as the outcome of ``F("stock") - 1``, is asked of it. Raises PayloadError.
    """
    instance = change.instance
    values: dict[str, Any] = {}
    unknown = []
    for name in names:
        field = _field(instance, name)
        if field is None:
            values[name] = plain(getattr(instance, name), name)
        elif field.many_to_many:
            values[name] = _related(instance, field, change.using)
        elif _is_stale(change, field):
            values[name] = None
            unknown.append(field)
        else:
            values[name] = _value(field, field.value_from_object(instance))
    if unknown and change.event != "deleted":
        fresh = _row(change, unknown)
        values |= {field.name: _value(field, one) for field, one in zip(unknown, fresh, strict=True)}
    return values


def _field(instance: Model, name: str) -> "Field[Any, Any] | None":
    try:
        field = instance._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, Field) else None


def _is_stale(change: Change[Any], field: "Field[Any, Any]") -> bool:
    """Whether the instance does not have the value that the database has."""
    if change.event != "deleted" and getattr(field, "generated", False):
        return True
    return hasattr(field.value_from_object(change.instance), "resolve_expression")


def _row(change: Change[Any], fields: "list[Field[Any, Any]]") -> tuple[Any, ...]:
    rows = type(change.instance)._base_manager.using(change.using).filter(pk=change.pk)
    row: tuple[Any, ...] | None = rows.values_list(*(field.attname for field in fields)).first()
    if row is None:
        raise ObjectDoesNotExist(f"{change}, and not there any more")
    return row


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
