"""The loop that runs a subcommand until the user stops it.

If the connection is lost, the loop reconnects and runs the subcommand's work again in a new session.
"""

import asyncio
import random
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from wamp_transport.auth.credentials import Credential
from wamp_transport.auth.operators import Operator
from wamp_transport.management.client.failures import UNREACHABLE, Failure
from wamp_transport.management.client.session_runner import Interrupted, run, run_in_session
from wamp_transport.management.client.tables import is_stderr_terminal
from wamp_transport.management.client.targets import target_of
from wamp_transport.management.client.values import as_json
from wamp_transport.node.session import Session
from wamp_transport.wamp import errors

Work = Callable[[Session, Callable[[str], None]], Awaitable[None]]
"""A coroutine function that does the work of a subcommand in a session.

It calls its second argument with a text for the user as soon as the setup is complete.
"""

FIRST_PAUSE_SECONDS: Final = 1.0
MAX_PAUSE_SECONDS: Final = 30.0
"""The maximum pause between two attempts, in seconds. The pause starts at FIRST_PAUSE_SECONDS and doubles."""

RETRYABLE: Final = frozenset(
    {
        errors.CLOSE_TRANSPORT_LOST,
        errors.CLOSE_SYSTEM_SHUTDOWN,
        errors.UNAVAILABLE,
        errors.PROCEDURE_ALREADY_EXISTS,  # the router has not noticed the loss of our session yet
    }
)
"""The URIs of errors after which the loop reconnects, provided that the setup of an earlier session was complete."""


def add_reconnect_arguments(parser: ArgumentParser) -> None:
    """Add ``--no-reconnect``."""
    parser.add_argument(
        "--no-reconnect", action="store_true", help="exit when the connection is lost, instead of reconnecting"
    )


class ReconnectLoop:
    """A loop that runs ``work`` in a session, and again in a new session if the connection is lost.

    The loop reconnects only if the setup of an earlier session was complete, and not with the option
    ``--no-reconnect``. Otherwise, :meth:`run` raises Failure.
    """

    def __init__(self, command: BaseCommand, options: Mapping[str, Any], work: Work) -> None:
        self._command = command
        self._options = options
        self._work = work
        self._credential: Credential | None = None
        self._was_established = False
        self._is_disconnected = False
        self._pause = FIRST_PAUSE_SECONDS

    def run(self) -> None:
        """Run the work until it is complete or the user stops it. Raises Failure if it fails and cannot be retried."""
        try:
            while True:
                try:
                    self._run_session()
                except Failure as failure:
                    if not self._is_retryable(failure):
                        raise
                    self._wait(failure)
                else:
                    return
        except Interrupted:
            return

    def _run_session(self) -> None:
        close_old_connections()
        target = target_of(self._options, self._credential)
        if not isinstance(target.credential, Operator):  # read it again: a restarted node has another key
            self._credential = target.credential
        run(lambda: run_in_session(target, lambda session: self._work(session, self._on_established)))

    def _on_established(self, text: str) -> None:
        if self._is_disconnected:
            self._report(f"Connected again. {text}.", {"message": "connected again"})
        elif is_stderr_terminal() or self._options["verbosity"] > 1:
            self._command.stderr.write(f"{text}; press Ctrl-C to stop.")
        self._was_established, self._is_disconnected, self._pause = True, False, FIRST_PAUSE_SECONDS

    def _is_retryable(self, failure: Failure) -> bool:
        if self._options["no_reconnect"] or not self._was_established:
            return False
        return failure.uri in RETRYABLE or (failure.returncode == UNREACHABLE and not failure.uri)

    def _wait(self, failure: Failure) -> None:
        self._is_disconnected = True
        seconds = self._pause * (0.5 + random.random() / 2)  # noqa: S311 - spreads the reconnects of many clients
        self._pause = min(2 * self._pause, MAX_PAUSE_SECONDS)
        details = {**failure.as_mapping(), "exit_code": None, "retry_in": round(seconds, 1)}
        self._report(f"{failure}\nTrying again in {seconds:.1f} seconds.", details)
        run(lambda: asyncio.sleep(seconds))

    def _report(self, text: str, details: Mapping[str, Any]) -> None:
        self._command.stderr.write(as_json(details) if self._options.get("json") else text)
