"""The `static` service, which serves the files of one directory over HTTP.

This module applies the options of the service. The module `boundary` decides which files may be served, `file_index`
maps paths to files, and `file_answer` sends a file.
"""

import os
from collections.abc import Iterable, Mapping

from wamp_transport.webservices.answers import (
    READ_METHODS,
    Receive,
    Scope,
    Send,
    refuse_method,
    require_http,
)
from wamp_transport.webservices.boundary import StaticDirectoryError, is_public
from wamp_transport.webservices.file_answer import serve_file
from wamp_transport.webservices.file_index import DirectoryFiles, FileTypes
from wamp_transport.webservices.not_found import send_not_found
from wamp_transport.webservices.paths import raw_path, rest_of

__all__ = ["DEFAULT_CACHE_TIMEOUT", "StaticDirectoryError", "StaticFiles"]

DEFAULT_CACHE_TIMEOUT = 43200
"""The time, in seconds, for which browsers may use a file without another request."""


class StaticFiles:
    """An ASGI application that serves the files of a directory.

    The segments after the path of the service (see `paths`) name the file.

    - `autorefresh`: look for the file on disk for each request, for development. Otherwise only files that existed at
      construction or at the last `rescan` are served.
    - `cache_timeout`: the time, in seconds, for which browsers may cache files. None sends no Cache-Control.
    - `mime_types`: additional media types by extension, for this service only.
    - `default_file`: the path of a file below the directory. It is sent, with status 200, if no file matches a request.
    - `allow_cross_origin`: allow pages of all origins to read the files, without credentials.
    - `excluded`: directories and files below the directory that are never served.

    The constructor reads the whole directory unless `autorefresh` is on: call it in a thread. Raises
    StaticDirectoryError for a directory that cannot be served and ValueError for an invalid option.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        autorefresh: bool = False,
        cache_timeout: int | None = DEFAULT_CACHE_TIMEOUT,
        mime_types: Mapping[str, str] | None = None,
        default_file: str | None = None,
        allow_cross_origin: bool = False,
        excluded: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        self._default = default_file.split("/") if default_file is not None else None
        if self._default is not None and not (self._default[-1] and is_public(self._default)):
            raise ValueError(f"not a file that may be served: {default_file!r}")
        types = FileTypes(cache_timeout=cache_timeout, mime_types=mime_types, allow_cross_origin=allow_cross_origin)
        self._files = DirectoryFiles(directory, types, autorefresh=autorefresh, excluded=excluded)

    def rescan(self) -> None:
        """Read the directory again. This accesses the disk: call it in a thread."""
        self._files.rescan()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        require_http(self, scope)
        if scope["method"] not in READ_METHODS:
            await refuse_method(scope, send)
            return
        rest = rest_of(scope)
        if rest == () and raw_path(scope).endswith("/"):
            rest = ("",)
        # Refuse hidden names here, so that the default file is not sent for them.
        if rest is not None and is_public(rest):
            served = await serve_file(self._files, scope, receive, send, rest, default=self._default)
            if served:
                return
        await send_not_found(scope, send)
