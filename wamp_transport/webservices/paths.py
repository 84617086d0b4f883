"""Finds the service of a web transport for a path, in a tree of path segments. The most specific path wins.

The mounting code resolves the path of a request and calls the service with a scope from `mounted`, in which `REST`
contains the segments after the path of the service.
"""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote_to_bytes

T = TypeVar("T")

REST = "wamp_transport.rest"
"""Scope key: the decoded segments after the path of the service, as a tuple.

`()` means that the path ended without a slash where the service is mounted (`/docs`), `("",)` that it ended with
one (`/docs/`)."""

_ABSOLUTE_FORM = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


def raw_path(scope: Mapping[str, Any]) -> str:
    """Return the path of a request as it was sent, percent-encoded and without the query."""
    raw = scope.get("raw_path")
    if raw is None:
        # It is optional in ASGI. The path encoded again differs only in slashes that were encoded.
        return quote(scope["path"])
    path = bytes(raw).decode("latin-1").partition("?")[0]
    # A request line may carry a whole URL (RFC 9112, section 3.2.2); the server passes it on unchanged.
    match = _ABSOLUTE_FORM.match(path)
    return (path[match.end() :] or "/") if match else path


def segments_of(path: str) -> tuple[str, ...] | None:
    """Split a percent-encoded path into decoded segments, or return None if it does not begin with a slash.

    Decoding comes after splitting, so `%2F` is a character of its segment and never a separator. Empty segments
    are kept (`/ws/` is `("ws", "")`), and dots are not special (`/a/../b` has three segments). Bytes that are not UTF-8
    become U+FFFD, which no configured path contains.
    """
    if not path.startswith("/"):
        return None
    if "%" not in path:
        return tuple(path[1:].split("/"))
    return tuple(unquote_to_bytes(part).decode("utf-8", "replace") for part in path[1:].split("/"))


def rest_of(scope: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the segments after the path of a service: those set by `mounted`, else all segments of the path.

    Returns None for a path that does not begin with a slash, such as `*`.
    """
    rest = scope.get(REST)
    return segments_of(raw_path(scope)) if rest is None else tuple(rest)


def mounted(scope: Mapping[str, Any], rest: tuple[str, ...]) -> MutableMapping[str, Any]:
    """Return a copy of the scope for a service, with the segments after its path. The path itself is unchanged."""
    return {**scope, REST: rest}


class _Node(Generic[T]):
    """A node of the tree. `mounts` contains the service that is mounted at this segment, if any."""

    __slots__ = ("children", "mounts")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.mounts: list[T] = []


class PathTable(Generic[T]):
    """The services of one web transport by path; `()` is the path of the service at `/`.

    Raises ValueError for a repeated path, and for a segment that is empty or contains a slash.
    """

    def __init__(self, entries: Iterable[tuple[tuple[str, ...], T]]) -> None:
        self._root: _Node[T] = _Node()
        self._last: tuple[str, tuple[T, tuple[str, ...]] | None] = ("", None)
        for segments, service in entries:
            node = self._root
            for segment in segments:
                if not segment or "/" in segment:
                    raise ValueError(f"not a path segment: {segment!r}")
                node = node.children.setdefault(segment, _Node())
            if node.mounts:
                raise ValueError(f"two services at /{'/'.join(segments)}")
            node.mounts.append(service)

    def resolve(self, path: str) -> tuple[T, tuple[str, ...]] | None:
        """Return the service for a percent-encoded path (see `raw_path`) and the segments left after its own.

        The service with the longest matching path wins. None means that no service answers this path.
        """
        last, found = self._last
        if path != last:  # most requests are for the same path as the one before
            found = self._find(path)
            self._last = (path, found)
        return found

    def _find(self, path: str) -> tuple[T, tuple[str, ...]] | None:
        segments = segments_of(path)
        if segments is None:
            return None
        node, found, depth = self._root, self._root.mounts, 0
        for position, segment in enumerate(segments, start=1):
            child = node.children.get(segment)
            if child is None:
                break
            node = child
            if node.mounts:
                found, depth = node.mounts, position
        return (found[0], segments[depth:]) if found else None
