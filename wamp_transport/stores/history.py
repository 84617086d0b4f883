"""Event history in the database. Events are written in batches, and read when a node starts.

All functions are synchronous: call them in a thread.
"""

import logging
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from django.db.models.functions import Length

from wamp_transport.models import StoredEvent
from wamp_transport.router.effects import Record
from wamp_transport.router.options import HistoryOptions, Match
from wamp_transport.router.records import Publication
from wamp_transport.stores.datetimes import from_column, to_column
from wamp_transport.wamp.messages import Publish, PublishOptions
from wamp_transport.wamp.payload import ABSENT, PYTHON

logger = logging.getLogger(__name__)

STORED_VALUES = "msgpack"
"""The format in which a payload is stored if it exists only as Python values, not in serialized form."""

MAX_TRIMMED_ROWS: Final = 500
"""The maximum number of events that are deleted in one transaction."""


class _Content(msgspec.Struct, array_like=True):
    """The stored content of a publication. A payload that is already serialized keeps its format."""

    payload_format: str
    topic: str
    options: dict[str, Any]
    args: bytes | None
    kwargs: bytes | None
    session_id: int
    authid: str
    authrole: str
    is_disclosed: bool
    trustlevel: int | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Content).decode


def keep(records: Iterable[Record]) -> None:
    """Store publications in the given order. A publication that cannot be encoded is logged and skipped."""
    StoredEvent.objects.bulk_create(row for record in records if (row := _row(record)) is not None)


def past(realm: str, options: HistoryOptions, max_size: int = 0) -> list[Publication]:
    """Return the stored events for a topic or pattern, oldest first.

    If there are more events than the history's limit, or if their total size exceeds ``max_size`` bytes (0 for no
    limit), return only the latest ones.
    """
    rows = _rows(realm, options.match, options.uri)
    first, size = None, 0
    # Read the sizes before the events, which can be far more than fits into memory.
    for row_id, length in rows.order_by("-id").values_list("id", Length("content"))[: options.limit]:
        size += length
        if 0 < max_size < size:
            break
        first = row_id
    return [] if first is None else [_publication(row) for row in rows.filter(id__gte=first).order_by("id")]


def clear(realm: str, match: Match, uri: str) -> int:
    """Delete all stored events for a topic or pattern, in several transactions. Return their number."""
    total = 0
    while deleted := trim(realm, match, uri, 0):
        total += deleted
    return total


def find_all() -> list[tuple[str, Match, str]]:
    """Return the realm, match policy and URI of each history that has stored events."""
    rows = StoredEvent.objects.order_by("realm", "match", "uri").values_list("realm", "match", "uri").distinct()
    return msgspec.convert(list(rows), list[tuple[str, Match, str]])


def trim(realm: str, match: Match, uri: str, count: int) -> int:
    """Delete the oldest events for a topic or pattern, so that the latest ``count`` events are left.

    Delete at most MAX_TRIMMED_ROWS rows, because other writers have to wait while this runs. Return the number of
    deleted rows.
    """
    rows = _rows(realm, match, uri)
    surplus = rows
    if count:
        first = rows.order_by("-id").values_list("id", flat=True)[count - 1 : count].first()
        if first is None:
            return 0
        surplus = rows.filter(id__lt=first)
    last = surplus.order_by("id").values_list("id", flat=True)[MAX_TRIMMED_ROWS - 1 : MAX_TRIMMED_ROWS].first()
    if last is not None:
        surplus = surplus.filter(id__lte=last)
    deleted: int = surplus.delete()[0]
    return deleted


def _rows(realm: str, match: Match, uri: str) -> Any:
    return StoredEvent.objects.filter(realm=realm, match=match, uri=uri)


def _row(record: Record) -> StoredEvent | None:
    try:
        content = _encode(_content(record.publication))
    except (
        TypeError,
        ValueError,
        OverflowError,
    ) as fault:  # a testament can contain Python values that msgpack cannot represent
        logger.warning("The payload of publication %d cannot be stored: %s", record.publication.id, fault)
        return None
    return StoredEvent(
        realm=record.realm,
        match=record.match,
        uri=record.uri,
        publication=record.publication.id,
        time=to_column(record.publication.time),
        content=content,
    )


def _content(publication: Publication) -> _Content:
    message = publication.message
    return _Content(
        payload_format=STORED_VALUES if publication.payload_format == PYTHON else publication.payload_format,
        topic=message.topic,
        options=msgspec.to_builtins(message.options),
        args=None if message.args is ABSENT else _raw(message.args),
        kwargs=None if message.kwargs is ABSENT else _raw(message.kwargs),
        session_id=publication.session_id,
        authid=publication.authid,
        authrole=publication.authrole,
        is_disclosed=publication.is_disclosed,
        trustlevel=publication.trustlevel,
    )


def _raw(payload: Any) -> bytes:
    return bytes(payload) if isinstance(payload, msgspec.Raw) else _encode(payload)


def _publication(row: StoredEvent) -> Publication:
    content = _decode(bytes(row.content))
    message = Publish(
        1,
        msgspec.convert(content.options, PublishOptions),
        content.topic,
        ABSENT if content.args is None else msgspec.Raw(content.args),
        ABSENT if content.kwargs is None else msgspec.Raw(content.kwargs),
    )
    return Publication(
        row.publication,
        message,
        content.payload_format,
        content.session_id,
        content.authid,
        content.authrole,
        content.is_disclosed,
        content.trustlevel,
        from_column(row.time),
    )
