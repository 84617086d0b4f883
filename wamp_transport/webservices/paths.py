"""Find the service for the path of a request in a tree of path segments. The most specific path wins.

The code that mounts services looks up each request in a `PathTable`. It then calls the service with a scope from
`mounted`, in which the key `REST` contains the segments after the path of the service.
"""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote_to_bytes

from django.conf import settings

T = TypeVar("T")

REST = "wamp_transport.rest"
"""A key in the ASGI scope. Its value is a tuple of the decoded segments after the path of the service.

For a service at `/docs`, the value is `()` for the path `/docs`, and `("",)` for `/docs/`.
"""

_ABSOLUTE_FORM = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


def raw_path(scope: Mapping[str, Any]) -> str:
    """Return the path of a request as the client sent it, percent-encoded and without the query."""
    raw = scope.get("raw_path")
    if raw is None:
        # `raw_path` is optional in ASGI. Encoding `path` again gives the same result, except for encoded slashes.
        return quote(scope["path"])
    path = bytes(raw).decode("latin-1").partition("?")[0]
    # A request line may contain a complete URL (RFC 9112, section 3.2.2), which the server passes on unchanged.
    match = _ABSOLUTE_FORM.match(path)
    return (path[match.end() :] or "/") if match else path


def site_prefix(root_path: str | None) -> tuple[str, ...]:
    """Return the segments of the site's path prefix, as Django determines it; empty if the site is at the path `/`.

    `root_path` is the value in the ASGI scope. The setting FORCE_SCRIPT_NAME takes precedence. The paths of requests
    begin with the prefix, unless a proxy removes it.
    """
    prefix = settings.FORCE_SCRIPT_NAME or root_path or ""
    return tuple(segment for segment in prefix.split("/") if segment)


def without_prefix(segments: tuple[str, ...], prefix: tuple[str, ...]) -> tuple[str, ...]:
    """Return the segments after the prefix of the site; all segments if they do not begin with the prefix."""
    depth = len(prefix)
    if not depth or segments[:depth] != prefix:
        return segments
    return segments[depth:] or ("",)


def segments_of(path: str) -> tuple[str, ...] | None:
    """Split a percent-encoded path into decoded segments, or return None if it does not begin with a slash.

    Segments are decoded after splitting, so `%2F` is a character of its segment and never a separator. Empty segments
    are kept (`/ws/` is `("ws", "")`), and dots are not special (`/a/../b` has three segments). Bytes that are not UTF-8
    become U+FFFD, which no configured path contains.
    """
    if not path.startswith("/"):
        return None
    if "%" not in path:
        return tuple(path[1:].split("/"))
    return tuple(unquote_to_bytes(part).decode("utf-8", "replace") for part in path[1:].split("/"))


def rest_of(scope: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the segments after the path of a service, as set by `mounted`.

    If they are not set, return all segments of the path, or None for a path that does not begin with a slash, such as
    `*`.
    """
    rest = scope.get(REST)
    return segments_of(raw_path(scope)) if rest is None else tuple(rest)


def mounted(scope: Mapping[str, Any], rest: tuple[str, ...]) -> MutableMapping[str, Any]:
    """Return a copy of the scope that also contains `rest`, the segments after the path of the service."""
    return {**scope, REST: rest}


class _Node(Generic[T]):
    """A node of the tree. `mounts` contains the service that is mounted at this node, if any."""

    __slots__ = ("children", "mounts")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.mounts: list[T] = []


class PathTable(Generic[T]):
    """A table of the services of one web transport, by path. The path of the service at `/` is `()`.

    Raises ValueError for a repeated path, and for a segment that is empty or contains a slash.
    """

    def __init__(self, entries: Iterable[tuple[tuple[str, ...], T]]) -> None:
        self._root: _Node[T] = _Node()
        self._last: tuple[tuple[str, tuple[str, ...]], tuple[T, tuple[str, ...]] | None] = (("", ()), None)
        for segments, service in entries:
            node = self._root
            for segment in segments:
                if not segment or "/" in segment:
                    raise ValueError(f"not a path segment: {segment!r}")
                node = node.children.setdefault(segment, _Node())
            if node.mounts:
                raise ValueError(f"two services at /{'/'.join(segments)}")
            node.mounts.append(service)

    def resolve(self, path: str, prefix: tuple[str, ...] = ()) -> tuple[T, tuple[str, ...]] | None:
        """Return the service for a percent-encoded path (see `raw_path`), and the remaining segments of the path.

        The service with the longest matching path wins. Return None if no service has this path. `prefix` is the path
        prefix of the site (see `site_prefix`). `path` may, but need not, begin with this prefix. The configured paths
        of services usually do not.
        """
        last, found = self._last
        if (path, prefix) != last:  # most requests have the same path as the previous one
            found = self._find(path, prefix)
            self._last = ((path, prefix), found)
        return found

    def _find(self, path: str, prefix: tuple[str, ...]) -> tuple[T, tuple[str, ...]] | None:
        whole = segments_of(path)
        if whole is None:
            return None
        segments = without_prefix(whole, prefix)
        found, depth = self._walk(segments)
        if segments is not whole:
            # A service can also be configured at its path including the prefix.
            alternative, alternative_depth = self._walk(whole)
            if alternative and (not found or alternative_depth > depth):
                found, depth, segments = alternative, alternative_depth, whole
        return (found[0], segments[depth:]) if found else None

    def _walk(self, segments: tuple[str, ...]) -> tuple[list[T], int]:
        """Find the service whose path is the longest prefix of `segments`.

        Return a list with this service (empty if there is none) and the length of its path.
        """
        node, found, depth = self._root, self._root.mounts, 0
        for position, segment in enumerate(segments, start=1):
            child = node.children.get(segment)
            if child is None:
                break
            node = child
            if node.mounts:
                found, depth = node.mounts, position
        return found, depth
