"""Decide which files may be served: those in a directory, except hidden and excluded files."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from logging import getLogger
from typing import NamedTuple

logger = getLogger(__name__)

PUBLIC_DOT_DIRECTORY = ".well-known"
"""The only name with a leading dot that is served, and only at the top level of a directory (RFC 8615)."""

_MAX_LINKS = 4
"""The maximum number of symbolic links to directories in one path. Without this limit, the time and memory for scanning
directories that contain links to each other would grow exponentially."""

_FORBIDDEN = frozenset({"/", "\\", "\x7f", *map(chr, range(32))})


class StaticDirectoryError(Exception):
    """Raised if a configured directory cannot be served. The message contains the directory and the reason."""

    def __init__(self, directory: str | os.PathLike[str], reason: str) -> None:
        super().__init__(f"cannot serve files from {os.fspath(directory)!r}: {reason}")
        self.directory = os.fspath(directory)
        self.reason = reason


def is_public(segments: Sequence[str]) -> bool:
    """Return whether a path, given as decoded segments, may be served.

    Only the last segment may be empty; the path then names a directory.

    Segments with a leading dot, such as `.` and `..`, are rejected, except `.well-known` as the first segment. Segments
    that contain a path separator of any operating system, NUL or another control character are rejected as well. Such
    names never reach the file system.
    """
    for position, segment in enumerate(segments):
        if not segment and position < len(segments) - 1:
            return False
        if segment.startswith(".") and not (position == 0 and segment == PUBLIC_DOT_DIRECTORY):
            return False
        if not _FORBIDDEN.isdisjoint(segment):
            return False
    return True


class _Identity(NamedTuple):
    """The identity of a file. It is the same for all spellings of the path, even on case-insensitive file systems."""

    device: int
    inode: int


class _Pending(NamedTuple):
    """A directory that `scan` has not read yet.

    `segments` contains the names on the path from the root to the directory. `ancestors` contains the identities of all
    directories on this path, including the directory itself. `links` is the number of symbolic links on this path.
    """

    path: str
    segments: tuple[str, ...]
    ancestors: frozenset[_Identity]
    links: int


def _identity(info: os.stat_result) -> _Identity:
    return _Identity(info.st_dev, info.st_ino)


class Boundary:
    """A directory, with the rules that decide which of its files may be served.

    All methods access the disk: call them in a thread.

    `excluded` contains directories and files that are never served; relative paths are relative to the directory.

    Raises StaticDirectoryError if the path does not lead to a readable directory, or if the directory is excluded, lies
    in an excluded directory, or is a node's `.crossbar` directory.
    """

    def __init__(self, directory: str | os.PathLike[str], excluded: Iterable[str | os.PathLike[str]] = ()) -> None:
        try:
            self.root = os.path.realpath(directory, strict=True)
            if not os.path.isdir(self.root):
                raise StaticDirectoryError(directory, "not a directory")
            os.scandir(self.root).close()
        except OSError as error:
            raise StaticDirectoryError(directory, error.strerror or type(error).__name__) from error
        except ValueError as error:
            raise StaticDirectoryError(directory, "not a path") from error
        self._excluded = [os.path.join(self.root, path) for path in excluded]
        if os.path.basename(self.root) == ".crossbar":
            raise StaticDirectoryError(directory, "a node's own .crossbar folder is never served")
        if self._is_excluded(self.root, self._identities()):
            raise StaticDirectoryError(directory, "it is, or lies in, an excluded directory")

    def allows(self, path: str) -> bool:
        """Return whether a path below `root` exists and may be served, after all links are resolved.

        No link in the path may lead out of the directory, even if a later link leads back into it.
        """
        if path == self.root:
            return True
        prefix = self.root.rstrip(os.sep) + os.sep
        if not path.startswith(prefix):
            return False
        excluded = self._identities()
        current = self.root
        for name in path[len(prefix) :].split(os.sep):
            current = os.path.join(current, name)
            if os.path.islink(current) and not self._is_inside(current, excluded):
                return False
        return self._is_inside(path, excluded)

    def _is_inside(self, path: str, excluded: frozenset[_Identity]) -> bool:
        """Return whether a path resolves to the root, or to something below it that is public and not excluded."""
        try:
            real = os.path.realpath(path, strict=True)
        except (OSError, ValueError):
            return False
        if real == self.root:
            return True
        prefix = self.root.rstrip(os.sep) + os.sep
        if not real.startswith(prefix) or not is_public(real[len(prefix) :].split(os.sep)):
            return False
        return not self._is_excluded(real, excluded)

    def scan(self) -> Iterator[tuple[tuple[str, ...], str, os.stat_result]]:
        """Yield the path segments, path and stat result of each file that may be served, in no particular order.

        Unreadable directories are logged and skipped. Raises OSError if the root directory no longer exists.
        """
        excluded = self._identities()
        root = _identity(os.stat(self.root))
        pending = [_Pending(self.root, (), frozenset({root}), 0)]
        while pending:
            directory = pending.pop()
            for entry in self._entries(directory):
                try:
                    info = os.stat(entry.path)
                    is_link = entry.is_symlink()
                except OSError:
                    continue  # a broken link, or a file that was just deleted
                identity = _identity(info)
                if identity in excluded or (is_link and not self.allows(entry.path)):
                    continue
                segments = (*directory.segments, entry.name)
                if stat.S_ISREG(info.st_mode):
                    yield segments, entry.path, info
                elif stat.S_ISDIR(info.st_mode) and identity not in directory.ancestors:
                    links = directory.links + is_link
                    if links <= _MAX_LINKS:
                        pending.append(_Pending(entry.path, segments, directory.ancestors | {identity}, links))

    def _entries(self, directory: _Pending) -> list[os.DirEntry[str]]:
        """Return the entries of a directory, except those whose names may not be served.

        If the directory cannot be read, log a warning and return an empty list.
        """
        try:
            with os.scandir(directory.path) as entries:
                return [entry for entry in entries if is_public((*directory.segments, entry.name))]
        except OSError as error:
            logger.warning("static directory %s is left out: %s", directory.path, error.strerror)
            return []

    def _identities(self) -> frozenset[_Identity]:
        """Return the identities of those excluded paths that exist.

        Do not cache the result, because excluded paths that do not exist yet can be created while the node runs.
        """
        found = set()
        for path in self._excluded:
            try:
                found.add(_identity(os.stat(path)))
            except (OSError, ValueError):
                continue
        return frozenset(found)

    @staticmethod
    def _is_excluded(real: str, excluded: frozenset[_Identity]) -> bool:
        """Return whether a real path is excluded or inside an excluded directory."""
        while excluded:
            try:
                if _identity(os.stat(real)) in excluded:
                    return True
            except OSError:
                return True
            parent = os.path.dirname(real)
            if parent == real:
                break
            real = parent
        return False
