import logging
import os

import pytest

from wamp_transport.webservices import boundary as module
from wamp_transport.webservices.boundary import Boundary, StaticDirectoryError, is_public


@pytest.mark.parametrize(
    "segments",
    [
        (),
        ("",),
        ("a",),
        ("a", ""),
        ("a", "b.c"),
        (".well-known",),
        (".well-known", "x"),
        ("a..b",),
        ("é",),
        ("%2e%2e",),
        ("~",),
        ("a:b",),
    ],
)
def test_ordinary_names_are_public(segments):
    assert is_public(segments)


@pytest.mark.parametrize(
    "segments",
    [
        (".",),
        ("..",),
        ("...",),
        ("a", "..", "b"),
        ("..", ""),
        (".git",),
        ("a", ".git", "b"),
        (".htaccess",),
        (".crossbar", "config.json"),
        (".Crossbar",),
        (".WELL-KNOWN",),
        (".well-knownx",),
        ("a", ".well-known", "x"),
        (".well-known", ".x"),
        ("", "a"),
        ("a", "", "b"),
        ("", ""),
        ("a/b",),
        ("/",),
        ("../x",),
        ("a\\b",),
        ("..\\x",),
        ("a\0",),
        ("a\n",),
        ("\x7f",),
    ],
)
def test_hidden_names_and_separators_in_disguise_are_not_public(segments):
    assert not is_public(segments)


