import asyncio
import gzip
import logging
import os
import threading

import pytest

from wamp_transport.webservices import file_answer as module
from wamp_transport.webservices.file_answer import CHUNK_SIZE, open_answer, serve_file
from wamp_transport.webservices.file_index import DirectoryFiles, FileTypes
from wamp_transport.webservices.paths import rest_of

SMALL = bytes(range(100))
LARGE = os.urandom(3 * CHUNK_SIZE + 17)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "small.bin").write_bytes(SMALL)
    (tmp_path / "large.bin").write_bytes(LARGE)
    (tmp_path / "empty.bin").write_bytes(b"")
    (tmp_path / "index.html").write_bytes(b"<h1>home</h1>")
    (tmp_path / "app.js").write_bytes(b"// a comment\n" * 50)
    return tmp_path


@pytest.fixture
def source(site):
    return DirectoryFiles(site, FileTypes(cache_timeout=60))


class App:
    """Serves a source, and remembers what `serve_file` said."""

    def __init__(self, source, default=None):
        self.source, self.default, self.served = source, default, []

    async def __call__(self, scope, receive, send):
        self.served.append(await serve_file(self.source, scope, receive, send, rest_of(scope), default=self.default))


@pytest.fixture
def app(source):
    return App(source)


@pytest.fixture
def opened(monkeypatch):
    """All files opened by the module under test, so that a test can say that they were closed."""
    files = []

    def remember(*args, **options):
        files.append(open(*args, **options))  # noqa: SIM115
        return files[-1]

    monkeypatch.setattr(module, "open", remember, raising=False)
    yield files
    assert all(file.closed for file in files)


@pytest.mark.parametrize(("name", "content"), [("small.bin", SMALL), ("large.bin", LARGE), ("empty.bin", b"")])
def test_file_comes_whole(ask, app, opened, name, content):
    reply = ask(app, f"/{name}")
    assert (reply.status, reply.body) == (200, content)
    assert reply.headers["content-length"] == str(len(content))
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "max-age=60, public"
    assert {"etag", "last-modified"} <= set(reply.headers)
    assert "vary" not in reply.headers
    assert app.served == [True]
    assert opened


def test_large_file_is_sent_in_chunks(ask, app):
    reply = ask(app, "/large.bin")
    assert [len(message["body"]) for message in reply.messages[1:]] == [CHUNK_SIZE] * 3 + [17]


@pytest.mark.parametrize("size", [CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE])
def test_file_of_about_a_chunk_comes_whole_without_an_empty_message(ask, site, opened, size):
    (site / "edge.bin").write_bytes(b"x" * size)
    reply = ask(App(DirectoryFiles(site, FileTypes(cache_timeout=1))), "/edge.bin")
    assert len(reply.body) == size
    assert all(message["body"] for message in reply.messages[1:])


def test_head_has_the_headers_of_get(ask, app, opened):
    for name in ("small.bin", "large.bin", "empty.bin"):
        assert ask(app, f"/{name}", "HEAD").headers == ask(app, f"/{name}").headers


def test_nothing_there_sends_nothing(talk, scope, app):
    reply = asyncio.run(talk(app, scope("/missing")))
    assert reply.messages == []
    assert app.served == [False]


def test_default_answers_where_nothing_is(ask, source):
    reply = ask(App(source, ["index.html"]), "/some/page")
    assert (reply.status, reply.body) == (200, b"<h1>home</h1>")
    assert reply.headers["content-type"].startswith("text/html")


def test_copy_still_good_is_not_sent_again(ask, app, opened):
    fresh = ask(app, "/large.bin").headers
    for condition in (
        {"If-None-Match": fresh["etag"]},
        {"If-None-Match": "*"},
        {"If-None-Match": f'"other", W/{fresh["etag"]}'},
        {"If-Modified-Since": fresh["last-modified"]},
    ):
        for method in ("GET", "HEAD"):
            reply = ask(app, "/large.bin", method, condition)
            assert (reply.status, reply.body) == (304, b"")
            assert reply.headers["etag"] == fresh["etag"]
            assert reply.headers["cache-control"] == fresh["cache-control"]
            assert not {"content-length", "content-type", "content-encoding"} & set(reply.headers)


@pytest.mark.parametrize(
    "condition",
    [
        {"If-None-Match": '"other"'},
        {"If-None-Match": ""},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "rubbish"},
        {"If-Modified-Since": "9" * 5000},
        {"If-None-Match": '"other"', "If-Modified-Since": "Fri, 31 Dec 9999 23:59:59 GMT"},
    ],
)
def test_copy_no_longer_good_or_condition_that_is_none_gets_the_file(ask, app, condition):
    assert ask(app, "/small.bin", headers=condition).status == 200


