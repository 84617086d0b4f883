"""Answer a request with a file: choose a variant (compressed or not) and the range, and send the file in chunks.

A FileSource finds the file, and a thread reads it. The file stays open from the first stat to the last byte. The length
and the entity tag in the response therefore match the bytes that are sent, even if the file is replaced in the
meantime.
"""

import asyncio
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from logging import getLogger
from typing import BinaryIO
from urllib.parse import quote

from django.utils.http import http_date

from wamp_transport.webservices.answers import (
    Receive,
    Scope,
    Send,
    encode_headers,
    send_answer,
    send_redirect,
)
from wamp_transport.webservices.file_index import Elsewhere, FileSource, ServedFile, Variant
from wamp_transport.webservices.paths import raw_path, segments_of
from wamp_transport.webservices.request_headers import (
    RangeNotSatisfiable,
    accepted,
    byte_range,
    header,
    if_range_holds,
    is_not_modified,
)

logger = getLogger(__name__)

CHUNK_SIZE = 64 * 1024
"""The number of bytes that are read and sent at a time. It limits the memory that a response of any size needs."""

_YEAR_10000 = 253_402_300_800
_NOT_IN_304 = frozenset({"content-type", "content-encoding"})
_QUERY_SAFE = "!$&'()*+,;=:@/?%-._~"

# Without this flag, opening a named pipe would wait for a writer.
_NON_BLOCKING: int = getattr(os, "O_NONBLOCK", 0)


