"""Work in threads: results and errors come back, trouble with the database in one word."""

import asyncio
import subprocess
import sys
from contextvars import ContextVar

import pytest
from django.db import DatabaseError, InterfaceError

from wamp_transport.bootstrap.threads import in_thread

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
