"""Work in threads: results and errors come back, trouble with the database in one word."""

import asyncio
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
