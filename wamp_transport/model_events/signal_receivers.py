"""Receivers of Django's model signals. They are connected only for models that have a publisher."""

from collections.abc import Iterable
from typing import Any, Final, Protocol

from django.db.models import Model
from django.db.models.signals import class_prepared, m2m_changed, post_save, pre_delete

from .changes import Change, EventName

RAW_ATTRIBUTE: Final = "_wamp_is_raw"
CLEARED_ROWS_ATTRIBUTE: Final = "_wamp_cleared"
"""Attributes that a receiver sets on an instance to pass information to a later signal of the same operation."""


class Publisher(Protocol):
    """An object that handles changes of a model's rows."""

    model: type[Any]
    topic: Any
    events: frozenset[EventName]
    fields: tuple[str, ...]
    realm: str | None

    def handle_change(self, change: Change[Any]) -> None:
        """Handle a change of a row. Must not raise exceptions."""
        ...


_publishers: dict[tuple[object, ...], Publisher] = {}


def add_publisher(publisher: Publisher) -> None:
    """Start passing changes of the model's rows to the publisher.

    The publisher replaces an earlier one with the same declaration.
    """
    _publishers[_key(publisher)] = publisher
    for model in _with_descendants(publisher.model):
        _connect(model)


def remove_publisher(publisher: Publisher) -> None:
    """Stop passing changes to the publisher."""
    if _publishers.get(_key(publisher)) is publisher:
        del _publishers[_key(publisher)]


def publishers() -> list[Publisher]:
    """Return all publishers."""
    return list(_publishers.values())


def _key(publisher: Publisher) -> tuple[object, ...]:
    """Return a key that identifies the declaration of a publisher.

    If a module with declarations is imported again, the functions in it are new objects, but the keys stay the same.
    """
    topic = publisher.topic
    code = getattr(topic, "__code__", None)
    topic_key = (code.co_filename, code.co_firstlineno) if code is not None else topic
    return publisher.model, topic_key, publisher.events, publisher.realm


def _with_descendants(model: type[Model]) -> set[type[Model]]:
    return {model}.union(*(_with_descendants(child) for child in model.__subclasses__()))


def _connect(model: type[Model]) -> None:
    """Connect the receivers for one model.

    Models without a publisher get no receivers, because Django deletes rows faster if none is connected.
    """
    if model._meta.abstract:
        return
    post_save.connect(_on_saved, sender=model, dispatch_uid=__name__)
    pre_delete.connect(_on_deleted, sender=model, dispatch_uid=__name__)
    for field in model._meta.many_to_many:
        if any(field.name in one.fields for one in _for(model)):
            m2m_changed.connect(_on_related_changed, sender=field.remote_field.through, dispatch_uid=__name__)


def _on_class_prepared(sender: type[Model], **kwargs: Any) -> None:
    """Connect the receivers for a model that was defined after a publisher for one of its parents was added."""
    if any(True for _ in _for(sender)):
        _connect(sender)


class_prepared.connect(_on_class_prepared, dispatch_uid=__name__)


def _for(model: type[Model]) -> Iterable[Publisher]:
    return [one for one in _publishers.values() if issubclass(model, one.model)]


def _on_saved(
    sender: type[Model],
    instance: Model,
    created: bool,
    raw: bool,
    using: str,
    update_fields: frozenset[str] | None = None,
    **kwargs: Any,
) -> None:
    if raw:  # a fixture: related rows may not exist yet
        setattr(instance, RAW_ATTRIBUTE, True)
        return
    for publisher in _for(sender):
        publisher.handle_change(Change("created" if created else "updated", instance, using, update_fields))


def _on_deleted(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Build the event before the row is deleted, while its values can be read. The event is sent after the commit.

    With multi-table inheritance, Django sends the signal once for each table. A publisher uses only the signal for the
    topmost model that it covers.
    """
    concrete = sender._meta.concrete_model or sender
    for publisher in _for(sender):
        if not any(issubclass(parent, publisher.model) for parent in concrete._meta.parents):
            publisher.handle_change(Change("deleted", instance, using))


def _on_related_changed(
    sender: type[Model],
    instance: Model,
    action: str,
    reverse: bool,
    model: type[Model],
    pk_set: set[Any] | None,
    using: str,
    **kwargs: Any,
) -> None:
    """Publish an event for each row whose many-to-many field has changed.

    The changed row is ``instance``. If ``reverse`` is true, the rows of ``model`` with the primary keys in ``pk_set``
    have changed instead.

    Before a reverse ``clear()``, the affected rows are stored on the instance, because Django does not list them
    afterwards.
    """
    if hasattr(instance, RAW_ATTRIBUTE):
        return
    owner = model if reverse else type(instance)
    field = next(one for one in owner._meta.many_to_many if one.remote_field.through is sender)
    if action == "pre_clear" and reverse:
        setattr(
            instance,
            CLEARED_ROWS_ATTRIBUTE,
            set(_rows(owner, using).filter(**{field.name: instance}).values_list("pk", flat=True)),
        )
    if action not in ("post_add", "post_remove", "post_clear"):
        return
    if action == "post_clear" and reverse:
        pk_set = instance.__dict__.pop(CLEARED_ROWS_ATTRIBUTE, set())
    if pk_set is not None and not pk_set:
        return
    rows = _rows(owner, using).filter(pk__in=pk_set).order_by("pk") if reverse and pk_set else (instance,)
    for row in rows:
        for publisher in _for(owner):
            if field.name in publisher.fields:
                publisher.handle_change(Change("updated", row, using, frozenset([field.name])))


def _rows(model: type[Model], using: str) -> Any:
    return model._base_manager.using(using)
