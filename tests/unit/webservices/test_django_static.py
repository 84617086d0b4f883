import logging
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.exceptions import SuspiciousFileOperation
from django.core.management import call_command
from django.test import override_settings

from wamp_transport.webservices.django_static import (
    DjangoStaticFiles,
    FinderFiles,
    has_hashed_name,
    local_prefix,
)
from wamp_transport.webservices.file_index import FileTypes


async def django(scope, receive, send):
    """Stands for the application behind."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"django", "more_body": False})


@pytest.fixture
def site(tmp_path):
    """Two directories of sources, one with a prefix, an empty STATIC_ROOT, and settings that name them."""
    for name, text in (("src/app.css", "a{}"), ("src/img/a.svg", "<svg/>"), ("src/.env", "x"), ("more/b.txt", "b")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "src/out").symlink_to(tmp_path / "secret")
    (tmp_path / "root").mkdir()
    backend = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    with override_settings(
        DEBUG=False,
        STATIC_URL="/static/",
        STATIC_ROOT=tmp_path / "root",
        STATICFILES_DIRS=[tmp_path / "src", ("pre", tmp_path / "more")],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
        STORAGES={**settings.STORAGES, "staticfiles": {"BACKEND": backend}},
    ):
        yield tmp_path


@pytest.fixture
def collected(site):
    # The link is for the finders' tests; collectstatic would follow it.
    (site / "src/out").unlink()
    call_command("collectstatic", interactive=False, verbosity=0)
    return site / "root"


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("/static/", ("static",)),
        ("/a/b%20c/", ("a", "b c")),
        ("static/", ("static",)),
        ("/", ()),
        ("https://cdn.example/static/", None),
        ("//cdn.example/static/", None),
        ("", None),
        (None, None),
    ],
)
def test_static_url_gives_a_prefix_if_it_is_a_path(url, prefix):
    assert local_prefix(url) == prefix


@pytest.mark.parametrize(
    "path", ["/", "/static", "/statics/app.css", "/STATIC/app.css", "//static/app.css", "/x/static/"]
)
def test_path_not_below_static_url_goes_to_the_application(ask, collected, path):
    for use_finders in (True, False):
        assert ask(DjangoStaticFiles(django, use_finders=use_finders), path).body == b"django"


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_other_scope_goes_to_the_application(collected, scope, kind):
    app = DjangoStaticFiles(django)
    assert app.rest_below({"type": kind}) is None
    assert app.rest_below(scope("/static/a/b")) == ("a", "b")


@pytest.mark.parametrize("use_finders", [True, False])
def test_file_below_static_url_is_served(ask, collected, use_finders):
    app = DjangoStaticFiles(django, use_finders=use_finders)
    for path, body in (("/static/app.css", b"a{}"), ("/static/pre/b.txt", b"b"), ("/%73tatic/img/a.svg", b"<svg/>")):
        reply = ask(app, path)
        assert (reply.status, reply.body) == (200, body)
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert ask(app, path, "HEAD").headers == reply.headers
        assert ask(app, path, headers={"If-None-Match": reply.headers["etag"]}).status == 304
    assert ask(app, "/static/app.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/missing.css",
        "/static/img",
        "/static/img/",
        "/static/.env",
        "/static/%2eenv",
        "/static/out",
        "/static/../secret",
        "/static/%2e%2e/secret",
        "/static/..%2fsecret",
        "/static/img/../app.css",
        "/static//app.css",
        "/static/%2fetc/passwd",
        "/static/app.css%00",
        "/static/..%5csecret",
        "/static/%252e%252e/secret",
        "/static/" + "x" * 5000,
    ],
)
@pytest.mark.parametrize("use_finders", [True, False])
def test_path_below_static_url_without_public_file_is_not_found(ask, site, path, use_finders):
    reply = ask(DjangoStaticFiles(django, use_finders=use_finders), path)
    assert reply.status == 404
    assert b"secret" not in reply.body


@pytest.mark.parametrize("static_url", ["/static/", "/app/static/"])
@pytest.mark.parametrize("path", ["/static/app.css", "/app/static/app.css"])
def test_file_of_a_site_below_a_path_is_served_with_and_without_the_prefix(ask, collected, static_url, path):
    with override_settings(STATIC_URL=static_url):
        app = DjangoStaticFiles(django)
    assert ask(app, path, root_path="/app").body == b"a{}"
    with override_settings(FORCE_SCRIPT_NAME="/app"):
        assert ask(app, path).body == b"a{}"
    assert ask(app, "/application/static/app.css", root_path="/app").body == b"django"


def test_other_method_below_static_url_is_refused(ask, collected):
    reply = ask(DjangoStaticFiles(django), "/static/app.css", "POST")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


def test_hashed_name_may_be_kept_for_years_and_plain_name_not(ask, collected):
    app = DjangoStaticFiles(django)
    hashed = next(path.name for path in collected.glob("app.*.css"))
    assert ask(app, f"/static/{hashed}").headers["cache-control"] == "max-age=315360000, public, immutable"
    assert ask(app, "/static/app.css").headers["cache-control"] == "max-age=60, public"
    assert has_hashed_name("", hashed)
    assert not has_hashed_name("", "app.css")
    assert not has_hashed_name("", "app.000000000000.css")
    assert not has_hashed_name("", "unknown.min.js")


def test_finders_see_changes_at_once_and_browsers_ask_each_time(ask, site):
    app = DjangoStaticFiles(django, use_finders=True)
    assert ask(app, "/static/new.txt").status == 404
    (site / "src/new.txt").write_text("new")
    reply = ask(app, "/static/new.txt")
    assert (reply.body, reply.headers["cache-control"]) == (b"new", "max-age=0, public")
    app.rescan()
    (site / "src/new.txt").write_text("newer")
    assert ask(app, "/static/new.txt").body == b"newer"


def test_static_root_is_read_again_by_rescan(ask, collected):
    app = DjangoStaticFiles(django)
    (collected / "new.txt").write_text("new")
    assert ask(app, "/static/new.txt").status == 404
    app.rescan()
    assert ask(app, "/static/new.txt").status == 200


@pytest.mark.parametrize("debug", [True, False])
def test_debug_decides_where_files_come_from(ask, collected, debug):
    (collected / "only-collected.txt").write_text("x")
    with override_settings(DEBUG=debug):
        app = DjangoStaticFiles(django)
    assert ask(app, "/static/only-collected.txt").status == (404 if debug else 200)


@pytest.mark.parametrize("url", ["https://cdn.example/static/", None])
def test_static_url_elsewhere_leaves_all_to_the_application(ask, collected, url):
    with override_settings(STATIC_URL=url):
        app = DjangoStaticFiles(django)
    app.rescan()
    assert ask(app, "/static/app.css").body == b"django"


@pytest.mark.parametrize("name", [None, "missing", "secret"])
def test_static_root_that_is_none_leaves_all_to_the_application_and_is_logged(ask, site, caplog, name):
    with override_settings(STATIC_ROOT=name and site / name), caplog.at_level(logging.WARNING):
        app = DjangoStaticFiles(django)
    assert ask(app, "/static/app.css").body == b"django"
    assert "STATIC_ROOT" in caplog.text


def test_static_url_at_root_leaves_the_rest_to_the_application(ask, collected):
    with override_settings(STATIC_URL="/", MEDIA_URL="/media/"):
        app = DjangoStaticFiles(django)
    assert ask(app, "/app.css").body == b"a{}"
    for path, method in (("/", "GET"), ("/admin/", "GET"), ("/app.css", "POST"), ("/../x", "GET")):
        assert ask(app, path, method).body == b"django"


def test_options_reach_the_answer(ask, collected):
    app = DjangoStaticFiles(django, cache_timeout=None, mime_types={".css": "text/x-own"}, allow_cross_origin=True)
    headers = ask(app, "/static/app.css").headers
    assert headers["content-type"].startswith("text/x-own")
    assert headers["access-control-allow-origin"] == "*"
    assert "cache-control" not in headers


def test_finder_without_directory_is_taken_at_its_word(site, tmp_path, monkeypatch):
    (tmp_path / "made.txt").write_text("made")
    monkeypatch.setattr(finders, "find", lambda name: str(tmp_path / "made.txt"))
    files = FinderFiles(FileTypes(cache_timeout=0))
    assert files.find(("made.txt",)) is not None
    assert files.find(("made.txt", "")) is None
    assert files.find(()) is None


def test_finder_that_suspects_an_attack_finds_nothing(site, monkeypatch):
    def suspect(name):
        raise SuspiciousFileOperation(name)

    monkeypatch.setattr(finders, "find", suspect)
    assert FinderFiles(FileTypes(cache_timeout=0)).find(("a",)) is None


def test_finder_with_a_directory_that_is_gone_allows_nothing(tmp_path, monkeypatch):
    gone = SimpleNamespace(storage=SimpleNamespace(location=str(tmp_path / "gone")))
    monkeypatch.setattr(finders, "get_finders", lambda: [gone])
    assert not FinderFiles(FileTypes(cache_timeout=0)).allows(str(tmp_path / "gone/x"))
