from dataclasses import FrozenInstanceError

import pytest


def test_procedures_see_sessions_come_and_go(context, join):
    session = join()
    assert context.sessions == {session.id: session}


def test_procedures_cannot_put_another_realm_in_its_place(context):
    with pytest.raises(FrozenInstanceError):
        context.broker = None


def test_procedures_end_sessions_through_the_context(context, left):
    context.leave(7, "com.reason", "text")
    assert left == [(7, "com.reason", "text")]
