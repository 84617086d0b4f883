"""Work in threads: results and errors come back, trouble with the database in one word."""

import asyncio
import subprocess
import sys
import threading
from contextvars import ContextVar

import pytest
from django.db import DatabaseError, InterfaceError

from wamp_transport.bootstrap.threads import finished, in_thread

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
        await finished(20)
        assert has_ended.is_set()
        assert await in_thread(int) == 0
        begun.clear()
        may_end.clear()
        task = asyncio.ensure_future(in_thread(work))
        await asyncio.to_thread(begun.wait, 20)
        await finished(0.01)
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
