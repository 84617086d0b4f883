"""``wamp register``: register a program or a Python function as a procedure."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser
from django.utils.module_loading import import_string

from wamp_transport.handlers.declarations import REGISTRY, Declaration
from wamp_transport.handlers.execution import Handler, HandlerExecutor, UnusableHandler
from wamp_transport.handlers.threads import HandlerThreads
from wamp_transport.management.client.failures import USAGE, Failure
from wamp_transport.management.client.reconnect_loop import ReconnectLoop, add_reconnect_arguments
from wamp_transport.management.client.subprocess_procedure import Program, split_command
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import printable
from wamp_transport.node.client_types import Invocation, Result
from wamp_transport.node.session import Session
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError
from wamp_transport.wamp.messages import RegisterOptions

Procedure = Callable[[Invocation], Awaitable[Result]]

DEFAULT_CONCURRENCY: Final = 4
MAX_QUEUED_CALLS: Final = 100
"""The maximum number of queued calls. Further calls are refused."""


class RegisterCommand:
    """The subcommand ``register``.

    It handles calls until Ctrl-C (exit code 0), and reconnects after a lost connection.
    """

    name = "register"
    help = "Register a program or a Python function as a procedure, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("uri", metavar="URI", help="the procedure, or a pattern with --match")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--exec",
            metavar="COMMAND",
            help="a program with its arguments, run once per call: stdin is a JSON object with procedure, args, kwargs"
            " and caller; stdout is the result; a nonzero exit code is an error",
        )
        what.add_argument(
            "--call", metavar="MODULE.FUNCTION", help="a function, used as if declared with @register in wamp.py"
        )
        parser.add_argument("--match", choices=["exact", "prefix", "wildcard"], default="exact")
        parser.add_argument(
            "--invoke", choices=["single", "first", "last", "roundrobin", "random", "queue_least_loaded"]
        )
        parser.add_argument(
            "--concurrency",
            type=int,
            default=DEFAULT_CONCURRENCY,
            metavar="N",
            help=f"maximum number of simultaneous calls (default: %(default)s); {MAX_QUEUED_CALLS} more are queued",
        )
        parser.add_argument(
            "--timeout", type=float, metavar="SECONDS", help="time limit for a call, including its time in the queue"
        )
        program = parser.add_argument_group("programs")
        program.add_argument(
            "--argv", action="store_true", help="append the call's positional arguments to the command"
        )
        program.add_argument(
            "--shell", action="store_true", help="run COMMAND in a shell; with --argv the arguments are $1, $2, ..."
        )
        program.add_argument(
            "--output",
            choices=["auto", "json", "text", "lines"],
            default="auto",
            help="how to read the output: auto (JSON if possible, else text), JSON, text, or a list of lines",
        )
        add_reconnect_arguments(parser)
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        if options["concurrency"] < 1:
            raise Failure("--concurrency must be 1 or more", USAGE)
        threads = HandlerThreads(2 * options["concurrency"])  # a single handler may use half of them
        procedure = _program(options) if options["exec"] is not None else _function(options, threads)
        match = None if options["match"] == "exact" else options["match"]
        register_options = RegisterOptions(match=match, invoke=options["invoke"])

        async def work(session: Session, on_established: Callable[[str], None]) -> None:
            bounded = BoundedProcedure(procedure(), options["concurrency"], options["timeout"])
            await session.register(options["uri"], bounded, options=register_options)
            on_established(f"{printable(options['uri'])} is registered")
            raise await session.wait_ended()

        try:
            ReconnectLoop(command, options, work).run()
        finally:
            threads.close()


class BoundedProcedure:
    """A procedure that limits the number of concurrent and of queued calls."""

    def __init__(self, procedure: Procedure, concurrency: int, seconds: float | None) -> None:
        self._procedure = procedure
        self._turns = asyncio.Semaphore(concurrency)
        self._most = concurrency + MAX_QUEUED_CALLS
        self._count = 0
        self._seconds = seconds

    async def __call__(self, invocation: Invocation) -> Result:
        """Run a call after waiting for a free slot.

        Raises ApplicationError if too many calls are queued, if the time limit has passed, or if the procedure fails.
        """
        if self._count >= self._most:
            raise ApplicationError(errors.UNAVAILABLE, f"{MAX_QUEUED_CALLS} calls are queued already")
        self._count += 1
        try:
            async with self._turns, asyncio.timeout(self._seconds) as limit:
                return await self._procedure(invocation)
        except TimeoutError:
            if not limit.expired():
                raise
            raise ApplicationError(errors.TIMEOUT, f"there was no result within {self._seconds:g} seconds") from None
        finally:
            self._count -= 1


def _program(options: Mapping[str, Any]) -> Callable[[], Procedure]:
    try:
        split_command(options["exec"])
    except ValueError as fault:
        raise Failure(f"The command {options['exec']!r} cannot be read: {fault}", USAGE) from None
    program = Program(options["exec"], options["output"], options["shell"], options["argv"])
    return lambda: program.run


def _function(options: Mapping[str, Any], threads: HandlerThreads) -> Callable[[], Procedure]:
    """Return a function that creates the procedure for ``--call``.

    The procedure runs the user's function in the same way as a handler in a ``wamp.py`` module.
    """
    if options["argv"] or options["shell"] or options["output"] != "auto":
        raise Failure("--argv, --shell and --output work only with --exec", USAGE)
    name = options["call"]
    try:
        function = import_string(name)
    except ImportError as fault:
        raise Failure(f"{name} cannot be imported: {fault}", USAGE) from None
    if not callable(function) or inspect.isclass(function):
        raise Failure(f"{name} is not a function", USAGE)
    wanted = {permission for one in REGISTRY.declarations if one.function is function for permission in one.permissions}
    if wanted:
        text = f"{name} requires the permission {', '.join(sorted(wanted))}, but this command cannot check callers"
        raise Failure(f"{text}; let the node run it, as declared in wamp.py", USAGE)
    try:
        handler = Handler(Declaration("procedure", options["uri"], function, match=options["match"]))
    except UnusableHandler as fault:
        raise Failure(f"{name} cannot be used as a procedure: {fault}", USAGE) from None
    return lambda: HandlerExecutor(handler, threads, lambda caller: lambda: None).procedure
