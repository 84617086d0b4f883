import pytest

from wamp_transport.webservices.paths import (
    REST,
    PathTable,
    mounted,
    raw_path,
    rest_of,
    segments_of,
    site_prefix,
    without_prefix,
)


@pytest.fixture
def table():
    return PathTable([((), "root"), (("ws",), "ws"), (("a",), "a"), (("a", "b"), "ab"), (("x", "y", "z"), "xyz")])


@pytest.mark.parametrize(
    ("path", "service", "rest"),
    [
        ("/", "root", ("",)),
        ("/ws", "ws", ()),
        ("/ws/", "ws", ("",)),
        ("/ws/any/thing", "ws", ("any", "thing")),
        ("/%77s", "ws", ()),
        ("/%77%73/", "ws", ("",)),
        ("/wsx", "root", ("wsx",)),
        ("/w", "root", ("w",)),
        ("/WS", "root", ("WS",)),
        ("/%57s", "root", ("Ws",)),
        ("//ws", "root", ("", "ws")),
        ("/./ws", "root", (".", "ws")),
        ("/../ws", "root", ("..", "ws")),
        ("/a/../ws", "a", ("..", "ws")),
        ("/ws%2Fany", "root", ("ws/any",)),
        ("/ws%5cany", "root", ("ws\\any",)),
        ("/ws%00", "root", ("ws\0",)),
        ("/ws%20", "root", ("ws ",)),
        ("/ws%0a", "root", ("ws\n",)),
        ("/ws;p=1", "root", ("ws;p=1",)),
        ("/%2577s", "root", ("%77s",)),
        ("/%zz", "root", ("%zz",)),
        ("/%ff", "root", ("\ufffd",)),
        ("/%c3%a9", "root", ("é",)),
        ("/a", "a", ()),
        ("/a/c", "a", ("c",)),
        ("/a/b", "ab", ()),
        ("/a/b/c", "ab", ("c",)),
        ("/a%2Fb", "root", ("a/b",)),
        ("/b", "root", ("b",)),
        ("/x", "root", ("x",)),
        ("/x/y", "root", ("x", "y")),
        ("/x/y/w", "root", ("x", "y", "w")),
        ("/x/y/z/w", "xyz", ("w",)),
    ],
)
def test_path_resolves_to_most_specific_service_by_whole_segments(table, path, service, rest):
    assert table.resolve(path) == (service, rest)


@pytest.mark.parametrize("path", ["", "*", "ws", "http://host/ws", "?x"])
def test_path_without_leading_slash_reaches_no_service(table, path):
    assert table.resolve(path) is None


def test_path_without_ancestor_service_reaches_none():
    table = PathTable([(("a", "b"), "ab")])
    assert table.resolve("/") is None
    assert table.resolve("/a") is None
    assert table.resolve("/c/b") is None
    assert table.resolve("/a/b/c") == ("ab", ("c",))


def test_service_below_nearest_ancestor_falls_back_to_it_not_to_root():
    table = PathTable([((), "root"), (("a",), "a"), (("a", "b", "c"), "abc")])
    assert table.resolve("/a/b/d") == ("a", ("b", "d"))


@pytest.mark.parametrize(
    ("path", "service", "rest"),
    [
        ("/site/app/ws", "ws", ()),
        ("/ws", "ws", ()),
        ("/%73ite/app/ws/x", "ws", ("x",)),
        ("/site/app", "root", ("",)),
        ("/site/app/", "root", ("",)),
        ("/site/app/other", "root", ("other",)),
        ("/site/application/ws", "root", ("site", "application", "ws")),
        ("/site/ws", "root", ("site", "ws")),
        ("/site/app/site/app/ws", "root", ("site", "app", "ws")),
        ("/site/app/own", "own", ()),
        ("/own", "root", ("own",)),
    ],
)
def test_prefix_of_the_site_is_no_part_of_the_path(path, service, rest):
    table = PathTable([((), "root"), (("ws",), "ws"), (("site", "app", "own"), "own")])
    assert table.resolve(path, ("site", "app")) == (service, rest)


def test_same_path_with_another_prefix_is_resolved_anew(table):
    assert table.resolve("/a/b") == ("ab", ())
    assert table.resolve("/a/b", ("a",)) == ("ab", ())  # the longer path wins
    assert table.resolve("/a/ws", ("a",)) == ("ws", ())
    assert table.resolve("/a/ws") == ("a", ("ws",))
    assert table.resolve("/z/ws") == ("root", ("z", "ws"))
    assert table.resolve("/z/ws", ("z",)) == ("ws", ())
    assert table.resolve("/z/ws") == ("root", ("z", "ws"))


@pytest.mark.parametrize(
    ("forced", "root_path", "prefix"),
    [
        (None, "", ()),
        (None, None, ()),
        (None, "/", ()),
        (None, "/a/b/", ("a", "b")),
        (None, "a", ("a",)),
        ("/c", "/a", ("c",)),
        ("", "/a", ("a",)),
    ],
)
def test_prefix_of_the_site_is_that_of_django(settings, forced, root_path, prefix):
    settings.FORCE_SCRIPT_NAME = forced
    assert site_prefix(root_path) == prefix


def test_without_prefix_removes_whole_segments_only():
    assert without_prefix(("a", "b"), ("a",)) == ("b",)
    assert without_prefix(("a",), ("a",)) == ("",)
    assert without_prefix(("ab", "b"), ("a",)) == ("ab", "b")
    assert without_prefix((), ("a",)) == ()


def test_none_as_a_service_is_a_service():
    assert PathTable([(("a",), None)]).resolve("/a") == (None, ())


def test_empty_table_resolves_nothing():
    assert PathTable([]).resolve("/") is None


@pytest.mark.parametrize("segments", [("",), ("a", ""), ("a/b",)])
def test_entry_that_is_no_segment_is_refused(segments):
    with pytest.raises(ValueError, match="segment"):
        PathTable([(segments, 1)])


def test_path_given_twice_is_refused():
    with pytest.raises(ValueError, match="/a/b"):
        PathTable([(("a", "b"), 1), (("a", "b"), 2)])


def test_query_plays_no_part(scope):
    assert raw_path(scope("/ws?x=/y")) == "/ws"
    assert raw_path({"path": "/", "raw_path": b"/ws?x"}) == "/ws"


def test_raw_path_missing_is_made_from_path():
    assert segments_of(raw_path({"path": "/a b/%77s/é?"})) == ("a b", "%77s", "é?")


@pytest.mark.parametrize(
    ("raw", "path"), [(b"http://host:80/ws", "/ws"), (b"HTTPS://host", "/"), (b"http:///ws", "/ws"), (b"*", "*")]
)
def test_request_line_with_whole_url_gives_its_path(raw, path):
    assert raw_path({"path": "ignored", "raw_path": raw}) == path


def test_rest_set_by_mounting_code_wins(scope):
    inner = mounted(scope("/a/b"), ("b",))
    assert rest_of(inner) == ("b",)
    assert inner["path"] == "/a/b"
    assert rest_of({**inner, REST: ()}) == ()


def test_rest_of_unmounted_scope_is_whole_path(scope):
    assert rest_of(scope("/a/b/")) == ("a", "b", "")
    assert rest_of(scope("*")) is None


def test_mounting_leaves_the_outer_scope_alone(scope):
    outer = scope("/a")
    mounted(outer, ())
    assert REST not in outer
