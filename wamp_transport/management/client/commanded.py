"""A program as a procedure: run for each call, given the arguments as JSON, its output the result.

No shell sees what callers send. A program that takes too long, whose call is canceled, or whose session ends, is ended
with all that it has started.
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

MAX_OUTPUT: Final = 1024 * 1024
"""Bytes of output that are taken."""
GRACE_SECONDS: Final = 2.0
"""How long a program has to end when it is told to, before it is killed."""
SHELL: Final = "/bin/sh"
SECRETS: Final = frozenset(f"WAMP_{kind.upper()}" for kind in KINDS)
"""Variables that programs do not get."""


@dataclass(frozen=True, slots=True)
class Program:
    """``command``: a program with its arguments.

    ``is_shell``: a shell runs the command; ``has_argv``: the positional arguments of a call follow those of the
    command, or are those of the shell.
    """

    command: str
    output: Output = "auto"
    is_shell: bool = False
    has_argv: bool = False

    def argv(self, args: Sequence[Any]) -> list[str]:
        """What is run for a call. Raises ApplicationError for arguments that no program can be given."""
        words = [SHELL, "-c", self.command, "sh"] if self.is_shell else shlex.split(self.command)
        if not self.has_argv:
            return words
        texts = [one if isinstance(one, str) else as_json(one) for one in args]
        if any("\0" in text for text in texts):
            raise ApplicationError(errors.INVALID_ARGUMENT, "text with U+0000 cannot be given to this procedure")
        if not self.is_shell and words[-1] != "--" and any(text.startswith("-") for text in texts):
            # It could be taken for an option of the program.
            raise ApplicationError(errors.INVALID_ARGUMENT, "no argument of this procedure may begin with '-'")
        return words + texts

    async def carry_out(self, invocation: Invocation) -> Result:
        """The procedure. Raises ApplicationError."""
        argv = self.argv(invocation.args)
        said = {"procedure": invocation.procedure, "args": invocation.args, "kwargs": invocation.kwargs}
        caller = caller_of(invocation.details)
        try:
            process = await _started(argv)
        except OSError as fault:
            text = f"the program of this procedure cannot be run: {fault.strerror}"
            raise ApplicationError(errors.RUNTIME_ERROR, text) from None
        try:
            output = await _spoken(process, as_json({**said, "caller": caller}).encode())
            code = await process.wait()
        finally:
            await _ended(process)
        if code:
            raise ApplicationError(errors.RUNTIME_ERROR, f"the program ended with exit code {code}", exit_code=code)
        return self.result(output)

    def result(self, output: bytes) -> Result:
        """What the output means. Raises ApplicationError."""
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
    """Without the end of the last line."""
    return text.removesuffix("\n").removesuffix("\r")


async def _started(argv: list[str]) -> asyncio.subprocess.Process:
    """Start the program. Raises OSError."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: one for name, one in os.environ.items() if name not in SECRETS},
            start_new_session=True,  # so that it can be ended with all that it starts
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _ended(await starting)
        raise


async def _spoken(process: asyncio.subprocess.Process, said: bytes) -> bytes:
    """Give the program its input, and take its output. Raises ApplicationError where that is too much."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - as it was started
    stdin = process.stdin

    async def say() -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it need not read
            stdin.write(said + b"\n")
            await stdin.drain()
        stdin.close()

    saying = asyncio.ensure_future(say())
    output = b""
    try:
        while part := await process.stdout.read(65536):
            output += part
            if len(output) > MAX_OUTPUT:
                text = f"the program wrote more than {MAX_OUTPUT} bytes"
                raise ApplicationError(errors.PAYLOAD_SIZE_EXCEEDED, text)
    finally:
        saying.cancel()
    return output


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End what still runs of the program. Its group may outlive it."""
    ending = asyncio.ensure_future(_end(process))
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        await ending
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
    _signal(process.pid, signal.SIGKILL)
    await process.wait()
    # asyncio has no public way to close pipes that are not read to their end, as those that other processes still hold.
    process._transport.close()  # type: ignore[attr-defined]


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def words_of(command: str) -> list[str]:
    """The words of a command. Raises ValueError where it has none, or a quotation does not end."""
    words = shlex.split(command)
    if not words:
        raise ValueError("it is empty")
    return words


def caller_of(details: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of who calls."""
    return {name: one for name, one in details.items() if name.startswith("caller")}
