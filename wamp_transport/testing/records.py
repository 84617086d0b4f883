"""What the code under test has published and called, and how a test looks for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from ..node.client_types import Result
from ..node.payload_values import given
from ..wamp.errors import PayloadError

Match = Literal["exact", "prefix", "wildcard"]


class _Any:
    """Stands for any value."""

    def __repr__(self) -> str:
        return "any"


ANY: Final[Any] = _Any()


@dataclass(frozen=True)
class Publication:
    """An event that the code under test has published.

    ``refused`` is the URI of the error where the router did not take it. Values are what subscribers get: a
    ``Decimal`` has become text, a tuple a list.
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
        return said(self.topic, self.args, self.kwargs) + refusal


@dataclass
class Call:
    """A call that the code under test has made. ``result`` or ``error`` are there once it has ended."""

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
        return said(self.procedure, self.args, self.kwargs) + failure


@dataclass(frozen=True)
class Failure:
    """An exception that a handler has raised and that says nothing to callers. The log has it as well."""

    uri: str
    handler: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.handler} ({self.uri}): {type(self.error).__name__}: {self.error}"


@dataclass(frozen=True)
class Wanted:
    """What a test looks for. Arguments that are ANY, the default, fit whatever was sent."""

    uri: str
    args: Any = ANY
    kwargs: Any = ANY
    match: Match = "exact"

    def fits(self, uri: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether something sent is it."""
        return (
            self._covers(uri)
            and (self.args is ANY or bool(plain(list(self.args)) == list(args)))
            and (self.kwargs is ANY or bool(plain(dict(self.kwargs)) == dict(kwargs)))
        )

    def _covers(self, uri: str) -> bool:
        if self.match == "exact":
            return uri == self.uri
        if self.match == "prefix":
            return uri.startswith(self.uri)
        pattern, given_ = self.uri.split("."), uri.split(".")
        return len(pattern) == len(given_) and all(
            one in ("", other) for one, other in zip(pattern, given_, strict=True)
        )

    def __str__(self) -> str:
        name = self.uri if self.match == "exact" else f"{self.uri!r} (match={self.match!r})"
        wanted = [f"args {self.args!r}"] if self.args is not ANY else []
        wanted += [f"kwargs {self.kwargs!r}"] if self.kwargs is not ANY else []
        return f"{name} with {', '.join(wanted)}" if wanted else name


Record = TypeVar("Record", Publication, Call)


def looked_for(
    wanted: Wanted,
    count: int | None,
    records: Sequence[Record],
    fits: Callable[[Record], bool],
    done: str,
    hints: Iterable[str] = (),
) -> list[Record]:
    """The records that fit: ``count`` of them, or one at least. Raises AssertionError, which lists what there is."""
    found = [one for one in records if fits(one)]
    if len(found) == count or (count is None and found):
        return found
    if count == 0:
        first = f"{wanted} was {done} {times(len(found))}."
    elif count is None or not found:
        first = f"{wanted} was not {done}."
    else:
        first = f"{wanted} was {done} {times(len(found))}, not {times(count)}."
    raise AssertionError("\n".join([first, *listed(f"What was {done}:", records, f"Nothing was {done}."), *hints]))


def listed(title: str, records: Sequence[object], nothing: str) -> list[str]:
    """Lines that number the records."""
    if not records:
        return [nothing] if nothing else []
    return [title, *(f"  {number}. {one}" for number, one in enumerate(records, 1))]


def times(count: int) -> str:
    """A number, as people say it."""
    return {0: "not once", 1: "once", 2: "twice"}.get(count, f"{count} times")


def said(uri: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> str:
    """A message as one line."""
    return f"{uri} args {list(args)!r} kwargs {dict(kwargs or {})!r}"


def plain(value: Any) -> Any:
    """``value`` as it would arrive; what cannot be sent, such as ``unittest.mock.ANY``, stays as it is."""
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    try:
        return given([value])[0]
    except PayloadError:
        return value
