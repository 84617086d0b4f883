import asyncio
import os
from urllib.parse import unquote

import pytest

from wamp_transport.webservices.answers import UnsupportedScope
from wamp_transport.webservices.paths import REST
from wamp_transport.webservices.static import StaticDirectoryError, StaticFiles

SECRET = b"secret"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "outer" / "site"
    for name in ("index.html", "app.js", "docs/index.html", "bare/x.txt", ".well-known/acme", "private/p.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    hidden = (
        ".env", ".git/config", "docs/.htpasswd", ".well-known/.x", "docs/.well-known/x",
        ".crossbar/config.json", ".crossbar/node.key", "sub/.crossbar/node.key",
    )  # fmt: skip
    for name in hidden:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(SECRET)
    (root.parent / "secret.txt").write_bytes(SECRET)
    (root.parent / "site-secret").mkdir()
    (root.parent / "site-secret/s.txt").write_bytes(SECRET)
    (root / "private/p.txt").write_bytes(SECRET)
    (root / "out").symlink_to(root.parent)
    (root / "out.txt").symlink_to(root.parent / "secret.txt")
    (root / "loop").symlink_to("loop")
    (root / "here").symlink_to(".")
    (root / "shown").symlink_to("private")
    return root


@pytest.fixture(params=[True, False], ids=["autorefresh", "index"])
def autorefresh(request):
    return request.param


@pytest.fixture
def app(root, autorefresh):
    return StaticFiles(root, autorefresh=autorefresh, excluded=["private"])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "index.html"),
        ("/index.html", "index.html"),
        ("/app.js", "app.js"),
        ("/app%2ejs", "app.js"),
        ("/app.js?x=/../y", "app.js"),
        ("/docs/", "docs/index.html"),
        ("/.well-known/acme", ".well-known/acme"),
        ("/%2ewell-known/acme", ".well-known/acme"),
    ],
)
def test_public_file_is_served(ask, app, path, name):
    reply = ask(app, path)
    assert (reply.status, reply.body) == (200, name.encode())
    assert reply.headers["cache-control"] == "max-age=43200, public"
    assert "access-control-allow-origin" not in reply.headers


UP = [
    "..",
    "%2e%2e",
    "%2E%2e",
    ".%2e",
    "%2e.",
    "..%00",
    "..;",
    "...",
    "%c0%ae%c0%ae",
    "%e0%80%ae%e0%80%ae",
    "%252e%252e",
    "%25252e%25252e",
    "%u002e%u002e",
    "\uff0e\uff0e",
]
SEPARATORS = [
    "/",
    "%2f",
    "%2F",
    "\\",
    "%5c",
    "%5C",
    "%252f",
    "%255c",
    "//",
    "/./",
    "%c0%af",
    "%e0%80%af",
    "%u2215",
    "/%00/",
    "%2f/",
]
TRAVERSALS = [
    "//secret.txt",
    "/..",
    "/../",
    "/../site/app.js",
    "/docs/../app.js",
    "/docs/../../site-secret/s.txt",
    "/..%2fsite-secret/s.txt",
    "/%2e%2e%2fsecret.txt%00.js",
    "*",
    "app.js",
    "secret.txt",
    "../secret.txt",
    "",
    "?",
    "/app.js%00",
    "/%00",
    "/app.js%00.html",
    "/app.js/",
    "/app.js/.",
    "/app.js/..",
    "/./app.js",
    "/docs//index.html",
    "//app.js",
    "//etc/passwd",
    "/%2fetc%2fpasswd",
    "/%2fetc/passwd",
    "/etc/passwd",
    "/C:/windows/win.ini",
    "/C:%5cwindows%5cwin.ini",
    "/%5c%5chost%5cshare",
    "/file:///etc/passwd",
    "/~root/x",
    "/app.js%0a",
    "/app.js%20",
    "/app.js.",
    "/app.js::$DATA",
    "/" + "../" * 500 + "etc/passwd",
    "/" + "a/" * 5000,
    "/" + "x" * 60000,
    "/%",
    "/%zz",
    "/%ff%fe",
    "/%ed%a0%80",
]  # fmt: skip
HIDDEN = [
    "/.env",
    "/%2eenv",
    "/%2Eenv",
    "/.git/config",
    "/.git%2fconfig",
    "/%2egit/config",
    "/.git/../.git/config",
    "/docs/../.env",
    "/docs/.htpasswd",
    "/docs/%2ehtpasswd",
    "/.well-known/.x",
    "/.well-known/../.env",
    "/docs/.well-known/x",
    "/.crossbar",
    "/.crossbar/",
    "/.crossbar/config.json",
    "/%2ecrossbar/node.key",
    "/.%63rossbar/node.key",
    "/.crossbar%2fnode.key",
    "/.crossbar%5cnode.key",
    "/.CROSSBAR/node.key",
    "/sub/.crossbar/node.key",
    "/here/.crossbar/node.key",
    "/private/p.txt",
    "/pr%69vate/p.txt",
    "/private/",
    "/shown/p.txt",
    "/here/private/p.txt",
    "/docs/../private/p.txt",
    "/out/secret.txt",
    "/out/site/app.js",
    "/out/site-secret/s.txt",
    "/out.txt",
    "/loop",
    "/loop/x",
    "/loop/",
]


