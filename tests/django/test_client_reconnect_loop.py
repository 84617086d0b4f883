"""What ends a command that goes on, and what does not."""

import io

import pytest
from django.core.management import call_command
from django.core.management.base import BaseCommand

from wamp_transport.management.client.failures import Failure
from wamp_transport.management.client.reconnect_loop import ReconnectLoop

LOST = Failure("lost", 3, "wamp.close.transport_lost")


def lasting(**options):
    command = BaseCommand(stderr=io.StringIO())
    return ReconnectLoop(command, {"no_reconnect": False, "verbosity": 1, **options}, None)


@pytest.mark.django_db
def test_first_attempt_that_fails_is_the_last():
    where = ("--url", "ws://127.0.0.1:1/ws", "--realm", "realm1")
    with pytest.raises(Failure, match="No WAMP router can be reached") as caught:
        call_command("wamp", "subscribe", "com.x", *where)
    assert caught.value.returncode == 3
    assert not lasting()._is_retryable(LOST)


@pytest.mark.parametrize(("failure", "is_passing"), [
    (LOST, True),
    (Failure("gone", 3, "wamp.close.system_shutdown"), True),
    (Failure("no node runs", 3), True),
    (Failure("too many logins", 4, "wamp.error.unavailable"), True),
    (Failure("still there", 1, "wamp.error.procedure_already_exists"), True),
    (Failure("killed", 3, "wamp.close.killed"), False),
    (Failure("who are you", 4, "wamp.error.authentication_denied"), False),
    (Failure("not allowed", 1, "wamp.error.not_authorized"), False),
    (Failure("which node", 2), False),
])  # fmt: skip
def test_what_passes_is_waited_for_once_it_was_established(failure, is_passing):
    one = lasting()
    one._on_established("It works")
    assert one._is_retryable(failure) == is_passing
    only = lasting(no_reconnect=True)
    only._on_established("It works")
    assert not only._is_retryable(failure)
