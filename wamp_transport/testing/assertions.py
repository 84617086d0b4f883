"""What a test says of the code under test, as plain functions; they speak of the router that is active."""

from collections.abc import Mapping, Sequence
from typing import Any

from .records import ANY, Call, Match, Publication
from .router import active_router


def assert_published(
    topic: str,
    args: Sequence[Any] = ANY,
    kwargs: Mapping[str, Any] = ANY,
    *,
    count: int | None = None,
    match: Match = "exact",
) -> list[Publication]:
    """See :meth:`~.recording.Recording.assert_published`."""
    return active_router().recording.assert_published(topic, args, kwargs, count=count, match=match)


def assert_not_published(
    topic: str, args: Sequence[Any] = ANY, kwargs: Mapping[str, Any] = ANY, *, match: Match = "exact"
) -> None:
    """See :meth:`~.recording.Recording.assert_not_published`."""
    active_router().recording.assert_not_published(topic, args, kwargs, match=match)


def assert_called(
    procedure: str,
    args: Sequence[Any] = ANY,
    kwargs: Mapping[str, Any] = ANY,
    *,
    count: int | None = None,
    match: Match = "exact",
) -> list[Call]:
    """See :meth:`~.recording.Recording.assert_called`."""
    return active_router().recording.assert_called(procedure, args, kwargs, count=count, match=match)


def assert_not_called(
    procedure: str, args: Sequence[Any] = ANY, kwargs: Mapping[str, Any] = ANY, *, match: Match = "exact"
) -> None:
    """See :meth:`~.recording.Recording.assert_not_called`."""
    active_router().recording.assert_not_called(procedure, args, kwargs, match=match)
