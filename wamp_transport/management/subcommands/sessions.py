"""``wamp sessions``: list sessions, or show one in detail, through the session meta API."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.lists import details_of_all, write_details, write_table
from wamp_transport.management.client.session_runner import run_with_session
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import as_json
from wamp_transport.node.session import Session

HEAD = ("SESSION", "AUTHID", "ROLE", "METHOD", "SERIALIZER", "PEER")


class SessionsCommand:
    """The subcommand ``sessions``. It does not list the session of the command itself."""

    name = "sessions"
    help = "List the sessions of a realm, or show one in detail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("session", nargs="?", type=int, metavar="SESSION", help="id of a session to show in detail")
        parser.add_argument(
            "--with-authid", action="append", metavar="AUTHID", help="list only sessions with this authid"
        )
        parser.add_argument("--with-role", action="append", metavar="ROLE", help="list only sessions with this role")
        parser.add_argument(
            "--json",
            action="store_true",
            help="print JSON: an object with realm and sessions, or the details of one session",
        )
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        if options["session"] is not None:
            write_details(
                command, run_with_session(options, lambda session: _details(session, options["session"])), options
            )
            return
        realm, found = run_with_session(options, lambda session: _all(session, options))
        if options["json"]:
            command.stdout.write(as_json({"realm": realm, "sessions": found}, is_indented=True))
        else:
            what = "such" if options["with_authid"] or options["with_role"] else "other"
            write_table(command, HEAD, [_row(one) for one in found], f"There are no {what} sessions in realm {realm}.")


async def _details(session: Session, id: int) -> dict[str, Any]:
    return dict((await session.call("wamp.session.get", [id])).value)


async def _all(session: Session, options: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    roles = [options["with_role"]] if options["with_role"] else []
    ids = (await session.call("wamp.session.list", roles)).value
    found = await details_of_all(session, "wamp.session.get", [id for id in ids if id != session.id])
    names = options["with_authid"]
    return session.realm, [one for one in found if names is None or one.get("authid") in names]


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    transport = one.get("transport") or {}
    is_inside = transport.get("type") == "local"
    cells = (
        one.get("session"),
        one.get("authid"),
        one.get("authrole"),
        one.get("authmethod"),
        transport.get("channel_serializer"),
        "(in the router's process)" if is_inside else transport.get("peer"),
    )
    return tuple("-" if each is None else str(each) for each in cells)