def assert_refused(reply, root):
    assert reply.status == 404
    for told in (SECRET, b"site", str(root).encode()):
        assert told not in reply.body


@pytest.mark.parametrize("up", UP)
def test_way_up_in_any_spelling_is_not_found(ask, app, root, up):
    for sep in SEPARATORS:
        for path in (f"/{up}{sep}secret.txt", f"/docs{sep}{up}{sep}{up}{sep}secret.txt"):
            assert_refused(ask(app, raw_path=path.encode()), root)


@pytest.mark.parametrize("path", TRAVERSALS + HIDDEN)
def test_hostile_path_is_not_found_and_learns_nothing(ask, app, root, path):
    assert_refused(ask(app, headers={"Accept": "text/html"}, raw_path=path.encode()), root)
    # Servers need not give the raw path; the decoded one is then all there is.
    assert_refused(ask(app, raw_path=None, decoded=unquote(path)), root)


@pytest.mark.parametrize("path", ["/bare", "/bare/", "/missing", "/docs/missing", "/App.js", "/docs/index.html/"])
def test_address_without_file_is_not_found(ask, app, path):
    reply = ask(app, path)
    assert (reply.status, reply.body) == (404, b"Not found.\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", ""])
def test_other_method_is_refused_and_told_which(ask, app, method):
    for path in ("/app.js", "/missing"):
        reply = ask(app, path, method)
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


def test_head_is_answered(ask, app):
    assert ask(app, "/app.js", "HEAD").headers["content-length"] == "6"
    assert ask(app, "/missing", "HEAD").status == 404


def test_mounted_service_looks_at_the_rest_only(ask, app):
    assert ask(app, "/files/app.js", **{REST: ("app.js",)}).body == b"app.js"
    assert ask(app, "/app.js", **{REST: ("missing",)}).status == 404


@pytest.mark.parametrize(
    ("path", "rest", "location"),
    [
        ("/files", (), "./files/"),
        ("/files?a=b", (), "./files/?a=b"),
        ("/deep/files", (), "./files/"),
        ("/files/docs?x", ("docs",), "./docs/?x"),
        ("//evil.example/files", (), "./files/"),
        ("//docs", ("docs",), "./docs/"),
        ("/%2f%2fevil.example", (), "./%2F%2Fevil.example/"),
        ("/%5cevil.example", (), "./%5Cevil.example/"),
        ("/javascript:alert(1)", (), "./javascript%3Aalert%281%29/"),
    ],
)
def test_directory_redirect_keeps_mount_and_query_and_stays_here(ask, app, path, rest, location):
    reply = ask(app, path, **{REST: rest})
    assert (reply.status, reply.headers["location"]) == (302, location)


