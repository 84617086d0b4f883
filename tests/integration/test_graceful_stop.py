"""Stopping and restarting: sessions are told, sockets closed, the process ends well and in time."""

import os
import signal
import time
from itertools import count
from pathlib import Path

import pytest

from .servers import (
    ROOT,
    Process,
    assert_quiet,
    configuration,
    free_port,
    is_open,
    manage,
    node,
    running,
    until,
    web,
    write_config,
)
from .wire import CLOSE, Wire, frame, joined, opened

pytestmark = [pytest.mark.integration, pytest.mark.full]

LONGEST = 10.0
"""Seconds that a stop may take: five by design, the rest is for a busy machine."""

GOODBYE_AND_OUT = [6, {}, "wamp.close.goodbye_and_out"]


def say_goodbye(wire: Wire) -> None:
    """Take part in the end of a session as a client should."""
    goodbye = wire.message()
    assert goodbye[0] == 6
    assert goodbye[2] == "wamp.close.system_shutdown"
    wire.send_json(GOODBYE_AND_OUT)
    closing = wire.closed()
    assert closing.code == 1001
    assert closing.payload[2:].startswith(b"wamp.close.system_shutdown")


@pytest.mark.parametrize("command", ["runnode", "runserver"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_says_goodbye_to_all(tmp_path: Path, command: str, number: signal.Signals) -> None:
    port = free_port()
    write_config(tmp_path, configuration(web(port)))
    arguments = ["--noreload"] if command == "runserver" else []
    with running(
        manage(command, "--config", str(tmp_path), *arguments), tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")
    ) as process:
        process.wait_for(port)
        with joined(port) as one, joined(port) as two, opened(port) as unjoined:
            process.process.send_signal(number)
            say_goodbye(one)
            say_goodbye(two)
            assert unjoined.message()[0] == 3
            assert unjoined.closed().code == 1001
            assert process.ended() == 0
        assert_quiet(process.output)


def test_stop_does_not_wait_for_peers_that_do_not_answer(tmp_path: Path) -> None:
    port = free_port()
    with node(tmp_path, configuration(web(port)), port) as process, joined(port) as deaf, joined(port) as polite:
        begun = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        say_goodbye(polite)
        assert not is_open(port)
        assert deaf.message()[0] == 6
        assert deaf.frame().code == 1001
        assert process.ended() == 0
        assert time.monotonic() - begun < LONGEST
        assert_quiet(process.output)


def test_stop_with_a_peer_that_does_not_read_ends_in_time(tmp_path: Path) -> None:
    port = free_port()
    with node(tmp_path, configuration(web(port)), port) as process:
        with joined(port, receive_buffer=4096) as stuck, joined(port) as publisher:
            stuck.send_json([32, 1, {}, "com.topic"])
            stuck.message()
            for number in range(1, 101):
                publisher.send_json([16, number, {"acknowledge": True}, "com.topic", ["x" * 65536]])
                publisher.message()
            begun = time.monotonic()
            assert process.stop() == 0
            assert time.monotonic() - begun < LONGEST
        assert_quiet(process.output)


def test_second_signal_does_no_harm(tmp_path: Path) -> None:
    port = free_port()
    with node(tmp_path, configuration(web(port)), port) as process, joined(port) as wire:
        process.process.send_signal(signal.SIGTERM)
        assert wire.message()[0] == 6
        process.process.send_signal(signal.SIGTERM)
        wire.send_json(GOODBYE_AND_OUT)
        assert wire.closed().code == 1001
        assert process.ended() == 0
        assert "Traceback" not in process.output


def test_stop_right_at_the_start_is_clean(tmp_path: Path) -> None:
    port = free_port()
    write_config(tmp_path, configuration(web(port)))
    with running(
        manage("runnode", "--config", str(tmp_path)), tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")
    ) as process:
        process.wait_to_print("Transport ")
        assert process.stop() in (0, -signal.SIGTERM)
        assert_quiet(process.output)


def test_closing_peer_during_the_stop_is_no_trouble(tmp_path: Path) -> None:
    port = free_port()
    with node(tmp_path, configuration(web(port)), port) as process:
        wires = [joined(port) for _ in range(20)]
        process.process.send_signal(signal.SIGTERM)
        for index, wire in enumerate(wires):
            if index % 2:
                wire.reset()
            else:
                wire.send(frame(CLOSE))
                wire.socket.close()
        assert process.ended() == 0
        assert_quiet(process.output)


def test_touched_file_restarts_the_development_server(tmp_path: Path) -> None:
    """Autoreload: clients are back within seconds, and nothing in the log looks like an accident."""
    port = free_port()
    write_config(tmp_path, configuration(web(port)))
    (tmp_path / "settings_here.py").write_text("from wampnode.settings import *\nimport watched\n")
    watched = tmp_path / "watched.py"
    watched.write_text("")
    environment = {
        "WAMPNODE_DATABASE": str(tmp_path / "db"),
        "DJANGO_SETTINGS_MODULE": "settings_here",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
    }
    with running(manage("runserver", "--config", str(tmp_path)), tmp_path, **environment) as process:
        try:
            process.wait_for(port)
            with joined(port) as wire:
                notices = process.output.count("no realms are given")
                changes = count(int(time.time()))

                def noticed() -> bool:
                    # Until the reloader has looked once, it takes any time of the file for the old one.
                    os.utime(watched, (now := next(changes), now))
                    time.sleep(0.2)
                    return "reloading" in process.output

                until(noticed, "the change noticed")
                assert wire.read_to_end() is not None
            until(lambda: is_back(port), "the restart")
            assert notices == 1
            assert_quiet(process.output)
        finally:
            end_group(process)


def is_back(port: int) -> bool:
    """Whether a client can join; the old server may still be on its way out."""
    try:
        joined(port).socket.close()
    except (ConnectionError, EOFError):
        return False
    return True


def end_group(process: Process) -> None:
    """End the reloader and its child."""
    children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children").read_text().split()
    process.process.terminate()
    for child in children:
        try:
            os.kill(int(child), signal.SIGTERM)
        except ProcessLookupError:
            continue
    process.ended()
