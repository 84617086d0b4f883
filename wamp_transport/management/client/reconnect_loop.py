"""What goes on until it is ended, session after session: where the router goes away it is told, and tried again."""

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
"""Is given a session, and what to tell once all is in force on it."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts at most: twice as many each time, up to this."""

PASSING: Final = frozenset(
    {
        errors.CLOSE_TRANSPORT_LOST,
        errors.CLOSE_SYSTEM_SHUTDOWN,
        errors.UNAVAILABLE,
        errors.PROCEDURE_ALREADY_EXISTS,  # by the session that was lost, of which the router does not know it yet
    }
)
"""Errors of a session that has worked before which are worth another attempt."""


def add_reconnect_arguments(parser: ArgumentParser) -> None:
    """``--no-reconnect``."""
    parser.add_argument(
        "--no-reconnect", action="store_true", help="end when the router goes away, instead of waiting for its return"
    )


class ReconnectLoop:
    """Work that is begun anew when the session was lost; but not if it never came to be in force."""

    def __init__(self, command: BaseCommand, options: Mapping[str, Any], work: Work) -> None:
        self._command = command
        self._options = options
        self._work = work
        self._credential: Credential | None = None
        self._has_worked = False
        self._is_away = False
        self._pause = FIRST_PAUSE

    def run(self) -> None:
        """Return when the work is done, or the user has ended it. Raises Failure."""
        try:
            while True:
                try:
                    self._speak()
                except Failure as failure:
                    if not self._is_passing(failure):
                        raise
                    self._wait(failure)
                else:
                    return
        except Interrupted:
            return

    def _speak(self) -> None:
        close_old_connections()
        target = target_of(self._options, self._credential)
        if not isinstance(target.credential, Operator):  # a node that has started anew has another key
            self._credential = target.credential
        run(lambda: run_in_session(target, lambda session: self._work(session, self._in_force)))

    def _in_force(self, text: str) -> None:
        if self._is_away:
            self._tell(f"The router is back. {text}.", {"message": "the router is back"})
        elif is_stderr_terminal() or self._options["verbosity"] > 1:
            self._command.stderr.write(f"{text}; Ctrl-C ends it.")
        self._has_worked, self._is_away, self._pause = True, False, FIRST_PAUSE

    def _is_passing(self, failure: Failure) -> bool:
        if self._options["no_reconnect"] or not self._has_worked:
            return False
        return failure.uri in PASSING or (failure.returncode == UNREACHABLE and not failure.uri)

    def _wait(self, failure: Failure) -> None:
        self._is_away = True
        seconds = self._pause * (0.5 + random.random() / 2)  # noqa: S311 - so that not all come at once
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        told = {**failure.as_mapping(), "exit_code": None, "retry_in": round(seconds, 1)}
        self._tell(f"{failure}\nTrying again in {seconds:.1f} seconds.", told)
        run(lambda: asyncio.sleep(seconds))

    def _tell(self, text: str, told: Mapping[str, Any]) -> None:
        self._command.stderr.write(as_json(told) if self._options.get("json") else text)
