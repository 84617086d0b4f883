"""``manage.py wamp`` in processes of its own, at a node of its project and at another router."""

import json
import os
import signal
import subprocess
from contextlib import ExitStack, suppress

import pytest

from tests.certificates import Authority
from tests.live import live_server

from .commands import Site
from .servers import ROOT, configuration, free_port, manage, migrate, node, realm, until, web

pytestmark = [pytest.mark.integration, pytest.mark.full]

OPEN = realm("realm1", call=True, register=True, publish=True, subscribe=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A project whose server runs."""
    directory = tmp_path_factory.mktemp("site")
    with live_server(directory), Site(directory).forking() as site:
        # The node writes down where it is once it listens.
        until(lambda: site.wamp("call", "wamp.session.count").returncode == 0, "the node is found")
        yield site


def ended(process, sig=signal.SIGINT):
    """What a command writes that is ended by Ctrl-C, and its exit code."""
    process.send_signal(sig)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_call_of_the_own_node_needs_no_credential(site):
    done = site.wamp("call", "wamp.session.count")
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 1
    assert site.json("call", "wamp.session.count", "--role", "trusted")["kwargs"] == {}


def test_errors_are_told_with_exit_codes(site):
    done = site.wamp("call", "com.nothing", "a", "-k", "b=1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("wamp.error.no_such_procedure\n")
    told = json.loads(site.wamp("call", "com.nothing", "--json").stderr)
    assert (told["error"], told["exit_code"]) == ("wamp.error.no_such_procedure", 1)
    done = site.wamp("call", "com.x", "--role", "nobody")
    assert (done.returncode, "no role 'nobody'" in done.stderr) == (4, True)
    done = site.wamp("call", "com.x", "--url", f"ws://127.0.0.1:{free_port()}/ws", "--realm", "realm1")
    assert (done.returncode, "No WAMP router can be reached" in done.stderr) == (3, True)
    assert site.wamp("call").returncode == 2


def test_other_secret_key_is_not_let_in(site):
    done = site.wamp("call", "wamp.session.count", WAMPNODE_SECRET_KEY="another")
    assert (done.returncode, "another SECRET_KEY" in done.stderr) == (4, True), done


def test_no_node_is_told_with_how_to_start_one(site, tmp_path):
    empty = {"WAMPNODE_DATABASE": str(tmp_path / "empty.sqlite3")}
    done = site.wamp("call", "com.x", **empty)
    assert (done.returncode, "manage.py migrate" in done.stderr) == (3, True)
    migrate(tmp_path / "migrated.sqlite3")
    done = site.wamp("call", "com.x", WAMPNODE_DATABASE=str(tmp_path / "migrated.sqlite3"))
    assert (done.returncode, "manage.py runserver" in done.stderr) == (3, True)


def test_subscriber_hears_what_is_published_until_ctrl_c(site):
    with site.begun("subscribe", "com.shop.", "--match", "prefix", "--json") as process:
        assert site.json("publish", "com.shop.sold", "A1", "3", "-k", "by=eva", "-k", '{"n": null}')["publication"] > 0
        event = json.loads(process.stdout.readline())
        assert event["topic"] == "com.shop.sold"
        assert (event["args"], event["kwargs"]) == (["A1", 3], {"by": "eva", "n": None})
        assert ended(process) == (0, "", "")
    sessions = site.json("call", "wamp.session.list")["args"][0]
    assert len(sessions) == 1, "the subscriber has said goodbye"


def test_subscriber_ends_after_count_events_and_where_nobody_reads(site):
    with site.begun("subscribe", "com.count", "--count", "2") as process:
        for text in ("one", "two\x1b[2J"):
            assert site.wamp("publish", "com.count", text).returncode == 0
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert [line.split("  ")[1:] for line in out.splitlines()] == [
            ["com.count", "one"],
            ["com.count", "two\\x1b[2J"],
        ]
    with site.begun("subscribe", "com.pipe") as process:
        process.stdout.close()
        assert site.wamp("publish", "com.pipe", "x").returncode == 0
        assert process.wait(30) == 141
        assert process.stderr.read() == ""
        process.stdout = None


def test_subscriber_that_is_terminated_leaves_in_order(site):
    with site.begun("subscribe", "com.term") as process:
        assert ended(process, signal.SIGTERM) == (0, "", "")


def test_other_router_is_reached_by_url_with_a_credential_of_the_environment(site, tmp_path):
    port = free_port()
    login = {"ticket": {"type": "static", "principals": {"eva": {"ticket": "s3cret", "role": "anonymous"}}}}
    paths = {"ws": {"type": "websocket", "auth": login}}
    file = tmp_path / "ticket"
    file.write_text("s3cret\n")
    where = ("--url", f"ws://127.0.0.1:{port}/ws", "--realm", "realm1")
    with node(tmp_path, configuration(web(port, paths), realms=[OPEN]), port):
        assert site.json("publish", "com.x", *where, "--authid", "eva", "--ticket-file", file)["publication"] > 0
        done = site.wamp("publish", "com.x", *where, "--authid", "eva", WAMP_TICKET="wrong")
        assert done.returncode == 4
        assert "wrong" not in done.stderr
        done = site.wamp("publish", "com.x", *where, "--operator")
        assert (done.returncode, "another SECRET_KEY or database" in done.stderr) == (4, True)


def test_program_carries_out_a_procedure_and_sessions_are_listed_and_killed(site):
    script = 'read call; case $1 in slow) sleep 600;; bad) exit 3;; *) echo "$call";; esac'
    with site.begun("register", "com.run", "--exec", script, "--shell", "--argv", "--timeout", "2") as process:
        told = site.json("call", "com.run", "$(id)", "-k", "n=1")["args"][0]
        assert (told["procedure"], told["args"], told["kwargs"]) == ("com.run", ["$(id)"], {"n": 1})
        failed = json.loads(site.wamp("call", "com.run", "bad", "--json").stderr)
        assert (failed["error"], failed["kwargs"]) == ("wamp.error.runtime_error", {"exit_code": 3})
        assert site.wamp("call", "com.run", "slow").stderr.startswith("wamp.error.timeout\n")

        (registration,) = site.json("registrations", "com.run")["registrations"]
        (callee,) = registration["callees"]
        table = site.wamp("registrations").stdout.splitlines()
        assert table[0].split() == ["URI", "MATCH", "INVOKE", "ID", "COUNT", "CALLEES"]
        assert table[1].split() == ["com.run", "exact", "single", str(registration["id"]), "1", str(callee)]
        (session,) = site.json("sessions")["sessions"]
        assert (session["session"], session["authrole"], session["authmethod"]) == (callee, "trusted", "operator")
        assert f"authid: {session['authid']}\n" in site.wamp("sessions", callee).stdout

        done = site.wamp("kill", "--all")
        assert (done.returncode, "--yes" in done.stderr) == (2, True)
        assert site.json("kill", callee, "--message", "away with you", "--yes")["killed"] == [callee]
        assert process.wait(30) == 3
        assert "away with you (wamp.close.killed)" in process.stderr.read()
    done = site.wamp("kill", callee, "--yes")
    assert (done.returncode, done.stdout) == (1, "0 sessions closed\n")
    assert "There are no other sessions" in site.wamp("sessions").stderr


def test_subscriber_and_callee_come_back_with_the_node_unless_they_should_not(tmp_path):
    port = free_port()
    with ExitStack() as commands, Site(tmp_path).forking() as site:
        with live_server(tmp_path, port=port):
            until(lambda: site.wamp("call", "wamp.session.count").returncode == 0, "the node is found")
            subscriber, callee, other = (
                commands.enter_context(site.begun(*arguments))
                for arguments in (
                    ("subscribe", "com.news", "--count", "2", "--json"),
                    ("register", "com.size", "--call", "os.path.basename"),
                    ("subscribe", "com.news", "--no-reconnect"),
                )
            )
            assert site.wamp("publish", "com.news", "one").returncode == 0
        assert other.wait(30) == 3
        assert "The session was closed: the router is shutting down" in other.stderr.read()
        told = json.loads(subscriber.stderr.readline())
        assert (told["error"], told["exit_code"]) == ("wamp.close.system_shutdown", None)
        assert 0.5 <= told["retry_in"] <= 1
        with live_server(tmp_path, port=port):
            assert any("connected again" in line for line in subscriber.stderr)
            assert any("Connected again. com.size is registered." in line for line in callee.stderr)
            assert site.wamp("publish", "com.news", "two").returncode == 0
            assert site.json("call", "com.size", "a/b")["args"] == ["b"]
            assert subscriber.wait(30) == 0
            assert [json.loads(line)["args"] for line in subscriber.stdout] == [["one"], ["two"]]
            assert ended(callee)[0] == 0


def test_function_carries_out_a_procedure_with_its_parameters_checked(site):
    with site.begun("register", "com.area", "--call", "tests.integration.procedures.area") as process:
        assert site.wamp("call", "com.area", "3", "-k", "height=4").stdout == "12\n"
        assert "wamp.error.invalid_argument" in site.wamp("call", "com.area", "x", "4").stderr
        parts = site.wamp("call", "com.area", "0", "2", "--progress", "--json").stdout.splitlines()
        assert [json.loads(part) for part in parts] == [{"args": [0], "kwargs": {}, "progress": False}]
        assert ended(process) == (0, "", "")
    done = site.wamp("register", "com.area", "--call", "tests.integration.procedures.nothing")
    assert (done.returncode, "cannot be imported" in done.stderr) == (2, True)


def test_progressive_results_come_as_they_do_and_a_call_ends_by_ctrl_c(site):
    with site.begun("register", "com.count", "--call", "tests.integration.procedures.count"):
        assert site.wamp("call", "com.count", "3", "--progress").stdout.split() == ["0", "1", "2", "end"]
        command = manage("wamp", "call", "com.count", "-1", "--progress")
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=ROOT, env=site.environment, **pipes)
        assert process.stdout.readline() == "-1\n"
        assert ended(process) == (130, "", "")


def test_bench_measures_the_own_node(site):
    found = site.json("bench", "--seconds", "0.2", "--concurrency", "4")
    assert found["is_own_node"]
    assert [(one["what"], one["concurrency"]) for one in found["measures"]] == [
        ("calls", 1),
        ("calls", 4),
        ("events", 1),
        ("events", 4),
    ]
    assert all(one["count"] > 0 and 0 < one["p50_ms"] <= one["p99_ms"] for one in found["measures"])
    done = site.wamp("bench", "--seconds", "0.2", "--role", "anonymous", "--uri-prefix", "wamp.")
    assert (done.returncode, done.stdout) == (1, "")


def test_own_node_is_reached_by_unix_socket_and_tls_where_it_listens_there_alone(site, tmp_path):
    database = {"WAMPNODE_DATABASE": str(tmp_path / "db.sqlite3")}
    migrate(tmp_path / "db.sqlite3")
    Authority().issue().write(tmp_path, "server")
    port = free_port()
    browsers_only = {"ws": {"type": "websocket", "options": {"allow_missing_origin": False}}}
    unix = web(0, browsers_only) | {"endpoint": {"type": "unix", "path": "../wamp.sock"}}
    tls = web(port, browsers_only)
    tls["endpoint"]["tls"] = {"key": "../server.key", "certificate": "../server.pem"}
    config = configuration(unix, realms=[realm("inside")])
    config["workers"] += configuration(tls, realms=[realm("secured")])["workers"]
    with node(tmp_path, config, port, str(tmp_path / "wamp.sock")) as process:
        arguments = ("call", "wamp.session.count")
        until(lambda: site.wamp(*arguments, "--realm", "inside", **database).returncode == 0, "the node is found")
        assert site.wamp(*arguments, "--realm", "secured", **database).stdout == "1\n"
        assert "realms are: inside, secured" in site.wamp(*arguments, **database).stderr
        assert process.stop() == 0


def test_kill_asks_on_a_terminal(site):
    def asked(answer):
        ours, theirs = os.openpty()
        command = manage("wamp", "kill", "--with-role", "trusted")
        process = subprocess.Popen(command, cwd=ROOT, env=site.environment, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = b""
        while b"[y/N] " not in said:
            said += os.read(ours, 1000)
        os.write(ours, answer)
        code = process.wait(30)
        with suppress(OSError):  # the other end is closed
            while part := os.read(ours, 1000):
                said += part
        os.close(ours)
        return code, said.decode()

    with site.begun("subscribe", "com.x") as process:
        code, said = asked(b"\n")
        assert (code, "Close session" in said, "No session was closed" in said) == (1, True, True), said
        assert process.poll() is None
        code, said = asked(b"y\n")
        assert (code, "1 session closed" in said) == (0, True), said
        assert process.wait(30) == 3
