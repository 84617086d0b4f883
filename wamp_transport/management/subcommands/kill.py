"""``wamp kill``: ends sessions, by the session meta API."""

import sys
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.failures import FAILED, USAGE, Failure
from wamp_transport.management.client.lists import details_of_all
from wamp_transport.management.client.session_runner import Interrupted, run_with_session
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import as_json, shown
from wamp_transport.node.session import Session
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError


class KillCommand:
    """It asks first, on a terminal; elsewhere it wants ``--yes``."""

    name = "kill"
    help = "End sessions. The exit code is 1 where there was none to end."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        parser.add_argument("sessions", nargs="*", type=int, metavar="SESSION", help="the ids of those to end")
        parser.add_argument("--with-authid", metavar="AUTHID", help="end all of this authid")
        parser.add_argument("--with-role", metavar="ROLE", help="end all of this role")
        parser.add_argument(
            "--all", action="store_true", help="end all others of the realm but those inside the router's process"
        )
        parser.add_argument("--reason", metavar="URI", help=f"what they are told; default: {errors.CLOSE_KILLED}")
        parser.add_argument("--message", help="what people are told")
        parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
        parser.add_argument("--json", action="store_true", help="write a JSON object: killed, the ids")
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
        ways = [options["sessions"], options["with_authid"], options["with_role"], options["all"]]
        if sum(bool(way) for way in ways) != 1:
            raise Failure("Say which: session ids, or one of --with-authid, --with-role and --all", USAGE)
        if not options["yes"] and not sys.stdin.isatty():
            raise Failure("There is no terminal to ask on: say --yes", USAGE)
        meant = run_with_session(options, lambda session: _meant(session, options))
        if not options["yes"] and meant and not _agreed(command, meant):
            raise Failure("Nobody was ended", FAILED)
        told = {name: options[name] for name in ("reason", "message") if options[name] is not None}
        killed = run_with_session(options, lambda session: _kill(session, meant, told)) if meant else []
        if options["json"]:
            command.stdout.write(as_json({"killed": killed}))
        else:
            command.stdout.write(f"{len(killed)} {'session' if len(killed) == 1 else 'sessions'} ended")
        if not killed:
            raise Failure("", FAILED)


async def _meant(session: Session, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sessions to end, as the meta API tells of them."""
    ids = options["sessions"]
    if not ids:
        roles = [[options["with_role"]]] if options["with_role"] else []
        ids = (await session.call("wamp.session.list", roles)).value
    found = await details_of_all(session, "wamp.session.get", [id for id in ids if id != session.id])
    authid = options["with_authid"]
    if options["all"]:
        found = [one for one in found if (one.get("transport") or {}).get("type") != "local"]
    return [one for one in found if authid is None or one.get("authid") == authid]


async def _kill(session: Session, meant: list[dict[str, Any]], told: Mapping[str, Any]) -> list[int]:
    """The ids of those that were still there."""
    killed: list[int] = []
    for one in meant:
        try:
            await session.call("wamp.session.kill", [one["session"]], told)
        except ApplicationError as fault:
            if fault.uri != errors.NO_SUCH_SESSION:
                raise
        else:
            killed.append(one["session"])
    return killed


def _agreed(command: BaseCommand, meant: list[dict[str, Any]]) -> bool:
    if len(meant) == 1:
        one = meant[0]
        question = f"End session {one['session']} of {shown(str(one.get('authid')))}?"
    else:
        question = f"End {len(meant)} sessions?"
    command.stderr.write(f"{question} [y/N] ", ending="")
    command.stderr.flush()
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        raise Interrupted(130) from None