@pytest.fixture
def site(tmp_path):
    root = tmp_path / "site"
    for name in (
        "a.txt",
        "sub/b.txt",
        "private/p.txt",
        ".git/config",
        ".well-known/x",
        "sub/.env",
        ".crossbar/node.key",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/s.txt").write_text("s")
    (tmp_path / "site-next").mkdir()
    (tmp_path / "site-next/n.txt").write_text("n")
    return root


def names(boundary):
    return sorted("/".join(segments) for segments, _, _ in boundary.scan())


def test_scan_finds_public_files_only(site):
    assert names(Boundary(site)) == [".well-known/x", "a.txt", "private/p.txt", "sub/b.txt"]


def test_scan_gives_path_and_stat(site):
    found = {segments: (path, info.st_size) for segments, path, info in Boundary(site).scan()}
    assert found["sub", "b.txt"] == (str(site / "sub/b.txt"), 9)


@pytest.mark.parametrize("spelling", ["private", "./private/", "sub/../private", "{site}/private", "private/p.txt"])
def test_excluded_directory_is_left_out_whatever_its_spelling(site, spelling):
    boundary = Boundary(site, [spelling.format(site=site)])
    assert "private/p.txt" not in names(boundary)
    assert not boundary.allows(str(site / "private/p.txt"))
    assert boundary.allows(str(site / "sub/b.txt"))


def test_excluded_directory_is_left_out_through_a_link_to_it(site):
    (site / "door").symlink_to(site / "private")
    (site / "p").symlink_to(site / "private/p.txt")
    (site / "up").symlink_to(site / "sub")
    boundary = Boundary(site, ["private"])
    assert names(boundary) == [".well-known/x", "a.txt", "sub/b.txt", "up/b.txt"]
    assert not boundary.allows(str(site / "door/p.txt"))
    assert not boundary.allows(str(site / "p"))


def test_excluded_link_excludes_its_target(site):
    (site / "door").symlink_to(site / "private")
    assert not Boundary(site, ["door"]).allows(str(site / "private/p.txt"))


def test_excluded_directory_made_later_is_left_out(site):
    boundary = Boundary(site, ["later"])
    (site / "later").mkdir()
    (site / "later/x").write_text("x")
    assert not boundary.allows(str(site / "later/x"))
    assert "later/x" not in names(boundary)


def test_excluded_path_that_is_none_does_no_harm(site):
    assert "a.txt" in names(Boundary(site, ["no\0path", "missing"]))


def test_links_leading_out_are_left_out(site, tmp_path):
    (site / "out").symlink_to(tmp_path / "secret")
    (site / "out.txt").symlink_to(tmp_path / "secret/s.txt")
    (site / "relative").symlink_to("../secret")
    (site / "neighbour").symlink_to("../site-next")
    (site / "hop").symlink_to("out")
    (site / "etc").symlink_to("/etc")
    boundary = Boundary(site)
    assert names(boundary) == [".well-known/x", "a.txt", "private/p.txt", "sub/b.txt"]
    for name in ("out/s.txt", "out.txt", "relative/s.txt", "neighbour/n.txt", "hop/s.txt", "etc/passwd"):
        assert not boundary.allows(str(site / name))


def test_way_that_leads_out_and_back_in_is_refused(site):
    (site / "out").symlink_to(site.parent)
    boundary = Boundary(site)
    assert not boundary.allows(str(site / "out/site/a.txt"))
    assert not boundary.allows(str(site / "out/site"))


def test_path_not_below_the_directory_is_refused(site, tmp_path):
    boundary = Boundary(site)
    for path in (tmp_path, tmp_path / "secret/s.txt", tmp_path / "site-next/n.txt", "/", "a.txt"):
        assert not boundary.allows(str(path))


def test_links_to_hidden_files_are_left_out(site):
    (site / "git").symlink_to(".git")
    (site / "env").symlink_to("sub/.env")
    boundary = Boundary(site)
    assert not {"git/config", "env"} & set(names(boundary))
    assert not boundary.allows(str(site / "git/config"))
    assert not boundary.allows(str(site / "env"))


def test_links_that_stay_inside_are_followed(site):
    (site / "current").symlink_to("sub")
    (site / "b").symlink_to("sub/b.txt")
    boundary = Boundary(site)
    assert {"current/b.txt", "b"} <= set(names(boundary))
    assert boundary.allows(str(site / "current/b.txt"))


def test_link_loops_end(site):
    (site / "self").symlink_to("self")
    (site / "ping").symlink_to("pong")
    (site / "pong").symlink_to("ping")
    (site / "here").symlink_to(".")
    (site / "sub/up").symlink_to("..")
    boundary = Boundary(site)
    assert names(boundary) == [".well-known/x", "a.txt", "private/p.txt", "sub/b.txt"]
    assert not boundary.allows(str(site / "self"))
    assert not boundary.allows(str(site / "ping"))


@pytest.mark.long
def test_directories_full_of_links_to_each_other_end(site):
    for first in range(5):
        (site / f"d{first}").mkdir()
        for second in range(5):
            (site / f"d{first}/to{second}").symlink_to(f"../d{second}")
    assert len(names(Boundary(site))) == 4


def test_root_itself_may_be_a_link(site, tmp_path):
    (tmp_path / "link").symlink_to(site)
    assert "a.txt" in names(Boundary(tmp_path / "link"))


def test_root_below_a_hidden_directory_is_served(tmp_path):
    (tmp_path / ".cache/web").mkdir(parents=True)
    (tmp_path / ".cache/web/x").write_text("x")
    boundary = Boundary(tmp_path / ".cache/web")
    assert names(boundary) == ["x"]
    assert boundary.allows(str(tmp_path / ".cache/web/x"))


def test_root_of_the_file_system_is_a_boundary_too():
    assert Boundary("/").allows("/etc/passwd")


def test_pipes_and_sockets_are_left_out(site):
    os.mkfifo(site / "pipe")
    assert "pipe" not in names(Boundary(site))


@pytest.mark.parametrize("name", ["line\nbreak", "back\\slash", "\x7f"])
def test_file_whose_name_cannot_be_asked_for_is_left_out(site, name):
    (site / name).write_text("x")
    assert name not in names(Boundary(site))


def test_name_that_is_not_utf8_does_no_harm(site):
    with open(os.fsencode(site) + b"/\xff\xfe.txt", "wb"):
        pass
    assert "a.txt" in names(Boundary(site))


def test_unreadable_subdirectory_is_left_out_and_logged(site, monkeypatch, caplog):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    boundary = Boundary(site)
    monkeypatch.setattr(module.os, "scandir", scandir)
    with caplog.at_level(logging.WARNING):
        assert names(boundary) == [".well-known/x", "a.txt", "private/p.txt"]
    assert str(site / "sub") in caplog.text


def test_file_that_goes_while_scanning_is_left_out(site, monkeypatch):
    real = os.stat
    boundary = Boundary(site)

    def stat(path, *args, **options):
        if str(path).endswith("a.txt"):
            raise FileNotFoundError(2, "gone")
        return real(path, *args, **options)

    monkeypatch.setattr(module.os, "stat", stat)
    assert "a.txt" not in names(boundary)
    monkeypatch.undo()


def test_path_that_goes_while_compared_with_excluded_is_refused(site, monkeypatch):
    real = os.stat
    boundary = Boundary(site, ["private"])

    def stat(path, *args, **options):
        if str(path).endswith("a.txt"):
            raise FileNotFoundError(2, "gone")
        return real(path, *args, **options)

    monkeypatch.setattr(module.os, "stat", stat)
    assert not boundary.allows(str(site / "a.txt"))
    monkeypatch.undo()


@pytest.mark.parametrize("path", ["missing", "a\0b", "x" * 5000, "a.txt/b"])
def test_path_that_does_not_exist_is_refused(site, path):
    assert not Boundary(site).allows(os.path.join(site, path))


def test_root_is_allowed(site):
    assert Boundary(site).allows(str(site))


@pytest.mark.parametrize("name", ["missing", "a.txt", "a\0b", "x" * 5000])
def test_directory_that_is_none_is_refused_by_name(site, name):
    with pytest.raises(StaticDirectoryError, match="cannot serve files from") as caught:
        Boundary(os.path.join(site, name))
    assert caught.value.directory == os.path.join(site, name)
    assert caught.value.reason


def test_directory_that_cannot_be_read_is_refused(site, monkeypatch):
    def scandir(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.os, "scandir", scandir)
    with pytest.raises(StaticDirectoryError, match="Permission denied"):
        Boundary(site)


def test_link_to_itself_as_directory_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StaticDirectoryError, match="loop"):
        Boundary(tmp_path / "loop")


@pytest.mark.parametrize("name", [".crossbar", "sub/../.crossbar", "node"])
def test_node_folder_as_directory_is_refused(site, name):
    (site / "node").symlink_to(".crossbar")
    with pytest.raises(StaticDirectoryError, match="crossbar"):
        Boundary(site / name)


def test_directory_that_is_or_lies_in_an_excluded_one_is_refused(site):
    for excluded in (site, site.parent, "."):
        with pytest.raises(StaticDirectoryError, match="excluded"):
            Boundary(site, [excluded])
