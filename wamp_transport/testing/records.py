"""Records of the publications and calls of the code under test, and searches in them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from ..node.client_types import Result
from ..node.payload_values import Unsendable, to_key, to_payload
from ..wamp.errors import PayloadError

Match = Literal["exact", "prefix", "wildcard"]


class _Any:
    """The type of ``ANY``, which matches any value."""

    def __repr__(self) -> str:
        return "any"


ANY: Final[Any] = _Any()


@dataclass(frozen=True)
class RecordedPublication:
    """An event that the code under test published.

    Values have the form in which subscribers receive them: a ``Decimal`` is text, and a tuple is a list. ``refused`` is
    the URI of the error if the router refused the event.
    """

    topic: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any] = field(compare=False)
    realm: str = field(compare=False)
    role: str = field(compare=False)
    refused: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        refusal = f" (refused: {self.refused})" if self.refused is not None else ""
        return in_one_line(self.topic, self.args, self.kwargs) + refusal


@dataclass
class RecordedCall:
    """A call of the code under test. ``result`` or ``error`` is set when the call has ended.

    While progressive results arrive, ``result`` is the latest one.
    """

    procedure: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any] = field(compare=False)
    realm: str = field(compare=False)
    role: str = field(compare=False)
    result: Result | None = field(default=None, compare=False)
    error: BaseException | None = field(default=None, compare=False)

    def __str__(self) -> str:
        failure = f" (failed: {self.error})" if self.error is not None else ""
        return in_one_line(self.procedure, self.args, self.kwargs) + failure


@dataclass(frozen=True)
class RecordedFailure:
    """An unexpected exception of a handler. It is also logged."""

    uri: str
    handler: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.handler} ({self.uri}): {type(self.error).__name__}: {self.error}"


@dataclass(frozen=True)
class Query:
    """The criteria of a search for recorded publications or calls. ANY, the default, matches all values."""

    uri: str
    args: Any = ANY
    kwargs: Any = ANY
    match: Match = "exact"

    def matches(self, uri: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Return whether a publication or call matches."""
        return (
            self._matches_uri(uri)
            and (self.args is ANY or bool(as_received(list(self.args)) == list(args)))
            and (self.kwargs is ANY or bool(as_received(dict(self.kwargs)) == dict(kwargs)))
        )

    def _matches_uri(self, uri: str) -> bool:
        if self.match == "exact":
            return uri == self.uri
        if self.match == "prefix":
            return uri.startswith(self.uri)
        pattern, parts = self.uri.split("."), uri.split(".")
        return len(pattern) == len(parts) and all(one in ("", other) for one, other in zip(pattern, parts, strict=True))

    def __str__(self) -> str:
        name = self.uri if self.match == "exact" else f"{self.uri!r} (match={self.match!r})"
        terms = [f"args {self.args!r}"] if self.args is not ANY else []
        terms += [f"kwargs {self.kwargs!r}"] if self.kwargs is not ANY else []
        return f"{name} with {', '.join(terms)}" if terms else name


Record = TypeVar("Record", RecordedPublication, RecordedCall)


def find_records(
    query: Query,
    count: int | None,
    records: Sequence[Record],
    matches: Callable[[Record], bool],
    verb: str,
    hints: Iterable[str] = (),
) -> list[Record]:
    """Return the matching records.

    Raises AssertionError if their number is not ``count``, or if ``count`` is None and no record matches. The message
    of the error lists all records, and contains ``verb`` ("published" or "called") and ``hints``.
    """
    found = [one for one in records if matches(one)]
    if len(found) == count or (count is None and found):
        return found
    if count == 0:
        first = f"{query} was {verb} {times(len(found))}."
    elif count is None or not found:
        first = f"{query} was not {verb}."
    else:
        first = f"{query} was {verb} {times(len(found))}, not {times(count)}."
    raise AssertionError("\n".join([first, *numbered(f"What was {verb}:", records, f"Nothing was {verb}."), *hints]))


def numbered(title: str, records: Sequence[object], nothing: str) -> list[str]:
    """Return the lines of a numbered list with a title.

    If there are no records, return only the line ``nothing``, or no line if it is empty.
    """
    if not records:
        return [nothing] if nothing else []
    return [title, *(f"  {number}. {one}" for number, one in enumerate(records, 1))]


def times(count: int) -> str:
    """Return a number of times as text, such as "twice" or "3 times"."""
    return {0: "not once", 1: "once", 2: "twice"}.get(count, f"{count} times")


def in_one_line(uri: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> str:
    """Return a publication or call as one line of text."""
    return f"{uri} args {list(args)!r} kwargs {dict(kwargs or {})!r}"


def as_received(value: Any) -> Any:
    """Convert a value to the form in which other clients receive it.

    Values that cannot be sent, such as ``mock.ANY``, are unchanged.
    """
    if isinstance(value, list | tuple | set | frozenset):
        return [as_received(one) for one in value]
    if isinstance(value, Mapping):
        return {_received_key(key): as_received(one) for key, one in value.items()}
    try:
        return to_payload([value])[0]
    except PayloadError:
        return value


def _received_key(key: Any) -> Any:
    try:
        return to_key(key)
    except Unsendable:
        return key
