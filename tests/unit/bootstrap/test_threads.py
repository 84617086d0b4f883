"""Work in threads: results and errors come back, connections that gave trouble do not."""

import asyncio

import pytest
from django.db import DatabaseError

from wamp_transport.bootstrap import threads as module
from wamp_transport.bootstrap.threads import in_thread


def test_connections_are_made_anew_after_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []
    monkeypatch.setattr(module.connections, "close_all", lambda: closed.append(1))

    def fail(error: Exception) -> None:
        raise error

    assert asyncio.run(in_thread(lambda one, *, two: one + two, 1, two=2)) == 3
    for error in (DatabaseError("x"), ValueError("y")):
        with pytest.raises(type(error)):
            asyncio.run(in_thread(fail, error))
    assert closed == [1]
