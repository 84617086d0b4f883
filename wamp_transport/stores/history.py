"""Event history in the database. Events are written in batches, and read when a node starts.

All functions are synchronous: call them in a thread.
"""

import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from wamp_transport.models import StoredEvent
from wamp_transport.router.effects import Record
from wamp_transport.router.options import HistoryOptions, Match
from wamp_transport.router.records import Publication
from wamp_transport.stores.datetimes import from_column, to_column
from wamp_transport.wamp.messages import Publish, PublishOptions
from wamp_transport.wamp.payload import ABSENT, PYTHON

logger = logging.getLogger(__name__)

STORED_VALUES = "msgpack"
"""The format in which a payload is stored if it exists only as Python values and is not serialized yet."""


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
    """Store publications in the given order. A publication that cannot be stored is logged and skipped."""
    StoredEvent.objects.bulk_create(row for record in records if (row := _row(record)) is not None)


def past(realm: str, options: HistoryOptions) -> list[Publication]:
    """Return the stored events for a topic or pattern, oldest first. If there are too many, return the latest."""
    rows = _rows(realm, options.match, options.uri).order_by("-id")[: options.limit]
    return [_publication(row) for row in reversed(rows)]


def trim(realm: str, options: HistoryOptions) -> int:
    """Delete the oldest events for a topic or pattern beyond its limit. Return the number of deleted rows."""
    oldest_kept = _rows(realm, options.match, options.uri).order_by("-id")[options.limit - 1 : options.limit]
    first = oldest_kept.values_list("id", flat=True).first()
    if first is None:
        return 0
    deleted: int = _rows(realm, options.match, options.uri).filter(id__lt=first).delete()[0]
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
