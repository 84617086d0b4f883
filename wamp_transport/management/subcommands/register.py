"""``wamp register``: lets a program or a Python function carry out a procedure."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser
from django.utils.module_loading import import_string

from wamp_transport.handlers.declarations import REGISTRY, Declaration
from wamp_transport.handlers.execution import Handler, HandlerExecutor, UnusableHandler
from wamp_transport.handlers.threads import Threads
from wamp_transport.management.client.commanded import Program, words_of
from wamp_transport.management.client.failures import USAGE, Failure
from wamp_transport.management.client.lasting import Lasting, add_lasting_arguments
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import shown
from wamp_transport.node.client_types import Invocation, Result
from wamp_transport.node.session import Session
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError
from wamp_transport.wamp.messages import RegisterOptions

Procedure = Callable[[Invocation], Awaitable[Result]]

CONCURRENCY: Final = 4
MAX_WAITING: Final = 100
"""Calls that wait for their turn; further ones are refused."""


class Register:
    """It ends by Ctrl-C, which is no failure, and comes back when the router does."""

    name = "register"
    help = "Let a program or a Python function carry out a procedure, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        parser.add_argument("uri", metavar="URI", help="the procedure, or with --match a pattern")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--exec",
            metavar="COMMAND",
            help="a program with its arguments, run for each call: on stdin it gets a JSON object with procedure, args,"
            " kwargs and caller, its output is the result, another exit code than 0 an error",
        )
        what.add_argument(
            "--call", metavar="MODULE.FUNCTION", help="a function, as if declared by @register in wamp.py"
        )
        parser.add_argument("--match", choices=["exact", "prefix", "wildcard"], default="exact")
        parser.add_argument(
            "--invoke", choices=["single", "first", "last", "roundrobin", "random", "queue_least_loaded"]
        )
        parser.add_argument(
            "--concurrency",
            type=int,
            default=CONCURRENCY,
            metavar="N",
            help=f"calls that are carried out at the same time (%(default)s); {MAX_WAITING} more wait",
        )
        parser.add_argument(
            "--timeout", type=float, metavar="SECONDS", help="end the program, or refuse, after this time"
        )
        program = parser.add_argument_group("programs")
        program.add_argument("--argv", action="store_true", help="add the positional arguments to those of the program")
        program.add_argument(
            "--shell", action="store_true", help="COMMAND is for a shell; with --argv it has $1, $2 ..."
        )
        program.add_argument(
            "--output",
            choices=["auto", "json", "text", "lines"],
            default="auto",
            help="what the output is: JSON where it can be read as such, else text (auto); JSON; text; a list of lines",
        )
        add_lasting_arguments(parser)
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
        if options["concurrency"] < 1:
            raise Failure("--concurrency must be 1 or more", USAGE)
        threads = Threads(2 * options["concurrency"])  # one handler gets half of them
        procedure = _program(options) if options["exec"] is not None else _function(options, threads)
        match = None if options["match"] == "exact" else options["match"]
        register_options = RegisterOptions(match=match, invoke=options["invoke"])

        async def work(session: Session, in_force: Callable[[str], None]) -> None:
            bounded = Turns(procedure(), options["concurrency"], options["timeout"])
            await session.register(options["uri"], bounded, options=register_options)
            in_force(f"{shown(options['uri'])} is registered")
            raise await session.wait_ended()

        try:
            Lasting(command, options, work).run()
        finally:
            threads.close()


class Turns:
    """A procedure of which some calls are carried out at the same time, and some wait."""

    def __init__(self, procedure: Procedure, concurrency: int, seconds: float | None) -> None:
        self._procedure = procedure
        self._turns = asyncio.Semaphore(concurrency)
        self._most = concurrency + MAX_WAITING
        self._count = 0
        self._seconds = seconds

    async def __call__(self, invocation: Invocation) -> Result:
        """Carry out a call in its turn. Raises ApplicationError."""
        if self._count >= self._most:
            raise ApplicationError(errors.UNAVAILABLE, f"{MAX_WAITING} calls wait already")
        self._count += 1
        try:
            async with self._turns, asyncio.timeout(self._seconds):
                return await self._procedure(invocation)
        except TimeoutError:
            raise ApplicationError(errors.TIMEOUT, f"there was no result within {self._seconds:g} seconds") from None
        finally:
            self._count -= 1


def _program(options: Mapping[str, Any]) -> Callable[[], Procedure]:
    try:
        words_of(options["exec"])
    except ValueError as fault:
        raise Failure(f"The command {options['exec']!r} cannot be read: {fault}", USAGE) from None
    program = Program(options["exec"], options["output"], options["shell"], options["argv"])
    return lambda: program.carry_out


def _function(options: Mapping[str, Any], threads: Threads) -> Callable[[], Procedure]:
    """The function as ``wamp.py`` would have it: parameters checked, in a thread unless it is a coroutine function."""
    if options["argv"] or options["shell"] or options["output"] != "auto":
        raise Failure("--argv, --shell and --output are for --exec", USAGE)
    name = options["call"]
    try:
        function = import_string(name)
    except ImportError as fault:
        raise Failure(f"{name} cannot be imported: {fault}", USAGE) from None
    if not callable(function) or inspect.isclass(function):
        raise Failure(f"{name} is no function", USAGE)
    wanted = {permission for one in REGISTRY.declarations if one.function is function for permission in one.permissions}
    if wanted:
        text = f"{name} wants the permission {', '.join(sorted(wanted))} of its caller, whom this command does not know"
        raise Failure(f"{text}; the node itself carries it out as wamp.py declares it", USAGE)
    try:
        handler = Handler(Declaration("procedure", options["uri"], function, match=options["match"]))
    except (UnusableHandler, ValueError) as fault:  # the latter of functions that do not tell their parameters
        raise Failure(f"{name} cannot carry out a procedure: {fault}", USAGE) from None
    return lambda: HandlerExecutor(handler, threads, lambda caller: lambda: None).procedure
