"""Map request paths to the files in a directory, with an index or with a lookup on disk for each request.

The package WhiteNoise determines media types, compressed variants and caching. The module `boundary` decides which
files may be served, and the module `file_answer` sends them.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from logging import getLogger
from typing import Any, Protocol

from whitenoise.base import WhiteNoise
from whitenoise.responders import IsDirectoryError, NotARegularFileError

from wamp_transport.webservices.boundary import Boundary, is_public

logger = getLogger(__name__)

INDEX_FILE = "index.html"

# Browsers decompress these files only if the response has a Content-Encoding.
_PACKED_TYPES = (".svgz", ".jgz")
_MORE_MIME_TYPES = {".jgz": "text/javascript"}

_MIME_KEY = re.compile(r"\.?[^/\\\s.][^/\\\s]*")
_MIME_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:;[ \t]*[\x20-\x7e]+)?", re.ASCII)

# WhiteNoise appends this to every text type, even if the type already has a charset.
_ADDED_CHARSET = '; charset="utf-8"'

# These headers are computed from the open file, because the file may have changed since it was indexed.
_VOLATILE = frozenset({"content-length", "last-modified", "etag"})


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of a served file: the file itself, if `encoding` is empty, or a compressed copy on disk."""

    encoding: str
    path: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file that a service serves, with its variants (compressed or not), the smallest first."""

    path: str
    variants: tuple[Variant, ...]


class Elsewhere(Enum):
    """A result of a lookup that is answered with a redirect instead of a file."""

    WITH_SLASH = "a directory with an index file, named without its trailing slash"


Found = ServedFile | Elsewhere | None


class FileSource(Protocol):
    """A source of a service's files. Both methods may access the disk: call them in a thread."""

    def find(self, rest: Sequence[str]) -> Found:
        """Return the file or the redirect for a request; None if there is neither.

        `rest` contains the decoded path segments after the path of the service.
        """

    def allows(self, path: str) -> bool:
        """Return whether a file that was found earlier may still be served."""


class FileTypes:
    """The rules for the HTTP headers of a service's files.

    - `cache_timeout`: the time, in seconds, for which browsers may cache files; None sends no Cache-Control
    - `mime_types`: additional media types by extension, such as `.glb`
    - `allow_cross_origin`: whether pages of all origins may read the files
    - `is_immutable(path, name)`: a function that returns whether the content of a file with this name never changes

    Raises ValueError for a negative timeout, and for an invalid extension or media type.
    """

    def __init__(
        self,
        *,
        cache_timeout: int | None,
        mime_types: Mapping[str, str] | None = None,
        allow_cross_origin: bool = False,
        is_immutable: Callable[[str, str], bool] | None = None,
    ) -> None:
        if cache_timeout is not None and cache_timeout < 0:
            raise ValueError(f"cache timeout below zero: {cache_timeout}")
        types = dict(_MORE_MIME_TYPES)
        for extension, media_type in (mime_types or {}).items():
            if not _MIME_KEY.fullmatch(extension) or not _MIME_TYPE.fullmatch(media_type):
                raise ValueError(f"not a media type by extension: {extension!r}: {media_type!r}")
            types["." + extension.lower().removeprefix(".")] = media_type
        self._whitenoise = WhiteNoise(
            None,
            max_age=cache_timeout,
            allow_all_origins=allow_cross_origin,
            mimetypes=types,
            add_headers_function=self._finish_headers,
            immutable_file_test=is_immutable,
        )

    def describe(self, path: str, name: str, stat_cache: Mapping[str, os.stat_result] | None = None) -> ServedFile:
        """Describe the file at a path. Look for compressed copies in `stat_cache` or, if this is None, on disk.

        Raises IsDirectoryError for a directory, NotARegularFileError for anything else that is not a file, OSError if
        the file system fails, and ValueError or OverflowError if the modification time cannot be formatted.
        """
        entry = self._whitenoise.get_static_file(path, name, stat_cache=stat_cache)
        variants = []
        for _, variant_path, headers in entry.alternatives:
            own = variant_path == path
            variants.append(
                Variant(
                    encoding="" if own else str(dict(headers)["Content-Encoding"]),
                    path=variant_path,
                    headers=tuple((key, text) for key, text in headers if key.lower() not in _VOLATILE),
                )
            )
        return ServedFile(path, tuple(variants))

    @staticmethod
    def _finish_headers(headers: Any, path: str, name: str) -> None:
        """Correct WhiteNoise's headers if the media type already has a charset, or if the file itself is compressed."""
        media_type, _, parameters = headers["Content-Type"].partition(";")
        if parameters:
            own = parameters.removesuffix(_ADDED_CHARSET)
            headers["Content-Type"] = f"{media_type};{own}"
        if name.lower().endswith(_PACKED_TYPES):
            headers["Content-Encoding"] = "gzip"


class DirectoryFiles:
    """A FileSource for the files in one directory.

    With `autorefresh`, for development, each request looks for its file on disk. Without it, the index contains only
    files that existed when the object was created or when `rescan` was last called. The constructor and `rescan` then
    read the whole directory, so call them in a thread. Raises StaticDirectoryError as `Boundary` does.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        types: FileTypes,
        *,
        autorefresh: bool = False,
        excluded: Iterable[str | os.PathLike[str]] = (),
        index_file: str | None = INDEX_FILE,
    ) -> None:
        self._boundary = Boundary(directory, excluded)
        self._types = types
        self._autorefresh = autorefresh
        self._index_file = index_file
        self._files: dict[str, ServedFile] = {}
        self.rescan()

    def rescan(self) -> None:
        """Read the directory again. Requests use the old index until the new one is complete.

        Raises OSError if the directory no longer exists.
        """
        if self._autorefresh:
            return
        found = list(self._boundary.scan())
        stat_cache = {path: info for _, path, info in found}
        files = {}
        for segments, path, _ in found:
            name = "/".join(segments)
            try:
                files[name] = self._types.describe(path, name, stat_cache)
            except (OSError, ValueError, OverflowError, NotARegularFileError) as error:
                logger.warning("static file %s is left out: %s", path, error)
        self._files = files

    def allows(self, path: str) -> bool:
        return self._boundary.allows(path)

    def find(self, rest: Sequence[str]) -> Found:
        if not is_public(rest):
            return None
        look_up = self._on_disk if self._autorefresh else self._indexed
        if rest and not rest[-1]:
            return look_up((*rest[:-1], self._index_file)) if self._index_file is not None else None
        found = look_up(rest)
        if found is not None or self._index_file is None:
            return found
        return Elsewhere.WITH_SLASH if look_up((*rest, self._index_file)) is not None else None

    def _indexed(self, names: Sequence[str]) -> ServedFile | None:
        return self._files.get("/".join(names))

    def _on_disk(self, names: Sequence[str]) -> ServedFile | None:
        path = os.path.join(self._boundary.root, *names)
        return describe_on_disk(self._types, path, "/".join(names)) if self.allows(path) else None


def describe_on_disk(types: FileTypes, path: str, name: str) -> ServedFile | None:
    """Look up the file at a path on disk. Return None if it cannot be served."""
    try:
        return types.describe(path, name)
    except IsDirectoryError:
        return None
    except (OSError, ValueError, OverflowError, NotARegularFileError) as error:
        logger.debug("static file %s cannot be served: %s", path, error)
        return None
