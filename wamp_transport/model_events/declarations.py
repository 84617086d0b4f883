"""The declaration that a model's rows are told of, and the events that it makes of a change."""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, get_args

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from .. import api
from ..api.functions import Unpublished
from ..handlers.results import plain
from ..wamp.messages import PublishOptions
from ..wamp.uris import is_reserved, is_uri
from . import signal_receivers
from .changes import Change, EventName, Row
from .pending_events import Told, next_commit
from .values import checked, is_column, values_of

logger = logging.getLogger(__name__)


class ModelEvents(Generic[Row]):
    """A declaration; :func:`model_events` makes and explains it."""

    def __init__(
        self,
        model: type[Row],
        topic: str | Callable[[Change[Row]], str],
        fields: Iterable[str],
        events: Iterable[EventName],
        serialize: Callable[[Change[Row]], Mapping[str, object]] | None,
        when: Callable[[Change[Row]], bool] | None,
        options: PublishOptions | Callable[[Change[Row]], PublishOptions] | None,
        update_fields: bool,
        realm: str | None,
        where: str,
    ) -> None:
        self.where = where
        self.model = model
        self.topic = topic
        self.events = frozenset(events)
        self.fields = checked(model, fields)
        self.realm = realm
        self._serialize = serialize
        self._when = when
        self._options = options
        self._tells_update_fields = update_fields
        self._is_unconfigured = False
        unknown = self.events - set(get_args(EventName))
        if unknown or not self.events:
            known = ", ".join(get_args(EventName))
            raise ImproperlyConfigured(f"events of {model._meta.label} are {sorted(unknown)}; there are {known}")
        if isinstance(topic, str) and (not is_uri(topic, loose=True) or is_reserved(topic)):
            raise ImproperlyConfigured(f"events of {model._meta.label} cannot have the topic {topic!r}")

    @property
    def topic_name(self) -> str:
        """The topic without its last part, or the name of the function that says it."""
        return self.topic if isinstance(self.topic, str) else f"{self.topic.__module__}.{self.topic.__qualname__}()"

    def publish(
        self,
        event: EventName,
        instance: Row,
        *,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Tell of a change that Django sends no signal for, such as that of a queryset's ``update``.

        As for all others: after the commit, and if it fails that is logged.
        """
        database = using or instance._state.db or DEFAULT_DB_ALIAS
        self.take(Change(event, instance, database, None if update_fields is None else frozenset(update_fields)))

    def take(self, change: Change[Row]) -> None:
        """Publish the event after the commit, with the values of now. What goes wrong is logged."""
        if change.event not in self.events:
            return
        try:
            with self._apart(change.using):
                told = None if self._when is not None and not self._when(change) else self._told(change)
            if told is not None:
                told.send_after_commit(change.using)
        except Exception:  # whatever a hook does, the row is more important
            logger.exception("%s: no event can be made of it", change)

    def _apart(self, using: str) -> AbstractContextManager[None]:
        """Where hooks may ask the database: a query that fails must not take the transaction of the row with it."""
        hooks = (self._when, self._serialize, self.topic, self._options)
        is_plain = all(is_column(self.model, name) for name in self.fields)
        if (is_plain and not any(map(callable, hooks))) or not connections[using].in_atomic_block:
            return nullcontext()
        return transaction.atomic(using)

    def failed(self, told: Told, fault: Exception) -> None:
        """An event was not published: that is logged, and harms nobody."""
        if isinstance(fault, api.NotConfigured):
            # Every row saved in such a process meets the same, so it is told once.
            if not self._is_unconfigured:
                logger.warning("%s was not published, and so it is with those to come: %s", told.change, fault)
            self._is_unconfigured = True
        elif isinstance(fault, api.WampError):
            logger.error("%s was not published on %s: %s", told.change, told.publication.topic, fault)
        else:
            logger.error("%s was not published on %s", told.change, told.publication.topic, exc_info=fault)

    def _told(self, change: Change[Row]) -> Told:
        topic = f"{self.topic if isinstance(self.topic, str) else self.topic(change)}.{change.event}"
        options = self._options(change) if callable(self._options) else self._options
        kwargs = values_of(change, self.fields)
        if self._serialize is not None:
            kwargs |= plain(dict(self._serialize(change)), "serialize()")
        if self._tells_update_fields and change.update_fields is not None:
            kwargs["update_fields"] = sorted(change.update_fields)
        publication = Unpublished.of(topic, [plain(change.pk, "pk")], kwargs, options, self.realm, None, None)
        return Told(str(change), publication, self.failed, next_commit(change.using))


def model_events(
    model: type[Row],
    topic: str | Callable[[Change[Row]], str],
    *,
    fields: Iterable[str] = (),
    events: Iterable[EventName] = ("created", "updated", "deleted"),
    serialize: Callable[[Change[Row]], Mapping[str, object]] | None = None,
    when: Callable[[Change[Row]], bool] | None = None,
    options: PublishOptions | Callable[[Change[Row]], PublishOptions] | None = None,
    update_fields: bool = False,
    realm: str | None = None,
) -> ModelEvents[Row]:
    """Publish an event whenever a row of ``model`` was created, updated or deleted: after the commit, from any process.

    It comes on ``<topic>.created``, ``<topic>.updated`` or ``<topic>.deleted``, with the primary key as its only
    argument and the values of ``fields`` as keyword arguments. ``topic`` may be a function, for topics that depend on
    the row. ``serialize`` gives more keyword arguments. ``when`` says whether there is an event. ``options`` of the
    publication say who may hear it, ``eligible_authrole`` for one. All these functions are given a :class:`Change`,
    when the row is saved. ``update_fields``: whether the event tells which fields were saved, where that is known.

    A row of a child or proxy of the model is one of its own. A declaration for the same model, topic, events and realm
    replaces the one before. Raises ImproperlyConfigured.
    """
    caller = sys._getframe(1)
    where = f"{caller.f_code.co_filename}:{caller.f_lineno}"
    declared = ModelEvents(model, topic, fields, events, serialize, when, options, update_fields, realm, where)
    signal_receivers.watch(declared)
    return declared


def declared_events() -> list[ModelEvents[Any]]:
    """All declarations of this process, in their order."""
    return [one for one in signal_receivers.declared() if isinstance(one, ModelEvents)]
