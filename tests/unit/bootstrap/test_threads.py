"""Work of a node in threads: for the database, and functions that the configuration names."""

import asyncio
import subprocess
import sys
import threading
from contextvars import ContextVar

import pytest
from django.db import DatabaseError, InterfaceError

from wamp_transport.bootstrap import threads
from wamp_transport.bootstrap.threads import DatabaseBusy, Functions, in_thread, is_async, wait_for_jobs
from wamp_transport.project_code import ProjectCodeError

place = ContextVar("place", default="outside")


def test_results_and_errors_come_back() -> None:
    def fail(error: Exception) -> None:
        raise error

    assert asyncio.run(in_thread(lambda one, *, two: one + two, 1, two=2)) == 3
    for error in (DatabaseError("x"), ValueError("y")):
        with pytest.raises(type(error), match=str(error)):
            asyncio.run(in_thread(fail, error))
    with pytest.raises(DatabaseError, match="connection already closed"):
        asyncio.run(in_thread(fail, InterfaceError("connection already closed")))


def test_context_goes_along() -> None:
    async def whole() -> str:
        place.set("inside")
        return await in_thread(place.get)

    assert asyncio.run(whole()) == "inside"


def test_work_of_canceled_tasks_is_waited_for_but_not_for_ever() -> None:
    begun, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(20)
        has_ended.set()

    async def main() -> None:
        task = asyncio.ensure_future(in_thread(work))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, may_end.set)  # who does not wait for it is done before
        await wait_for_jobs(20)
        assert has_ended.is_set()
        assert await in_thread(int) == 0
        begun.clear()
        may_end.clear()
        task = asyncio.ensure_future(in_thread(work))
        await asyncio.to_thread(begun.wait, 20)
        await wait_for_jobs(0.01)
        assert not task.done()
        may_end.set()
        await task

    asyncio.run(main())


def test_work_is_canceled_while_the_interpreter_ends() -> None:
    program = """
import asyncio, sys, threading
from wamp_transport.bootstrap.threads import in_thread

async def work():
    try:
        while True:
            await in_thread(int)
    except asyncio.CancelledError:
        sys.stderr.write("canceled")
        raise

def serve():
    try:
        asyncio.run(work())
    except asyncio.CancelledError:
        pass

thread = threading.Thread(target=serve)
thread.start()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == "canceled"


def test_too_much_work_for_the_database_is_an_error_of_the_database(monkeypatch) -> None:
    monkeypatch.setattr(threads, "MAX_QUEUED_DATABASE_JOBS", 1)
    may_end = threading.Event()

    async def main() -> None:
        jobs = [asyncio.ensure_future(in_thread(may_end.wait, 20)) for _ in range(threads.DATABASE_THREADS + 1)]
        await asyncio.sleep(0)
        with pytest.raises(DatabaseBusy):
            await in_thread(int)
        may_end.set()
        assert all(await asyncio.gather(*jobs))

    asyncio.run(main())


# --- functions ---------------------------------------------------------------------------------------------------

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


def leaves():
    sys.exit(1)


def stops():
    return next(iter(()))


async def aleaves():
    sys.exit(1)


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


@pytest.mark.parametrize("name", ["leaves", "stops", "aleaves"])
def test_function_that_raises_no_ordinary_exception_fails(functions, name):
    with pytest.raises(ProjectCodeError):
        run(functions, name)


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
