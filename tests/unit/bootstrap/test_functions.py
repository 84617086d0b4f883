import asyncio
import threading

import pytest

from wamp_transport.bootstrap.functions import Functions, is_async

seen = []


def sync(*arguments):
    seen.append(threading.current_thread().name)
    return list(arguments)


async def later(*arguments):
    seen.append(threading.current_thread().name)
    return list(arguments)


def gives_coroutine(*arguments):
    return later(*arguments)


def fails():
    raise ZeroDivisionError


class Callable:
    async def __call__(self):
        return 1


instance = Callable()
NOTHING = 5
HERE = __name__


@pytest.fixture
def functions():
    seen.clear()
    functions = Functions()
    yield functions
    functions.close()


def run(functions, name, *arguments):
    return asyncio.run(functions.run(f"{HERE}.{name}", *arguments))


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])


def test_function_runs_in_a_thread_of_its_own(functions):
    assert run(functions, "sync", 1, 2) == [1, 2]
    assert seen[0].startswith("wamp-function")


def test_coroutine_function_runs_on_the_loop(functions):
    assert run(functions, "later", 1) == [1]
    assert run(functions, "gives_coroutine", 2) == [2]
    assert run(functions, "instance") == 1
    assert seen == ["MainThread", "MainThread"]


def test_what_it_raises_is_raised(functions):
    with pytest.raises(ZeroDivisionError):
        run(functions, "fails")


@pytest.mark.parametrize(("path", "error"), [
    ("nowhere.to.be.found", ImportError),
    (f"{HERE}.missing", ImportError),
    (f"{HERE}.NOTHING", TypeError),
])  # fmt: skip
def test_what_is_no_function_is_an_error(functions, path, error):
    with pytest.raises(error):
        functions.find(path)
    with pytest.raises(error):
        asyncio.run(functions.run(path))


def test_objects_may_be_coroutine_functions():
    assert is_async(later)
    assert is_async(instance)
    assert not is_async(sync)
