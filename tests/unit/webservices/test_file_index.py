import logging
import os

import pytest

from wamp_transport.webservices.boundary import StaticDirectoryError
from wamp_transport.webservices.file_index import DirectoryFiles, Elsewhere, FileTypes, ServedFile, describe_on_disk


@pytest.fixture
def site(tmp_path):
    for name in ("index.html", "app.js", "docs/index.html", "docs/a.txt", "bare/x", ".env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture(params=[True, False], ids=["autorefresh", "index"])
def files(site, request):
    return DirectoryFiles(site, FileTypes(cache_timeout=1), autorefresh=request.param)


@pytest.mark.parametrize(
    ("rest", "name"),
    [
        (("",), "index.html"),
        (("index.html",), "index.html"),
        (("app.js",), "app.js"),
        (("docs", ""), "docs/index.html"),
        (("docs", "index.html"), "docs/index.html"),
        (("docs", "a.txt"), "docs/a.txt"),
    ],
)
def test_address_names_its_file_in_either_mode(files, site, rest, name):
    found = files.find(rest)
    assert isinstance(found, ServedFile)
    assert found.path == str(site / name)
    assert files.allows(found.path)


@pytest.mark.parametrize("rest", [(), ("docs",)])
def test_directory_without_slash_is_elsewhere_in_either_mode(files, rest):
    assert files.find(rest) is Elsewhere.WITH_SLASH


@pytest.mark.parametrize(
    "rest",
    [
        ("missing",),
        ("bare",),
        ("bare", ""),
        ("app.js", ""),
        ("app.js", "x"),
        ("App.js",),
        (".env",),
        ("docs", "..", "app.js"),
        ("docs", "", "a.txt"),
        ("docs/a.txt",),
        ("a\0",),
        ("x" * 5000,),
    ],
)
def test_address_without_file_is_nothing_in_either_mode(files, rest):
    assert files.find(rest) is None


def test_index_file_off_gives_directories_nothing(site):
    for autorefresh in (True, False):
        files = DirectoryFiles(site, FileTypes(cache_timeout=1), autorefresh=autorefresh, index_file=None)
        assert files.find(("",)) is None
        assert files.find(("docs",)) is None
        assert files.find(()) is None
        assert files.find(("app.js",)) is not None


def test_autorefresh_sees_new_files_and_index_after_rescan(site):
    live = DirectoryFiles(site, FileTypes(cache_timeout=1), autorefresh=True)
    indexed = DirectoryFiles(site, FileTypes(cache_timeout=1))
    (site / "new.txt").write_text("new")
    assert live.find(("new.txt",)) is not None
    assert indexed.find(("new.txt",)) is None
    live.rescan()
    indexed.rescan()
    assert indexed.find(("new.txt",)) is not None
    (site / "new.txt").unlink()
    assert live.find(("new.txt",)) is None
    indexed.rescan()
    assert indexed.find(("new.txt",)) is None


def test_directory_missing_is_refused_in_either_mode(tmp_path):
    for autorefresh in (True, False):
        with pytest.raises(StaticDirectoryError, match="missing"):
            DirectoryFiles(tmp_path / "missing", FileTypes(cache_timeout=1), autorefresh=autorefresh)


def variants(site, name="app.js"):
    found = DirectoryFiles(site, FileTypes(cache_timeout=1)).find((name,))
    live = DirectoryFiles(site, FileTypes(cache_timeout=1), autorefresh=True).find((name,))
    assert found == live
    return [(variant.encoding, os.path.basename(variant.path)) for variant in found.variants]


def test_compressed_siblings_are_variants_smallest_first_and_have_addresses(site):
    (site / "app.js.gz").write_bytes(b"gz")
    (site / "app.js.br").write_bytes(b"b")
    assert variants(site) == [("br", "app.js.br"), ("gzip", "app.js.gz"), ("", "app.js")]
    assert variants(site, "app.js.gz") == [("", "app.js.gz")]


def test_compressed_sibling_leading_out_is_no_variant_of_the_index(site, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.gz"
    outside.write_bytes(b"x")
    (site / "app.js.gz").symlink_to(outside)
    found = DirectoryFiles(site, FileTypes(cache_timeout=1)).find(("app.js",))
    assert [variant.encoding for variant in found.variants] == [""]
    # Looked up live it is found, but may not be served: the answer asks again before it opens a variant.
    live = DirectoryFiles(site, FileTypes(cache_timeout=1), autorefresh=True)
    assert not any(live.allows(variant.path) for variant in live.find(("app.js",)).variants if variant.encoding)


def headers(tmp_path, name, **options):
    path = tmp_path / name
    path.write_text("x")
    options.setdefault("cache_timeout", 5)
    served = FileTypes(**options).describe(str(path), name)
    return dict(served.variants[-1].headers)


def test_headers_are_type_and_caching(tmp_path):
    assert headers(tmp_path, "a.html") == {
        "Content-Type": 'text/html; charset="utf-8"',
        "Cache-Control": "max-age=5, public",
    }
    assert headers(tmp_path, "a.png")["Content-Type"] == "image/png"
    assert headers(tmp_path, "a.unknown")["Content-Type"] == "application/octet-stream"


def test_cache_timeout_none_sends_no_caching_header(tmp_path):
    assert "Cache-Control" not in headers(tmp_path, "a.html", cache_timeout=None)
    assert headers(tmp_path, "a.html", cache_timeout=0)["Cache-Control"] == "max-age=0, public"


def test_immutable_file_may_be_kept_for_years(tmp_path):
    caching = headers(tmp_path, "a.js", is_immutable=lambda path, name: name == "a.js")["Cache-Control"]
    assert caching == "max-age=315360000, public, immutable"


def test_cross_origin_is_off_by_default(tmp_path):
    assert "Access-Control-Allow-Origin" not in headers(tmp_path, "a.js")
    assert headers(tmp_path, "a.js", allow_cross_origin=True)["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("extension", "name", "given", "sent"),
    [
        (".glb", "a.glb", "model/gltf-binary", "model/gltf-binary"),
        ("glb", "a.GLB", "model/gltf-binary", "model/gltf-binary"),
        (".TXT", "a.txt", "text/x-own", 'text/x-own; charset="utf-8"'),
        (".txt", "a.txt", "text/plain; charset=iso-8859-1", "text/plain; charset=iso-8859-1"),
        (".j", "a.j", "application/json; charset=utf-8", "application/json; charset=utf-8"),
    ],
)
def test_mime_types_are_added(tmp_path, extension, name, given, sent):
    assert headers(tmp_path, name, mime_types={extension: given})["Content-Type"] == sent


def test_mime_types_of_one_service_are_not_those_of_another(tmp_path):
    headers(tmp_path, "a.glb", mime_types={".glb": "model/gltf-binary"})
    assert headers(tmp_path, "a.glb")["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(("name", "kind"), [("a.svgz", "image/svg+xml"), ("a.jgz", 'text/javascript; charset="utf-8"')])
def test_packed_types_say_so(tmp_path, name, kind):
    found = headers(tmp_path, name)
    assert found["Content-Encoding"] == "gzip"
    assert found["Content-Type"] == kind


@pytest.mark.parametrize(
    "mime_types",
    [
        {".x": "a/b\r\nX: y"},
        {".x": "nonsense"},
        {".x": ""},
        {".x": "a/b;\x00"},
        {"": "a/b"},
        {".": "a/b"},
        {"a/b": "a/b"},
        {". x": "a/b"},
    ],
)
def test_mime_type_that_is_none_is_refused(mime_types):
    with pytest.raises(ValueError, match="media type"):
        FileTypes(cache_timeout=1, mime_types=mime_types)


def test_negative_cache_timeout_is_refused():
    with pytest.raises(ValueError, match="-1"):
        FileTypes(cache_timeout=-1)


def test_file_whose_time_cannot_be_written_is_left_out_and_logged(site, caplog, monkeypatch):
    real = FileTypes.describe

    def describe(self, path, name, stat_cache=None):
        if name == "app.js":
            raise OverflowError("year 316889355")
        return real(self, path, name, stat_cache)

    monkeypatch.setattr(FileTypes, "describe", describe)
    with caplog.at_level(logging.WARNING):
        files = DirectoryFiles(site, FileTypes(cache_timeout=1))
    assert files.find(("app.js",)) is None
    assert files.find(("index.html",)) is not None
    assert "app.js" in caplog.text
    assert describe_on_disk(FileTypes(cache_timeout=1), str(site / "app.js"), "app.js") is None


def test_pipe_is_no_file_in_either_mode(site):
    os.mkfifo(site / "pipe")
    for autorefresh in (True, False):
        assert DirectoryFiles(site, FileTypes(cache_timeout=1), autorefresh=autorefresh).find(("pipe",)) is None


def test_directory_and_pipe_are_described_as_nothing(site):
    os.mkfifo(site / "pipe")
    types = FileTypes(cache_timeout=1)
    for name in ("docs", "pipe", "missing"):
        assert describe_on_disk(types, str(site / name), name) is None