def test_entity_tag_changes_with_content_of_same_size_within_a_second(ask, app, site):
    path = site / "small.bin"
    os.utime(path, ns=(10**18, 10**18))
    first = ask(app, "/small.bin").headers["etag"]
    os.utime(path, ns=(10**18 + 1000, 10**18 + 1000))
    assert ask(app, "/small.bin").headers["etag"] != first


@pytest.mark.parametrize("seconds", [0, -1, -(10**9)])
def test_file_without_usable_time_has_no_last_modified(ask, site, seconds):
    os.utime(site / "small.bin", (seconds, seconds))
    reply = ask(
        App(DirectoryFiles(site, FileTypes(cache_timeout=1))),
        "/small.bin",
        headers={"If-Modified-Since": "Fri, 31 Dec 9999 23:59:59 GMT"},
    )
    assert (reply.status, reply.body) == (200, SMALL)
    assert "last-modified" not in reply.headers


@pytest.mark.parametrize(
    ("name", "value", "start", "end"),
    [
        ("small.bin", "bytes=0-0", 0, 0),
        ("small.bin", "bytes=10-19", 10, 19),
        ("small.bin", "bytes=90-", 90, 99),
        ("small.bin", "bytes=-5", 95, 99),
        ("small.bin", "bytes=0-", 0, 99),
        ("small.bin", "bytes=50-5000", 50, 99),
        ("large.bin", "bytes=1-", 1, len(LARGE) - 1),
        ("large.bin", f"bytes=5-{2 * CHUNK_SIZE}", 5, 2 * CHUNK_SIZE),
        ("large.bin", "bytes=-1", len(LARGE) - 1, len(LARGE) - 1),
    ],
)
@pytest.mark.usefixtures("opened")
def test_range_gets_its_part(request, name, value, start, end):
    ask, app = request.getfixturevalue("ask"), request.getfixturevalue("app")
    content = SMALL if name == "small.bin" else LARGE
    reply = ask(app, f"/{name}", headers={"Range": value})
    assert (reply.status, reply.body) == (206, content[start : end + 1])
    assert reply.headers["content-range"] == f"bytes {start}-{end}/{len(content)}"
    assert reply.headers["content-length"] == str(end - start + 1)


@pytest.mark.parametrize(
    ("name", "value"), [("small.bin", "bytes=100-"), ("small.bin", "bytes=-0"), ("empty.bin", "bytes=0-")]
)
def test_range_outside_is_416_and_says_the_size(ask, app, opened, name, value):
    size = 100 if name == "small.bin" else 0
    reply = ask(app, f"/{name}", headers={"Range": value})
    assert (reply.status, reply.body) == (416, b"")
    assert reply.headers["content-range"] == f"bytes */{size}"
    assert reply.headers["content-length"] == "0"
    assert "cache-control" not in reply.headers


@pytest.mark.parametrize("value", ["bytes=0-1,5-6", "bytes=9-1", "lines=1-2", "bytes=-", "bytes=\xb2-", "x" * 9000])
def test_range_that_is_several_or_none_gets_the_whole(ask, app, value):
    reply = ask(app, "/small.bin", headers={"Range": value})
    assert (reply.status, reply.body) == (200, SMALL)


def test_range_line_repeated_gets_the_whole(ask, app):
    assert ask(app, "/small.bin", headers=[("Range", "bytes=0-1"), ("Range", "bytes=2-3")]).status == 200


def test_range_with_head_is_ignored(ask, app):
    reply = ask(app, "/small.bin", "HEAD", {"Range": "bytes=0-1"})
    assert (reply.status, reply.headers["content-length"]) == (200, "100")


def test_range_of_a_file_that_has_changed_gets_the_whole(ask, app):
    fresh = ask(app, "/small.bin").headers
    for value in (fresh["etag"], fresh["last-modified"]):
        assert ask(app, "/small.bin", headers={"Range": "bytes=0-1", "If-Range": value}).status == 206
    for value in ('"other"', f"W/{fresh['etag']}", "Thu, 01 Jan 1970 00:00:00 GMT", "rubbish"):
        assert ask(app, "/small.bin", headers={"Range": "bytes=0-1", "If-Range": value}).status == 200


