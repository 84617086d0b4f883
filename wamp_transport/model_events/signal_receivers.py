"""Django's signals of the models that events are declared for."""

from collections.abc import Iterable
from typing import Any, Final, Protocol

from django.db.models import Model
from django.db.models.signals import class_prepared, m2m_changed, post_save, pre_delete

from .changes import Change, EventName

RAW: Final = "_wamp_is_raw"
CLEARED: Final = "_wamp_cleared"
"""Attributes that are left on an instance between two signals of the same action."""


class Declared(Protocol):
    """What is to be told of a change."""

    model: type[Any]
    topic: Any
    events: frozenset[EventName]
    fields: tuple[str, ...]
    realm: str | None

    def take(self, change: Change[Any]) -> None:
        """The row has changed; nothing is raised."""
        ...


_declared: dict[tuple[object, ...], Declared] = {}


def watch(declared: Declared) -> None:
    """From now on ``declared`` takes the changes of its model."""
    _declared[_key(declared)] = declared
    for model in _with_descendants(declared.model):
        _connect(model)


def forget(declared: Declared) -> None:
    """It takes no more."""
    if _declared.get(_key(declared)) is declared:
        del _declared[_key(declared)]


def declared() -> list[Declared]:
    """All that are being told."""
    return list(_declared.values())


def _key(declared: Declared) -> tuple[object, ...]:
    """A module that is imported again declares the same once more; functions are then others, at the same place."""
    topic = declared.topic
    code = getattr(topic, "__code__", None)
    said = (code.co_filename, code.co_firstlineno) if code is not None else topic
    return declared.model, said, declared.events, declared.realm


def _with_descendants(model: type[Model]) -> set[type[Model]]:
    return {model}.union(*(_with_descendants(child) for child in model.__subclasses__()))


def _connect(model: type[Model]) -> None:
    """Sender by sender, as Django deletes rows of models without receivers quicker."""
    if model._meta.abstract:
        return
    post_save.connect(_saved, sender=model, dispatch_uid=__name__)
    pre_delete.connect(_deleted, sender=model, dispatch_uid=__name__)
    for field in model._meta.many_to_many:
        if any(field.name in one.fields for one in _for(model)):
            m2m_changed.connect(_related, sender=field.remote_field.through, dispatch_uid=__name__)


def _connect_later(sender: type[Model], **kwargs: Any) -> None:
    """A model that is defined after a declaration for one that it descends from."""
    if any(True for _ in _for(sender)):
        _connect(sender)


class_prepared.connect(_connect_later, dispatch_uid=__name__)


def _for(model: type[Model]) -> Iterable[Declared]:
    return [one for one in _declared.values() if issubclass(model, one.model)]


def _saved(
    sender: type[Model],
    instance: Model,
    created: bool,
    raw: bool,
    using: str,
    update_fields: frozenset[str] | None = None,
    **kwargs: Any,
) -> None:
    if raw:  # a fixture: the rows around it may not be there yet
        setattr(instance, RAW, True)
        return
    for declared in _for(sender):
        declared.take(Change("created" if created else "updated", instance, using, update_fields))


def _deleted(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Before it happens, as long as the values are there; Django does it in a transaction, which may yet fail.

    Of a row in several tables it tells once for each of them.
    """
    concrete = sender._meta.concrete_model or sender
    for declared in _for(sender):
        if not any(issubclass(parent, declared.model) for parent in concrete._meta.parents):
            declared.take(Change("deleted", instance, using))


def _related(
    sender: type[Model],
    instance: Model,
    action: str,
    reverse: bool,
    model: type[Model],
    pk_set: set[Any] | None,
    using: str,
    **kwargs: Any,
) -> None:
    """The rows at the other end of a many-to-many field have changed; or those at this end, where ``reverse``."""
    if hasattr(instance, RAW):
        return
    owner = model if reverse else type(instance)
    field = next(one for one in owner._meta.many_to_many if one.remote_field.through is sender)
    if action == "pre_clear" and reverse:
        setattr(
            instance, CLEARED, set(_rows(owner, using).filter(**{field.name: instance}).values_list("pk", flat=True))
        )
    if action not in ("post_add", "post_remove", "post_clear"):
        return
    if action == "post_clear" and reverse:
        pk_set = instance.__dict__.pop(CLEARED, set())
    if pk_set is not None and not pk_set:
        return
    rows = _rows(owner, using).filter(pk__in=pk_set).order_by("pk") if reverse and pk_set else (instance,)
    for row in rows:
        for declared in _for(owner):
            if field.name in declared.fields:
                declared.take(Change("updated", row, using, frozenset([field.name])))


def _rows(model: type[Model], using: str) -> Any:
    return model._base_manager.using(using)
