"""``publish_model_events()`` and the object that it returns, which publishes an event when a row changes."""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, get_args

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from .. import api
from ..api.session import PendingPublication
from ..handlers.results import to_plain_value
from ..project_code import call_guarded
from ..wamp.messages import PublishOptions
from ..wamp.uris import is_reserved, is_uri
from . import signal_receivers
from .changes import Change, EventName, Row
from .pending_events import PendingEvent, next_commit
from .values import checked_names, is_column, values_of

logger = logging.getLogger(__name__)


class ModelEventPublisher(Generic[Row]):
    """A publisher of events for a model's rows.

    It is created by :func:`publish_model_events`, which explains the options.
    """

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
        self.fields = checked_names(model, fields)
        self.realm = realm
        self._session = api.Session(realm=realm, timeout=None)
        self._serialize = serialize
        self._when = when
        self._options = options
        self._includes_update_fields = update_fields
        self._is_unconfigured = False
        unknown = self.events - set(get_args(EventName))
        if unknown or not self.events:
            known = ", ".join(get_args(EventName))
            raise ImproperlyConfigured(f"events of {model._meta.label} are {sorted(unknown)}; there are {known}")
        if isinstance(topic, str) and (not is_uri(topic, loose=True) or is_reserved(topic)):
            raise ImproperlyConfigured(f"events of {model._meta.label} cannot have the topic {topic!r}")

    @property
    def topic_name(self) -> str:
        """The topic without the name of the event, or the name of the function that returns the topic."""
        return self.topic if isinstance(self.topic, str) else f"{self.topic.__module__}.{self.topic.__qualname__}()"

    def publish(
        self,
        event: EventName,
        instance: Row,
        *,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Publish the event for a change that sends no Django signal, such as a queryset's ``update()``.

        As with all model events, the event is sent after the commit, and failures are logged.
        """
        database = using or instance._state.db or DEFAULT_DB_ALIAS
        self.handle_change(
            Change(event, instance, database, None if update_fields is None else frozenset(update_fields))
        )

    def handle_change(self, change: Change[Row]) -> None:
        """Publish the event for a change after the commit, with the values that the row has now. Log exceptions."""
        if change.event not in self.events:
            return
        try:
            call_guarded(self._publish, change)
        except Exception:  # a failing hook must not prevent the row from being saved
            logger.exception("%s: no event can be made of it", change)

    def _publish(self, change: Change[Row]) -> None:
        with self._savepoint(change.using):
            event = None if self._when is not None and not self._when(change) else self._pending_event(change)
        if event is not None:
            event.send_after_commit(change.using)

    def _savepoint(self, using: str) -> AbstractContextManager[None]:
        """Return a context manager that creates a savepoint, if building the event can query the database.

        Without a savepoint, a failed query would break the transaction in which the row is saved.
        """
        hooks = (self._when, self._serialize, self.topic, self._options)
        has_only_columns = all(is_column(self.model, name) for name in self.fields)
        if (has_only_columns and not any(map(callable, hooks))) or not connections[using].in_atomic_block:
            return nullcontext()
        return transaction.atomic(using)

    def on_failed(self, event: PendingEvent, fault: Exception) -> None:
        """Log that an event could not be published. If the API is not configured, log this only once."""
        if isinstance(fault, api.NotConfigured):
            # All events of this process fail in the same way, so the problem is logged once.
            if not self._is_unconfigured:
                logger.warning("%s was not published, and later events will not be either: %s", event.change, fault)
            self._is_unconfigured = True
        elif isinstance(fault, api.WampError):
            logger.error("%s was not published on %s: %s", event.change, event.publication.topic, fault)
        else:
            logger.error("%s was not published on %s", event.change, event.publication.topic, exc_info=fault)

    def _pending_event(self, change: Change[Row]) -> PendingEvent:
        topic = f"{self.topic if isinstance(self.topic, str) else self.topic(change)}.{change.event}"
        options = self._options(change) if callable(self._options) else self._options
        kwargs = values_of(change, self.fields)
        if self._serialize is not None:
            kwargs |= to_plain_value(dict(self._serialize(change)), "serialize()")
        if self._includes_update_fields and change.update_fields is not None:
            kwargs["update_fields"] = sorted(change.update_fields)
        publication = PendingPublication.of(topic, [to_plain_value(change.pk, "pk")], kwargs, options, self._session)
        return PendingEvent(str(change), publication, self.on_failed, next_commit(change.using))


def publish_model_events(
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
) -> ModelEventPublisher[Row]:
    """Publish an event for each row of ``model`` that is created, updated or deleted, when the change is committed.

    The topic is ``<topic>.created``, ``<topic>.updated`` or ``<topic>.deleted``. The only positional argument is the
    primary key; the keyword arguments are the values of ``fields``. Changes for which Django sends no signal, such as
    ``QuerySet.update()``, publish nothing; see :meth:`ModelEventPublisher.publish`.

    ``topic`` can be a function, for topics that depend on the row. ``serialize`` returns additional keyword arguments.
    ``when`` returns whether to publish an event. ``options``, or a function that returns them, can limit who receives
    the event, for example with ``eligible_authrole``. All these functions are called with a :class:`Change`, before
    the commit. If ``update_fields`` is true, the event lists the saved fields, provided that they are known.

    Rows of child and proxy models are included. A declaration replaces an earlier one with the same model, topic,
    events and realm. Raises ImproperlyConfigured if an argument is invalid.
    """
    caller = sys._getframe(1)
    where = f"{caller.f_code.co_filename}:{caller.f_lineno}"
    publisher = ModelEventPublisher(model, topic, fields, events, serialize, when, options, update_fields, realm, where)
    signal_receivers.add_publisher(publisher)
    return publisher


def registered_publishers() -> list[ModelEventPublisher[Any]]:
    """Return all publishers of this process, in the order in which they were declared."""
    return [one for one in signal_receivers.publishers() if isinstance(one, ModelEventPublisher)]