@pytest.fixture
def packed(site):
    plain = (site / "app.js").read_bytes()
    (site / "app.js.gz").write_bytes(gzip.compress(plain))
    (site / "app.js.br").write_bytes(b"br")
    return App(DirectoryFiles(site, FileTypes(cache_timeout=1)))


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br;q=0, gzip;q=0.1", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0, *", None),
        ("*", None),
        ("identity", None),
        ("xgzip, brx", None),
        ("", None),
        (None, None),
    ],
)
def test_compressed_sibling_is_sent_to_those_who_take_it(ask, packed, opened, accept, encoding):
    reply = ask(packed, "/app.js", headers={} if accept is None else {"Accept-Encoding": accept})
    assert reply.headers.get("content-encoding") == encoding
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers["content-type"].startswith("text/javascript")
    assert len(reply.body) == int(reply.headers["content-length"])
    if encoding == "gzip":
        assert gzip.decompress(reply.body) == b"// a comment\n" * 50
    elif encoding is None:
        assert reply.body == b"// a comment\n" * 50


def test_each_variant_has_a_tag_of_its_own(ask, packed):
    tags = {ask(packed, "/app.js", headers={"Accept-Encoding": value}).headers["etag"] for value in ("br", "gzip", "")}
    assert len(tags) == 3
    for tag in tags:
        matches = [
            ask(packed, "/app.js", headers={"Accept-Encoding": value, "If-None-Match": tag}).status
            for value in ("br", "gzip", "")
        ]
        assert sorted(matches) == [200, 200, 304]


def test_not_modified_answer_varies_too(ask, packed):
    assert ask(packed, "/app.js", headers={"If-None-Match": "*"}).headers["vary"] == "Accept-Encoding"


def test_compressed_sibling_older_than_its_file_is_not_sent(ask, packed, site, opened):
    for name in ("app.js.gz", "app.js.br"):
        os.utime(site / name, (10**9, 10**9))
    reply = ask(packed, "/app.js", headers={"Accept-Encoding": "gzip, br"})
    assert "content-encoding" not in reply.headers