@dataclass
class FileAnswer:
    """A response that is ready to be sent. `body` contains its first bytes.

    `remaining` is the number of further bytes, which must be read from `file`. If it is 0, `file` is None.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    remaining: int = 0
    file: BinaryIO | None = None

    def close(self) -> None:
        """Close the file if it is open. A second call does nothing."""
        if self.file is not None:
            # If the request was canceled, a thread can still be reading a chunk. Closing the file then waits for it.
            self.file.close()


async def serve_file(
    source: FileSource,
    scope: Scope,
    receive: Receive,
    send: Send,
    rest: Sequence[str],
    *,
    default: Sequence[str] | None = None,
) -> bool:
    """Answer a GET or HEAD request with the file for `rest`, the path segments after the path of the service.

    Return False, without sending anything, if no file matches.

    `default` names the file to send if there is no file for `rest`. The function returns when the file has been sent,
    the client disconnects, or reading the file fails. In the last case the response is incomplete, and the server
    closes the connection.
    """

    def prepare() -> FileAnswer | Elsewhere | None:
        found = source.find(rest)
        if found is None and default is not None:
            found = source.find(default)
        if isinstance(found, ServedFile):
            return open_answer(found, source.allows, scope)
        return found

    answer = await _in_thread(prepare)
    if answer is None:
        return False
    if isinstance(answer, Elsewhere):
        await send_redirect(scope, send, _with_slash(scope))
        return True
    try:
        await _send(answer, scope, receive, send)
    finally:
        answer.close()
    return True


def open_answer(served: ServedFile, allows: Callable[[str], bool], scope: Scope) -> FileAnswer | None:
    """Open the smallest variant that the client accepts, and return the response; None if no variant can be read.

    This accesses the disk: call it in a thread. The caller must close the response.
    """
    for variant, file in _openable(served, allows, accepted(header(scope, b"accept-encoding"))):
        try:
            answer = _answer_with(variant, file, scope)
            if answer.file is None:
                file.close()
        except OSError as error:
            file.close()
            logger.warning("static file %s cannot be read: %s", variant.path, error.strerror)
            continue
        except BaseException:
            file.close()
            raise
        return answer
    return None


def _openable(
    served: ServedFile, allows: Callable[[str], bool], encodings: frozenset[str]
) -> Iterator[tuple[Variant, BinaryIO]]:
    """Open and yield the variants that the client accepts, the smallest first. The caller must close the files."""
    try:
        current = os.stat(served.path)
    except OSError:
        return  # compressed variants are served only if the file itself exists
    for variant in served.variants:
        if (variant.encoding and variant.encoding not in encodings) or not allows(variant.path):
            continue
        try:
            file = open(variant.path, "rb", opener=_open_non_blocking)  # noqa: SIM115
        except OSError as error:
            logger.warning("static file %s cannot be opened: %s", variant.path, error.strerror)
            continue
        info = os.fstat(file.fileno())
        # A variant older than the file belongs to an earlier version. Compare whole seconds, because archives store no
        # fractions.
        if not stat.S_ISREG(info.st_mode) or (variant.encoding and int(info.st_mtime) < int(current.st_mtime)):
            file.close()
            continue
        yield variant, file


def _open_non_blocking(path: str, flags: int) -> int:
    return os.open(path, flags | _NON_BLOCKING)


def _answer_with(variant: Variant, file: BinaryIO, scope: Scope) -> FileAnswer:
    """Return the response for an open file. If no bytes remain to be read, the response has no `file`."""
    info = os.fstat(file.fileno())
    modified = int(info.st_mtime) if 0 < info.st_mtime < _YEAR_10000 else None
    # Each variant has a different tag, because clients must never combine parts of different variants.
    entity_tag = f'"{info.st_mtime_ns:x}-{info.st_size:x}{variant.encoding and "-" + variant.encoding}"'
    headers = [*variant.headers, ("ETag", entity_tag)]
    if modified is not None:
        headers.append(("Last-Modified", http_date(modified)))
    if is_not_modified(header(scope, b"if-none-match"), header(scope, b"if-modified-since"), entity_tag, modified):
        return FileAnswer(304, [line for line in headers if line[0].lower() not in _NOT_IN_304])

    status, start, length = 200, 0, info.st_size
    headers.append(("Accept-Ranges", "bytes"))
    if scope["method"] == "GET" and if_range_holds(header(scope, b"if-range"), entity_tag, modified):
        try:
            part = byte_range(header(scope, b"range"), info.st_size)
        except RangeNotSatisfiable:
            return FileAnswer(416, [("Content-Range", f"bytes */{info.st_size}")])
        if part is not None:
            status, start, length = 206, part.start, part.length
            headers.append(("Content-Range", f"bytes {start}-{start + length - 1}/{info.st_size}"))
    headers.append(("Content-Length", str(length)))
    if scope["method"] == "HEAD":
        return FileAnswer(status, headers)

    file.seek(start)
    body = file.read(min(length, CHUNK_SIZE))
    if len(body) < min(length, CHUNK_SIZE):
        return FileAnswer(503, [("Retry-After", "1")])  # the file is being rewritten
    remaining = length - len(body)
    return FileAnswer(status, headers, body, remaining, file if remaining else None)


def _with_slash(scope: Scope) -> str:
    """Return the location of the requested directory with a trailing slash.

    The location is a relative reference, which contains only the last segment of the path. It is therefore correct
    behind a proxy that changes the path, and cannot redirect to another host.
    """
    path = segments_of(raw_path(scope)) or ("",)
    query = quote(bytes(scope.get("query_string", b"")), safe=_QUERY_SAFE)
    return f"./{quote(path[-1], safe='')}/" + (f"?{query}" if query else "")


async def _in_thread(
    prepare: Callable[[], FileAnswer | Elsewhere | None],
) -> FileAnswer | Elsewhere | None:
    """Run `prepare` in a thread.

    If the request is canceled before the thread is done, close the file that the thread opens.
    """
    lock = threading.Lock()
    opened: list[FileAnswer] = []
    abandoned = False

    def run() -> FileAnswer | Elsewhere | None:
        answer = prepare()
        if isinstance(answer, FileAnswer):
            with lock:
                if abandoned:
                    answer.close()
                else:
                    opened.append(answer)
        return answer

    try:
        return await asyncio.to_thread(run)
    except BaseException:
        with lock:
            abandoned = True
            for answer in opened:
                answer.close()
        raise


async def _send(answer: FileAnswer, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a response. Read the file no faster than the server sends it, and stop if the client disconnects."""
    if answer.status >= 400:
        await send_answer(scope, send, answer.status, headers=answer.headers)
        return
    headers = encode_headers([*answer.headers, ("X-Content-Type-Options", "nosniff")])
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": answer.remaining > 0})
        if answer.file is not None:
            await _send_remaining(answer, answer.file, receive, send)
    except OSError:
        logger.debug("the client disconnected while a file was sent")  # reported as OSError by some servers


async def _send_remaining(answer: FileAnswer, file: BinaryIO, receive: Receive, send: Send) -> None:
    gone = asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        while answer.remaining and not gone.done():
            chunk = await _read(file, min(answer.remaining, CHUNK_SIZE))
            if not chunk:
                return
            answer.remaining -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": answer.remaining > 0})
    finally:
        gone.cancel()
        await asyncio.wait({gone})
        if not gone.cancelled():
            gone.exception()


async def _read(file: BinaryIO, size: int) -> bytes:
    """Return the next bytes of a file. If the file ends early or cannot be read, log a warning and return no bytes."""
    try:
        chunk = await asyncio.to_thread(file.read, size)
    except OSError as error:
        logger.warning("static file %s cannot be read to its end: %s", file.name, error.strerror)
        return b""
    if not chunk:
        logger.warning("static file %s became shorter while it was sent", file.name)
    return chunk


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
