"""What a library must have is checked, and what does not fit is explained in one sentence."""

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from wamp_transport.compat import requirements
from wamp_transport.compat.requirements import IncompatibleLibraryError, Library, Members, release

FAKE = """
class Server:
    size = 1

    def __init__(self):
        self._buffer = []

    def run(self, port, host=""):
        pass

    def _close(self, reason):
        pass


def connect(address):
    pass
"""

LIBRARY = Library("fakelib", "1.2", "1.4")
MEMBERS = (
    Members(
        "fakelib",
        "Server",
        called={"run": "port"},
        overridden={"_close": "reason"},
        attributes={"size": int},
        instance="_buffer",
    ),
    Members("fakelib", "connect"),
)


@pytest.fixture
def fakelib(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("fakelib")
    exec(FAKE, vars(module))
    monkeypatch.setitem(sys.modules, "fakelib", module)
    monkeypatch.setattr(requirements, "version", lambda name: "1.3.1")
    return module


def test_members_that_fit_are_no_problem(fakelib: ModuleType) -> None:
    assert LIBRARY.problem(MEMBERS) == ""
    LIBRARY.require(MEMBERS)
    assert MEMBERS[0].names() == {"run", "_close", "size", "_buffer"}


@pytest.mark.parametrize("name", ["run", "_close", "size"])
def test_missing_name_gives_one_sentence(fakelib: ModuleType, name: str) -> None:
    delattr(fakelib.Server, name)
    with pytest.raises(IncompatibleLibraryError) as caught:
        LIBRARY.require(MEMBERS)
    assert str(caught.value) == (
        f"wampnode cannot serve with fakelib 1.3.1: fakelib.Server.{name} is missing; "
        "install a tested version ('fakelib>=1.2,<1.4') or upgrade wampnode."
    )


def test_all_that_is_missing_stands_in_the_one_sentence(fakelib: ModuleType) -> None:
    del fakelib.Server.run, fakelib.Server.__init__, fakelib.connect
    problem = LIBRARY.problem(MEMBERS)
    assert ": fakelib.Server.run is missing, fakelib.Server._buffer is missing, fakelib.connect is missing; " in problem


def other(source: str) -> Iterator[tuple[str, object]]:
    scope: dict[str, object] = {}
    exec(source, scope)
    yield from ((name, value) for name, value in scope.items() if not name.startswith("__"))


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def run(self, port, host='', path='', *args, **options): pass", ""),
        ("def run(self, port, path): pass", "has the parameters (port, path) instead of (port)"),
        ("def run(self, host): pass", "has the parameters (host) instead of (port)"),
        ("def run(self): pass", "has the parameters () instead of (port)"),
        ("run = 1", "is not callable"),
        # The library could pass a new parameter to a method that is overridden, though it has a default.
        ("def _close(self, reason, code=1): pass", "has the parameters (reason, code) instead of (reason)"),
        ("size = 'large'", "is not of type int"),
    ],
)
def test_another_form_is_a_problem(fakelib: ModuleType, source: str, problem: str) -> None:
    ((name, value),) = other(source)
    setattr(fakelib.Server, name, value)
    found = LIBRARY.problem(MEMBERS)
    assert f"fakelib.Server.{name} {problem};" in found if problem else found == ""


def test_missing_module_is_a_problem(fakelib: ModuleType) -> None:
    assert "fakelib.gone.Server is missing" in LIBRARY.problem([Members("fakelib.gone", "Server")])
    with pytest.raises(IncompatibleLibraryError, match=r"fakelib 1\.3\.1: .*gone.*; install"), LIBRARY.imports():
        import fakelib.gone  # noqa: F401


@pytest.mark.parametrize(
    ("installed", "is_tested"),
    [("1.2", True), ("1.3.9", True), ("1.1.9", False), ("1.4", False), ("2", False), ("1.4.0rc1", False)],
)
def test_versions_within_the_range_are_tested(monkeypatch: pytest.MonkeyPatch, installed: str, is_tested: bool) -> None:
    monkeypatch.setattr(requirements, "version", lambda name: installed)
    assert LIBRARY.is_tested == is_tested


def test_library_that_is_not_installed_has_no_version() -> None:
    assert LIBRARY.installed == ""
    assert LIBRARY.is_tested
    assert "fakelib (no version found)" in LIBRARY.sentence(["x"])
    assert Library("Python", "3", "4").installed == sys.version.split()[0].rstrip("+")


@pytest.mark.parametrize(("text", "numbers"), [("4.2.2", (4, 2, 2)), ("4.2rc1", (4,)), ("5", (5,)), ("x", ())])
def test_release_is_the_leading_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert release(text) == numbers
