"""Programs as procedures: what they are given, what their output means, how they end."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.servers import until
from wamp_transport.management.client import subprocess_procedure
from wamp_transport.management.client.subprocess_procedure import Program, split_command
from wamp_transport.management.subcommands.register import BoundedProcedure
from wamp_transport.node.client_types import Invocation, Result
from wamp_transport.wamp.errors import ApplicationError

pytestmark = pytest.mark.long

ECHO = f"{sys.executable} -c 'import sys; sys.stdout.write(sys.stdin.read())'"


def invocation(*args, **kwargs):
    return Invocation(1, "com.run", list(args), kwargs, {"caller_authid": "eva", "trustlevel": 1}, None)


def carried_out(program, *args, **kwargs):
    return asyncio.run(program.run(invocation(*args, **kwargs)))


def failed(program, *args):
    with pytest.raises(ApplicationError) as caught:
        carried_out(program, *args)
    return caught.value


def test_program_gets_the_call_as_json_and_its_output_is_the_result():
    told = carried_out(Program(ECHO), "ü", 3, by=None).value
    assert told == {
        "procedure": "com.run",
        "args": ["ü", 3],
        "kwargs": {"by": None},
        "caller": {"caller_authid": "eva"},
    }


@pytest.mark.parametrize(
    ("output", "given", "expected"),
    [
        ("auto", b'{"a": 1}\n', Result([{"a": 1}])),
        ("auto", b"two words\n", Result(["two words"])),
        ("auto", b"", Result()),
        ("auto", b"\xff", Result([b"\xff"])),
        ("text", b"5\n", Result(["5"])),
        ("json", b"5\n", Result([5])),
        ("lines", b"a\nb\n", Result([["a", "b"]])),
    ],
)
def test_what_output_means(output, given, expected):
    assert Program("x", output).result(given) == expected


def test_output_that_is_to_be_json_and_is_none_is_an_error():
    with pytest.raises(ApplicationError, match="not JSON"):
        Program("x", "json").result(b"oops")


def test_exit_code_is_an_error():
    fault = failed(Program("sh -c 'exit 3'"))
    assert (fault.uri, fault.kwargs) == ("wamp.error.runtime_error", {"exit_code": 3})


def test_program_that_is_not_there_is_an_error():
    assert "cannot be run" in str(failed(Program("/nowhere/at/all")))


def test_program_that_reads_nothing_is_none_the_worse():
    assert carried_out(Program("true"), "x" * 1_000_000) == Result()


def test_arguments_reach_no_shell():
    nasty = ["$(id)", "; id", "`id`", "a b", "'", '"', "*"]
    program = Program(f"{sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))'", has_argv=True)
    assert carried_out(program, *nasty, 5, {"a": [1]}).value == [*nasty, "5", '{"a": [1]}']
    shell = Program('printf "%s|" "$@"', "text", is_shell=True, has_argv=True)
    assert carried_out(shell, *nasty).value == "|".join(nasty) + "|"


def test_argument_that_could_be_an_option_is_refused_unless_the_program_knows_where_they_end():
    for one in ("-rf", "--help", -5):
        assert failed(Program("ls", has_argv=True), one).uri == "wamp.error.invalid_argument"
    assert Program("ls --", has_argv=True).argv(["-rf"]) == ["ls", "--", "-rf"]
    assert failed(Program("ls --", has_argv=True), "a\0b").uri == "wamp.error.invalid_argument"


def test_output_has_a_bound(monkeypatch):
    monkeypatch.setattr(subprocess_procedure, "MAX_OUTPUT_BYTES", 1000)
    assert failed(Program("yes")).uri == "wamp.error.payload_size_exceeded"


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_programs_leave_no_pipes_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess_procedure, "MAX_OUTPUT_BYTES", 1000)
    pid = tmp_path / "pid"
    get_away = f"setsid sh -c 'echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600'"
    detached = Program(f"{get_away} & until [ -e {pid} ]; do :; done; yes", is_shell=True)

    async def main():
        before = None
        for program in (Program("true"), Program("yes"), detached, Program("true")):
            with suppress(ApplicationError):
                await program.run(invocation())
            await asyncio.sleep(0)  # what is closed is closed in the next turn
            before = before or open_files()
            assert open_files() == before

    try:
        asyncio.run(main())
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


def test_secrets_of_the_command_are_not_the_programs(monkeypatch):
    monkeypatch.setenv("WAMP_TICKET", "s3cret")
    monkeypatch.setenv("WAMP_OTHER", "there")
    found = carried_out(Program("env", "lines")).value
    assert "WAMP_OTHER=there" in found
    assert not [line for line in found if "s3cret" in line]


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # An orphan may wait for whoever adopted it.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("trap", ["", "trap : TERM; "])
def test_canceled_program_is_ended_with_all_that_it_has_started(tmp_path, monkeypatch, trap):
    monkeypatch.setattr(subprocess_procedure, "GRACE_SECONDS", 0.1)
    pids = tmp_path / "pids"
    script = f"{trap}sleep 600 & echo $! > {pids}.new; echo $$ >> {pids}.new; mv {pids}.new {pids}; wait; wait"
    program = Program(script, is_shell=True)

    async def cancel():
        task = asyncio.ensure_future(program.run(invocation()))
        await asyncio.to_thread(until, pids.exists, "the program runs")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(cancel(), 20))
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: is_gone(pid), f"process {pid} has ended")


def test_command_must_have_words():
    assert split_command("a 'b c'") == ["a", "b c"]
    for wrong in ("", "a 'b"):
        with pytest.raises(ValueError):
            split_command(wrong)


def test_calls_take_turns_and_too_many_are_refused(monkeypatch):
    monkeypatch.setattr("wamp_transport.management.subcommands.register.MAX_QUEUED_CALLS", 1)
    running = []

    async def main():
        gate = asyncio.Event()

        async def procedure(invocation):
            running.append(invocation)
            await gate.wait()
            return Result()

        turns = BoundedProcedure(procedure, 1, None)
        first, second = (asyncio.ensure_future(turns(invocation())) for _ in range(2))
        await asyncio.sleep(0)
        assert len(running) == 1
        with pytest.raises(ApplicationError, match="are queued already"):
            await turns(invocation())
        gate.set()
        await asyncio.gather(first, second)
        assert len(running) == 2

    asyncio.run(main())


def test_call_that_takes_too_long_is_ended():
    async def forever(invocation):
        await asyncio.Event().wait()

    async def main():
        with pytest.raises(ApplicationError) as caught:
            await BoundedProcedure(forever, 1, 0.01)(invocation())
        assert caught.value.uri == "wamp.error.timeout"

    asyncio.run(main())


def test_program_that_is_canceled_while_it_starts_is_ended_with_all_that_it_has_started(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess_procedure, "GRACE_SECONDS", 0.1)
    pids = tmp_path / "pids"
    program = Program(f"sleep 600 & echo $! > {pids}.new; mv {pids}.new {pids}; wait", is_shell=True)
    start = asyncio.create_subprocess_exec

    async def start_slowly(*argv, **options):
        process = await start(*argv, **options)
        await asyncio.to_thread(until, pids.exists, "the program runs")
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_slowly)

    async def cancel():
        task = asyncio.ensure_future(program.run(invocation()))
        await asyncio.sleep(0)  # it begins
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(cancel(), 20))
    pid = int(pids.read_text())
    until(lambda: is_gone(pid), f"process {pid} has ended")