def test_compressed_sibling_that_is_no_longer_a_file_is_not_sent(ask, packed, site, opened, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x"
    outside.write_bytes(b"secret")
    (site / "app.js.br").unlink()
    (site / "app.js.br").symlink_to(outside)
    (site / "app.js.gz").unlink()
    reply = ask(packed, "/app.js", headers={"Accept-Encoding": "gzip, br"})
    assert reply.body == b"// a comment\n" * 50


def test_compressed_sibling_does_not_outlive_its_file(talk, scope, packed, site):
    (site / "app.js").unlink()
    reply = asyncio.run(talk(packed, scope("/app.js", headers={"Accept-Encoding": "gzip"})))
    assert reply.messages == []


def test_file_deleted_after_indexing_is_nothing(talk, scope, app, site):
    (site / "small.bin").unlink()
    assert asyncio.run(talk(app, scope("/small.bin"))).messages == []


def test_file_replaced_by_link_leading_out_is_nothing(talk, scope, app, site, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret"
    outside.write_bytes(b"secret")
    (site / "small.bin").unlink()
    (site / "small.bin").symlink_to(outside)
    assert asyncio.run(talk(app, scope("/small.bin"))).messages == []


def test_file_replaced_by_pipe_or_directory_is_nothing_and_blocks_nobody(talk, scope, app, site):
    (site / "small.bin").unlink()
    os.mkfifo(site / "small.bin")
    assert asyncio.run(talk(app, scope("/small.bin"))).messages == []
    (site / "small.bin").unlink()
    (site / "small.bin").mkdir()
    assert asyncio.run(talk(app, scope("/small.bin"))).messages == []


def test_file_that_cannot_be_opened_is_nothing_and_logged(talk, scope, app, monkeypatch, caplog):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(module, "_open_non_blocking", refuse)
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(talk(app, scope("/small.bin"))).messages == []
    assert "Permission denied" in caplog.text


def test_file_changed_after_indexing_is_sent_as_it_is_now(ask, app, site):
    (site / "small.bin").write_bytes(b"short")
    reply = ask(app, "/small.bin")
    assert (reply.body, reply.headers["content-length"]) == (b"short", "5")
    (site / "small.bin").write_bytes(SMALL * 10)
    assert ask(app, "/small.bin").body == SMALL * 10


class FailingFile:
    """A file that can be asked for its state but not be read as it should."""

    def __init__(self, path, content=b"", error=None):
        self._file = open(path, "rb")  # noqa: SIM115
        self._content, self._error = content, error
        self.fileno, self.close, self.seek = self._file.fileno, self._file.close, self._file.seek

    @property
    def closed(self):
        return self._file.closed

    def read(self, size):
        if self._error is not None:
            raise self._error
        return self._content[:size]


def test_file_that_fails_at_the_first_read_is_nothing(talk, scope, app, monkeypatch, caplog):
    files = []

    def fail(path, *args, **options):
        files.append(FailingFile(path, error=OSError(5, "Input/output error")))
        return files[-1]

    monkeypatch.setattr(module, "open", fail, raising=False)
    assert asyncio.run(talk(app, scope("/small.bin"))).messages == []
    assert files[0].closed
    assert "Input/output error" in caplog.text


def test_file_that_fails_in_an_unforeseen_way_is_closed(talk, scope, app, monkeypatch):
    files = []

    def fail(path, *args, **options):
        files.append(FailingFile(path, error=RuntimeError("bug")))
        return files[-1]

    monkeypatch.setattr(module, "open", fail, raising=False)
    with pytest.raises(RuntimeError, match="bug"):
        asyncio.run(talk(app, scope("/small.bin")))
    assert files[0].closed


def test_file_being_rewritten_at_the_first_read_is_unavailable_for_a_moment(ask, app, monkeypatch):
    monkeypatch.setattr(module, "open", lambda path, *args, **options: FailingFile(path, b"half"), raising=False)
    reply = ask(app, "/small.bin")
    assert (reply.status, reply.headers["retry-after"], reply.body) == (503, "1", b"")


def test_file_growing_while_sent_ends_at_the_promised_length(talk, scope, app, site, opened):
    async def grow(message):
        (site / "large.bin").write_bytes(LARGE + b"more" * len(message))

    reply = asyncio.run(talk(app, scope("/large.bin"), grow))
    assert reply.is_complete
    assert reply.body == LARGE


@pytest.mark.usefixtures("opened")
def test_file_truncated_while_sent_is_left_unfinished_and_logged(talk, scope, app, site, caplog):
    async def truncate(message):
        os.truncate(site / "large.bin", CHUNK_SIZE + 10)

    reply = asyncio.run(talk(app, scope("/large.bin"), truncate))
    assert not reply.is_complete
    assert LARGE.startswith(reply.body)
    assert len(reply.body) < len(LARGE)
    assert "shorter" in caplog.text


def test_file_failing_while_sent_is_left_unfinished_and_logged(talk, scope, app, monkeypatch, caplog):
    class File(FailingFile):
        name = "large.bin"

        def read(self, size):
            if self._file.tell():
                raise OSError(5, "Input/output error")
            return self._file.read(size)

    files = []

    def remember(path, *args, **options):
        files.append(File(path))
        return files[-1]

    monkeypatch.setattr(module, "open", remember, raising=False)
    reply = asyncio.run(talk(app, scope("/large.bin")))
    assert not reply.is_complete
    assert reply.body == LARGE[:CHUNK_SIZE]
    assert [file.closed for file in files] == [True]
    assert "Input/output error" in caplog.text


def test_file_deleted_while_sent_comes_whole(talk, scope, app, site, opened):
    async def delete(message):
        (site / "large.bin").unlink(missing_ok=True)

    assert asyncio.run(talk(app, scope("/large.bin"), delete)).body == LARGE


def test_client_that_goes_ends_the_reading(scope, source, site, opened):
    (site / "huge.bin").write_bytes(b"x" * (50 * CHUNK_SIZE))
    source.rescan()

    async def run():
        incoming = asyncio.Queue()
        incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        sent = []

        async def send(message):
            sent.append(message)
            if len(sent) == 4:
                incoming.put_nowait({"type": "http.disconnect"})

        await App(source)(scope("/huge.bin"), incoming.get, send)
        return sent

    sent = asyncio.run(run())
    assert 4 <= len(sent) < 10
    assert sent[-1]["more_body"] is True


def test_server_that_says_by_an_error_that_the_client_went_is_believed(scope, app, opened):
    async def run():
        sent = []

        async def send(message):
            sent.append(message)
            if len(sent) == 3:
                raise ConnectionResetError("gone")

        await app(scope("/large.bin"), asyncio.Event().wait, send)
        return sent

    assert len(asyncio.run(run())) == 3
    assert app.served == [True]


def test_other_error_of_the_server_is_passed_on_and_the_file_closed(scope, app, opened):
    async def send(message):
        raise RuntimeError("bug in the server")

    with pytest.raises(RuntimeError):
        asyncio.run(app(scope("/large.bin"), asyncio.Event().wait, send))
    assert opened


def test_error_while_waiting_for_the_client_to_go_counts_as_gone(scope, app, opened):
    sent = []

    async def receive():
        raise RuntimeError("no more messages")

    async def send(message):
        sent.append(message)
        await asyncio.sleep(0)  # the server gives way, so that the error is met

    asyncio.run(app(scope("/large.bin"), receive, send))
    assert sent[-1]["more_body"] is True


def test_no_more_is_read_than_the_server_takes(scope, app, opened):
    async def run():
        gate = asyncio.Semaphore(2)
        is_full = asyncio.Event()
        sent = []
        read = []

        async def send(message):
            if gate.locked():
                is_full.set()
            await gate.acquire()
            await asyncio.to_thread(lambda: None)  # whoever read ahead would have had the time for it
            read.append(opened[0].tell())
            sent.append(message)

        task = asyncio.create_task(app(scope("/large.bin"), asyncio.Event().wait, send))
        await asyncio.wait_for(is_full.wait(), 10)
        position = opened[0].tell()
        for _ in range(10):
            gate.release()
        await task
        return position, read[1:], b"".join(message.get("body", b"") for message in sent)

    position, read, body = asyncio.run(run())
    assert position == 2 * CHUNK_SIZE
    assert read == [min(number * CHUNK_SIZE, len(LARGE)) for number in range(1, len(read) + 1)]
    assert body == LARGE


def test_request_cancelled_while_sending_closes_the_file(scope, app, opened):
    async def run():
        waiting = asyncio.Event()

        async def send(message):
            if message.get("body"):
                waiting.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(app(scope("/large.bin"), asyncio.Event().wait, send))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert opened


@pytest.mark.parametrize("cancel_after_open", [True, False])
def test_request_cancelled_while_opening_closes_the_file(scope, source, opened, monkeypatch, cancel_after_open):
    entered, go_on = threading.Event(), threading.Event()
    real = open_answer

    def slowly(served, allows, request):
        answer = real(served, allows, request) if cancel_after_open else None
        entered.set()
        assert go_on.wait(5)
        return answer or real(served, allows, request)

    monkeypatch.setattr(module, "open_answer", slowly)

    async def run():
        task = asyncio.create_task(App(source)(scope("/large.bin"), asyncio.Event().wait, None))
        await asyncio.to_thread(entered.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    asyncio.run(run())
    assert opened


def test_request_cancelled_just_when_the_file_is_open_closes_it(scope, source, opened):
    async def run():
        task = asyncio.create_task(App(source)(scope("/large.bin"), asyncio.Event().wait, None))
        await asyncio.sleep(0)
        while not opened:
            threading.Event().wait(0.005)  # on purpose without giving way to the loop
        threading.Event().wait(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert opened


def test_reading_leaves_the_loop_free(scope, app, monkeypatch):
    threads = set()
    real = open_answer

    def note(*args):
        threads.add(threading.current_thread())
        return real(*args)

    monkeypatch.setattr(module, "open_answer", note)

    async def send(message):
        pass

    asyncio.run(app(scope("/large.bin"), asyncio.Event().wait, send))
    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/docs", "./docs/"),
        ("/docs?a=b&c=%20d", "./docs/?a=b&c=%20d"),
        ("/%64ocs", "./docs/"),
        ("/docs?//evil.example", "./docs/?//evil.example"),
        ("/docs?a='\"<>\\{}", "./docs/?a='%22%3C%3E%5C%7B%7D"),
        ("/docs?%0d%0aX:y", "./docs/?%0d%0aX:y"),
        ("/a:b", "./a%3Ab/"),
        ("/evil.example", "./evil.example/"),
        ("/%C3%A9", "./%C3%A9/"),
        ("/a%3Fb", "./a%3Fb/"),
    ],
)
def test_directory_without_slash_is_sent_to_the_same_place_with_it(ask, site, path, location):
    for name in ("docs", "a:b", "evil.example", "é", "a?b"):
        (site / name).mkdir()
        (site / name / "index.html").write_text("x")
    for autorefresh in (True, False):
        source = DirectoryFiles(site, FileTypes(cache_timeout=1), autorefresh=autorefresh)
        reply = ask(App(source), path)
        assert (reply.status, reply.headers["location"]) == (302, location)


def test_query_with_control_bytes_is_encoded(ask, site):
    (site / "docs").mkdir()
    (site / "docs/index.html").write_text("x")
    app = App(DirectoryFiles(site, FileTypes(cache_timeout=1)))
    reply = ask(app, "/docs", query_string=b"\r\nX: y\x00\xff")
    assert reply.headers["location"] == "./docs/?%0D%0AX:%20y%00%FF"
