"""Serve Django's static files below `STATIC_URL`, in front of another ASGI application.

In development, Django's finders locate the files in the directories of the apps. Otherwise files are served from
`STATIC_ROOT`, to which `collectstatic` has copied them.
"""

import os
from collections.abc import Mapping, Sequence
from logging import getLogger
from posixpath import basename, splitext
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import SuspiciousFileOperation

from wamp_transport.webservices.answers import READ_METHODS, Receive, Scope, Send, refuse_method
from wamp_transport.webservices.boundary import Boundary, StaticDirectoryError, is_public
from wamp_transport.webservices.file_answer import serve_file
from wamp_transport.webservices.file_index import (
    DirectoryFiles,
    FileSource,
    FileTypes,
    Found,
    describe_on_disk,
)
from wamp_transport.webservices.not_found import send_not_found
from wamp_transport.webservices.paths import raw_path, segments_of, site_prefix, without_prefix

logger = getLogger(__name__)

DEFAULT_CACHE_TIMEOUT = 60
"""The time, in seconds, for which browsers may cache a file whose name does not contain a hash of its content."""


def local_prefix(static_url: str | None) -> tuple[str, ...] | None:
    """Return the path segments of STATIC_URL; None if it is not set or on another host."""
    if not static_url:
        return None
    parts = urlsplit(static_url)
    if parts.scheme or parts.netloc:
        return None
    path = parts.path.strip("/")
    return segments_of("/" + path) if path else ()


def has_hashed_name(path: str, name: str) -> bool:
    """Return whether a file name contains a hash of the content, added by Django's static files storage."""
    stem, extension = splitext(name)
    plain = splitext(stem)[0] + extension
    if plain == name:
        return False
    try:
        url: str = staticfiles_storage.url(plain)
    except ValueError:
        return False  # a file that is not in the storage's manifest
    return basename(url) == basename(name)


class FinderFiles:
    """A FileSource that looks for each file with Django's staticfiles finders."""

    def __init__(self, types: FileTypes) -> None:
        self._types = types

    def find(self, rest: Sequence[str]) -> Found:
        if not rest or not rest[-1] or not is_public(rest):
            return None
        name = "/".join(rest)
        try:
            path = finders.find(name)
        except SuspiciousFileOperation:
            return None
        return describe_on_disk(self._types, path, name) if path and self.allows(path) else None

    def allows(self, path: str) -> bool:
        """Return whether a file lies in the directory of its finder, even after all links are resolved.

        If a finder has found the file outside the finders' directories, return True without this check.
        """
        path = os.path.abspath(path)
        homes = [root for root in _finder_roots() if path.startswith(root.rstrip(os.sep) + os.sep)]
        return not homes or any(_lies_in(root, os.path.relpath(path, root)) for root in homes)


def _finder_roots() -> list[str]:
    roots = []
    for finder in finders.get_finders():
        storages: list[Any] = list(getattr(finder, "storages", {}).values())
        storages.append(getattr(finder, "storage", None))
        locations = [getattr(storage, "location", None) for storage in storages]
        roots += [os.path.abspath(location) for location in locations if location]
    return roots


def _lies_in(root: str, relative: str) -> bool:
    try:
        boundary = Boundary(root)
    except StaticDirectoryError:
        return False
    return boundary.allows(os.path.join(boundary.root, relative))


class DjangoStaticFiles:
    """An ASGI application that serves files below STATIC_URL and calls `application` for all other requests.

    `use_finders` sets whether to locate files with Django's finders, in which case browsers must revalidate the files
    each time. The default is `settings.DEBUG`. Without finders, browsers may cache files for `cache_timeout` seconds;
    None sends no Cache-Control. Files with a hash in their name may be cached for years.

    A request for a missing file is answered with 404, except if STATIC_URL is `/`. In that case, `application` is
    called, as it is for all requests if STATIC_URL is on another host or STATIC_ROOT is not set or cannot be read. A
    warning is logged if STATIC_ROOT cannot be used.

    The constructor reads settings and STATIC_ROOT: call it in a thread, after Django's setup.
    """

    def __init__(
        self,
        application: Any,
        *,
        use_finders: bool | None = None,
        cache_timeout: int | None = DEFAULT_CACHE_TIMEOUT,
        mime_types: Mapping[str, str] | None = None,
        allow_cross_origin: bool = False,
    ) -> None:
        self._application = application
        self._prefix = local_prefix(settings.STATIC_URL)
        self._files: FileSource | None = None
        if self._prefix is None:
            return
        if settings.DEBUG if use_finders is None else use_finders:
            self._files = FinderFiles(
                FileTypes(cache_timeout=0, mime_types=mime_types, allow_cross_origin=allow_cross_origin)
            )
        else:
            types = FileTypes(
                cache_timeout=cache_timeout,
                mime_types=mime_types,
                allow_cross_origin=allow_cross_origin,
                is_immutable=has_hashed_name,
            )
            self._files = _static_root(types)

    def rescan(self) -> None:
        """Read STATIC_ROOT again, after `collectstatic`. This accesses the disk: call it in a thread."""
        if isinstance(self._files, DirectoryFiles):
            self._files.rescan()

    def rest_below(self, scope: Scope) -> tuple[str, ...] | None:
        """Return the segments of a request's path below STATIC_URL; None if `application` must handle the request."""
        if scope["type"] != "http" or self._files is None or self._prefix is None:
            return None
        # If the site is below a path prefix, STATIC_URL and the path of the request can each include it or not.
        site = site_prefix(scope.get("root_path"))
        segments = without_prefix(segments_of(raw_path(scope)) or (), site)
        below = without_prefix((*self._prefix, ""), site)[:-1]  # STATIC_URL ends with a slash
        depth = len(below)
        return segments[depth:] if len(segments) > depth and segments[:depth] == below else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rest = self.rest_below(scope)
        if rest is None or self._files is None:
            await self._application(scope, receive, send)
            return
        is_read = scope["method"] in READ_METHODS
        if is_read and is_public(rest) and await serve_file(self._files, scope, receive, send, rest):
            return
        if not self._prefix:
            await self._application(scope, receive, send)
        elif is_read:
            await send_not_found(scope, send)
        else:
            await refuse_method(scope, send)


def _static_root(types: FileTypes) -> DirectoryFiles | None:
    if not settings.STATIC_ROOT:
        logger.warning("STATIC_ROOT is not set: static files are not served")
        return None
    try:
        return DirectoryFiles(settings.STATIC_ROOT, types, index_file=None)
    except StaticDirectoryError as error:
        logger.warning("STATIC_ROOT: %s; has collectstatic been run?", error)
        return None
