"""A procedure that runs a program for each call. The program reads the arguments as JSON and writes the result.

The callers' arguments are never interpreted as shell code. A program is terminated, together with its child processes,
if it times out, its call is canceled, or the session closes.
"""

import asyncio
import json
import os
import shlex
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from wamp_transport.management.client.credentials import KINDS
from wamp_transport.management.client.values import as_json
from wamp_transport.node.client_types import Invocation, Result
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError

Output = Literal["auto", "json", "text", "lines"]

MAX_OUTPUT_BYTES: Final = 1024 * 1024
"""The maximum size of a program's output, in bytes."""
GRACE_SECONDS: Final = 2.0
"""The time between SIGTERM and SIGKILL, in seconds."""
SHELL: Final = "/bin/sh"
SECRETS: Final = frozenset(f"WAMP_{kind.upper()}" for kind in KINDS)
"""The environment variables that are not passed to programs."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program and its arguments, from the option ``--exec``.

    If ``is_shell`` is true, the command runs in a shell. If ``has_argv`` is true, the positional arguments of the call
    are appended to the program's arguments, or passed to the shell as $1, $2 and so on.
    """

    command: str
    output: Output = "auto"
    is_shell: bool = False
    has_argv: bool = False

    def argv(self, args: Sequence[Any]) -> list[str]:
        """Return the argument list for a call.

        Raises ApplicationError for arguments that cannot be passed to a program.
        """
        words = [SHELL, "-c", self.command, "sh"] if self.is_shell else shlex.split(self.command)
        if not self.has_argv:
            return words
        texts = [one if isinstance(one, str) else as_json(one) for one in args]
        if any("\0" in text for text in texts):
            raise ApplicationError(errors.INVALID_ARGUMENT, "this procedure does not accept text with U+0000")
        if not self.is_shell and words[-1] != "--" and any(text.startswith("-") for text in texts):
            # Refused, because the program could interpret the argument as an option.
            raise ApplicationError(
                errors.INVALID_ARGUMENT, "this procedure does not accept arguments that begin with '-'"
            )
        return words + texts

    async def run(self, invocation: Invocation) -> Result:
        """Run the program for a call and return its result.

        Raises ApplicationError if the program cannot be run, fails, or writes too much or invalid output.
        """
        argv = self.argv(invocation.args)
        call = {"procedure": invocation.procedure, "args": invocation.args, "kwargs": invocation.kwargs}
        caller = caller_details(invocation.details)
        try:
            process = await _start(argv)
        except OSError as fault:
            text = f"the program of this procedure cannot be run: {fault.strerror}"
            raise ApplicationError(errors.RUNTIME_ERROR, text) from None
        try:
            output = await _exchange(process, as_json({**call, "caller": caller}).encode())
            code = await process.wait()
        finally:
            await _terminate(process)
        if code:
            raise ApplicationError(errors.RUNTIME_ERROR, f"the program exited with code {code}", exit_code=code)
        return self.result(output)

    def result(self, output: bytes) -> Result:
        """Return the result for the program's output. Output that is not UTF-8 is returned as bytes.

        Raises ApplicationError if ``output`` is "json" and the text is not JSON.
        """
        try:
            text = output.decode()
        except UnicodeDecodeError:
            return Result([output])
        if self.output == "lines":
            return Result([text.splitlines()])
        if self.output == "text":
            return Result([_stripped(text)])
        try:
            return Result([json.loads(text)])
        except ValueError:
            if self.output == "auto":
                return Result([_stripped(text)]) if text else Result()
            raise ApplicationError(errors.RUNTIME_ERROR, "the program's output is not JSON") from None


def _stripped(text: str) -> str:
    """Return the text without the final line break."""
    return text.removesuffix("\n").removesuffix("\r")


async def _start(argv: list[str]) -> asyncio.subprocess.Process:
    """Start the program. Raises OSError if it cannot be started."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: one for name, one in os.environ.items() if name not in SECRETS},
            start_new_session=True,  # so that its children can be terminated with it
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _terminate(await starting)
        raise


async def _exchange(process: asyncio.subprocess.Process, content: bytes) -> bytes:
    """Write the program's input and return its output. Raises ApplicationError if the output is too large."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - started with pipes
    stdin = process.stdin

    async def say() -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the program may ignore its input
            stdin.write(content + b"\n")
            await stdin.drain()
        stdin.close()

    saying = asyncio.ensure_future(say())
    output = b""
    try:
        while part := await process.stdout.read(65536):
            output += part
            if len(output) > MAX_OUTPUT_BYTES:
                text = f"the program wrote more than {MAX_OUTPUT_BYTES} bytes"
                raise ApplicationError(errors.PAYLOAD_SIZE_EXCEEDED, text)
    finally:
        saying.cancel()
    return output


async def _terminate(process: asyncio.subprocess.Process) -> None:
    """Terminate the program and the other processes of its group, which can outlive the program.

    If the calling task is canceled in the meantime, it still completes the termination.
    """
    ending = asyncio.ensure_future(_terminate_group(process))
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        await ending
        raise


async def _terminate_group(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
    _signal(process.pid, signal.SIGKILL)
    await process.wait()
    # asyncio has no public method for closing pipes that other processes still hold open.
    process._transport.close()  # type: ignore[attr-defined]


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def split_command(command: str) -> list[str]:
    """Split a command line into words. Raises ValueError if it is empty or a quotation mark is missing."""
    words = shlex.split(command)
    if not words:
        raise ValueError("it is empty")
    return words


def caller_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details of the caller, if the router disclosed them."""
    return {name: one for name, one in details.items() if name.startswith("caller")}