def test_mount_at_root_without_rest_is_the_directory(ask, app):
    assert ask(app, "/", **{REST: ()}).body == b"index.html"


def test_unmounted_path_with_double_slash_never_redirects(ask, app):
    for path in ("//docs", "//evil.example/docs", "/\\docs", "//evil.example/%2e%2e/docs"):
        assert ask(app, path).status == 404


@pytest.fixture
def page(root, autorefresh):
    return StaticFiles(root, autorefresh=autorefresh, default_file="index.html", excluded=["private"])


@pytest.mark.parametrize("path", ["/missing", "/some/page", "/some/page/", "/bare", "/bare/", "/app.jsx"])
def test_default_file_answers_unknown_paths(ask, page, path):
    for method in ("GET", "HEAD"):
        reply = ask(page, path, method)
        assert reply.status == 200
        assert reply.headers["content-type"].startswith("text/html")
    assert ask(page, path).body == b"index.html"


def test_default_file_leaves_known_paths_alone(ask, page):
    assert ask(page, "/app.js").body == b"app.js"
    assert ask(page, "/docs").status == 302
    assert ask(page, "/missing", "POST").status == 405


@pytest.mark.parametrize(
    "path", ["/.env", "/.git/config", "/../secret.txt", "/%2e%2e/x", "/a%2fb", "/a%5cb", "/a%00", "//x", "/.crossbar/x"]
)
def test_default_file_does_not_answer_hostile_paths(ask, page, path):
    assert ask(page, path).status == 404


def test_default_file_missing_is_not_found(ask, root, autorefresh):
    app = StaticFiles(root, autorefresh=autorefresh, default_file="docs/missing.html")
    assert ask(app, "/x").status == 404


@pytest.mark.parametrize("name", ["", "/index.html", "../x", "docs/../x", ".env", "docs/", "a//b", "a\\b", "a\0"])
def test_default_file_that_may_not_be_served_is_refused(root, name):
    with pytest.raises(ValueError, match="may be served"):
        StaticFiles(root, default_file=name)


def test_default_file_that_leads_out_is_not_found(ask, root, autorefresh):
    assert ask(StaticFiles(root, autorefresh=autorefresh, default_file="out.txt"), "/x").status == 404


def test_options_reach_the_answer(ask, root, autorefresh):
    (root / "a.glb").write_bytes(b"x")
    app = StaticFiles(
        root,
        autorefresh=autorefresh,
        cache_timeout=None,
        mime_types={".glb": "model/gltf-binary"},
        allow_cross_origin=True,
    )
    headers = ask(app, "/a.glb").headers
    assert headers["content-type"] == "model/gltf-binary"
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers
    assert "cache-control" not in headers
    assert ask(StaticFiles(root), "/a.glb").headers["content-type"] == "application/octet-stream"


def test_new_and_changed_files_appear_at_once_or_after_rescan(ask, root, autorefresh):
    app = StaticFiles(root, autorefresh=autorefresh)
    (root / "new.txt").write_text("one")
    assert ask(app, "/new.txt").status == (200 if autorefresh else 404)
    app.rescan()
    assert ask(app, "/new.txt").body == b"one"
    (root / "new.txt").write_text("another")
    assert ask(app, "/new.txt").body == b"another"
    os.remove(root / "new.txt")
    assert ask(app, "/new.txt").status == 404


def test_directory_missing_is_refused_by_name(tmp_path, autorefresh):
    with pytest.raises(StaticDirectoryError, match=str(tmp_path / "nowhere")):
        StaticFiles(tmp_path / "nowhere", autorefresh=autorefresh)


def test_excluded_as_absolute_path_is_not_served(ask, root, autorefresh):
    app = StaticFiles(root, autorefresh=autorefresh, excluded=[root / "docs"])
    for path in ("/docs", "/docs/", "/docs/index.html"):
        assert ask(app, path).status == 404


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_other_scope_is_refused(app, kind):
    with pytest.raises(UnsupportedScope):
        asyncio.run(app({"type": kind}, None, None))
