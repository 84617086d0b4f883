"""``wamp kill``: close sessions through the session meta API."""

import sys
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.failures import FAILED, USAGE, Failure
from wamp_transport.management.client.lists import details_of_all
from wamp_transport.management.client.session_runner import Interrupted, run_with_session
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import as_json, printable
from wamp_transport.node.session import Session
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError


class KillCommand:
    """The subcommand ``kill``. It asks for confirmation on a terminal; without a terminal it requires ``--yes``."""

    name = "kill"
    help = "Close sessions. The exit code is 1 if no session was closed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sessions", nargs="*", type=int, metavar="SESSION", help="ids of the sessions to close")
        parser.add_argument("--with-authid", metavar="AUTHID", help="close all sessions with this authid")
        parser.add_argument("--with-role", metavar="ROLE", help="close all sessions with this role")
        parser.add_argument(
            "--all", action="store_true", help="close all other sessions of the realm, except the node's own"
        )
        parser.add_argument(
            "--reason", metavar="URI", help=f"reason URI for the clients (default: {errors.CLOSE_KILLED})"
        )
        parser.add_argument("--message", help="human-readable message for the clients")
        parser.add_argument("--yes", "-y", action="store_true", help="do not ask for confirmation")
        parser.add_argument("--json", action="store_true", help="print a JSON object with the ids as 'killed'")
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        ways = [options["sessions"], options["with_authid"], options["with_role"], options["all"]]
        if sum(bool(way) for way in ways) != 1:
            raise Failure("Choose the sessions: give ids, or one of --with-authid, --with-role and --all", USAGE)
        if not options["yes"] and not sys.stdin.isatty():
            raise Failure("There is no terminal to ask on: use --yes", USAGE)
        selected = run_with_session(options, lambda session: _select(session, options))
        if not options["yes"] and selected and not _is_confirmed(command, selected):
            raise Failure("No session was closed", FAILED)
        details = {name: options[name] for name in ("reason", "message") if options[name] is not None}
        killed = run_with_session(options, lambda session: _kill(session, selected, details)) if selected else []
        if options["json"]:
            command.stdout.write(as_json({"killed": killed}))
        else:
            command.stdout.write(f"{len(killed)} {'session' if len(killed) == 1 else 'sessions'} closed")
        if not killed:
            raise Failure("", FAILED)


async def _select(session: Session, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the details of the sessions that the options select, without the session of the command itself."""
    ids = options["sessions"]
    if not ids:
        roles = [[options["with_role"]]] if options["with_role"] else []
        ids = (await session.call("wamp.session.list", roles)).value
    found = await details_of_all(session, "wamp.session.get", [id for id in ids if id != session.id])
    authid = options["with_authid"]
    if options["all"]:
        found = [one for one in found if (one.get("transport") or {}).get("type") != "local"]
    return [one for one in found if authid is None or one.get("authid") == authid]


async def _kill(session: Session, selected: list[dict[str, Any]], details: Mapping[str, Any]) -> list[int]:
    """Close the sessions. Return the IDs of the sessions that still existed."""
    killed: list[int] = []
    for one in selected:
        try:
            await session.call("wamp.session.kill", [one["session"]], details)
        except ApplicationError as fault:
            if fault.uri != errors.NO_SUCH_SESSION:
                raise
        else:
            killed.append(one["session"])
    return killed


def _is_confirmed(command: BaseCommand, selected: list[dict[str, Any]]) -> bool:
    if len(selected) == 1:
        one = selected[0]
        question = f"Close session {one['session']} of {printable(str(one.get('authid')))}?"
    else:
        question = f"Close {len(selected)} sessions?"
    command.stderr.write(f"{question} [y/N] ", ending="")
    command.stderr.flush()
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        raise Interrupted(130) from None
