"""The load generator works, and notices each fault of a router."""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator

import pytest
import uvloop

from benchmarks.wampload import stats
from benchmarks.wampload import wire as w
from benchmarks.wampload.cli import BAD_RESULT, FAILED, NO_SESSION, OK, main
from benchmarks.wampload.procs import rss_bytes

from .mini_router import Faults, MiniRouter

# Fill the buffers of the operating system, some 10 MB, on a busy machine as well.
FLOOD = ["--payload", "60000", "--duration", "1"]
QUICK = ["--duration", "0.2", "--warmup", "0.05", "--timeout", "1", "--time-limit", "20"]

pytestmark = pytest.mark.full

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start mini routers, each on an event loop in a thread of its own."""
    stops: list[Callable[[], None]] = []

    def start(**faults: int) -> str:
        started = threading.Event()
        url = ""

        async def run() -> None:
            nonlocal url
            router = MiniRouter(Faults(**faults))
            url = await router.start()
            done = asyncio.Event()
            loop = asyncio.get_running_loop()
            stops.append(lambda: loop.call_soon_threadsafe(done.set))
            started.set()
            await done.wait()
            await router.stop()

        thread = threading.Thread(target=lambda: uvloop.run(run()), daemon=True)
        thread.start()
        assert started.wait(5)
        stops.append(lambda: thread.join(5))
        return url

    yield start
    for stop in stops:
        stop()


def result_of(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)["results"][0]


@pytest.mark.parametrize("serializer", ["json", "msgpack"])
@pytest.mark.parametrize(
    "extra",
    [
        ["rpc", "--depth", "8"],
        ["rpc", "--callers", "3", "--callees", "2", "--payload", "70000", "--depth", "2"],
        ["rpc", "--callers", "3", "--callees", "3", "--shared", "--depth", "2"],
        ["rpc-latency"],
    ],
)
def test_rpc(serve: Serve, capsys: pytest.CaptureFixture[str], serializer: str, extra: list[str]) -> None:
    assert main([*extra, "--url", serve(), "--serializer", serializer, "--json", *QUICK]) == OK
    result = result_of(capsys)
    assert result["calls"] > 10
    assert result["latency_ms"]["p50"] <= result["latency_ms"]["p99"] <= result["latency_ms"]["max"]


@pytest.mark.parametrize("serializer", ["json", "msgpack"])
@pytest.mark.parametrize("extra", [["--acknowledge"], ["--no-acknowledge"], ["--publishers", "3", "--payload", "2000"]])
def test_pubsub(serve: Serve, capsys: pytest.CaptureFixture[str], serializer: str, extra: list[str]) -> None:
    url = serve()
    code = main(["pubsub", "--url", url, "--serializer", serializer, "--subscribers", "4", "--json", *QUICK, *extra])
    result = result_of(capsys)
    assert code == OK
    assert result["events_per_s"] == pytest.approx(4 * result["publishes_per_s"], rel=0.2)


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
def test_subs(serve: Serve, capsys: pytest.CaptureFixture[str], match: str) -> None:
    assert main(["subs", "--url", serve(), "--match", match, "--counts", "2,150", "--json", *QUICK]) == OK
    rows = result_of(capsys)["by_count"]
    assert [row["subscriptions"] for row in rows] == [2, 150]
    assert all(row["publishes_per_s"] > 10 for row in rows)


def test_connect_idle_and_echo(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve()
    assert main(["connect", "--url", url, "--sessions", "40", "--json", *QUICK]) == OK
    assert result_of(capsys)["sessions"] == 40
    assert main(["idle", "--url", url, "--sessions", "40", "--server-pid", str(os.getpid()), "--json", *QUICK]) == OK
    assert result_of(capsys)["bytes_per_session"] is not None
    assert main(["echo", "--url", url, "--connections", "3", "--json", *QUICK]) == OK
    assert result_of(capsys)["messages_per_s"] > 100


def test_slow_reader_kept(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slow", "--url", serve(), "--subscribers", "3", "--json", *QUICK, "--timeout", "5"]) == OK
    result = result_of(capsys)
    assert result["slow_reader"]["dropped_by_server"] is False
    assert result["slow_reader"]["events_missing"] == 0


def test_slow_reader_dropped(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve(slow_limit=100_000)
    assert main(["slow", "--url", url, "--subscribers", "3", "--json", *QUICK, *FLOOD]) == OK
    assert result_of(capsys)["slow_reader"]["dropped_by_server"] is True


def test_goodbye_to_a_slow_reader_is_no_failure(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve(slow_limit=100_000, goodbye_to_slow=True)
    assert main(["slow", "--url", url, "--subscribers", "3", "--json", *QUICK, *FLOOD]) == OK
    slow_reader = result_of(capsys)["slow_reader"]
    assert slow_reader["dropped_by_server"] is True
    assert "wamp.close.killed" in slow_reader["reason"]


@pytest.mark.parametrize("faults", [{"abort": 1}, {"mute": 1}, {"wrong_subprotocol": 1}])
def test_failed_handshake(serve: Serve, capsys: pytest.CaptureFixture[str], faults: dict[str, int]) -> None:
    assert main(["rpc", "--url", serve(**faults), *QUICK]) == NO_SESSION
    assert "no session" in capsys.readouterr().err


def test_nothing_listens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rpc", "--url", "ws://127.0.0.1:1/ws", *QUICK]) == NO_SESSION


def test_lost_connection_ends_the_run(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rpc", "--url", serve(hang_up_after=50), *QUICK]) == FAILED


@pytest.mark.parametrize("faults", [{"fail_calls": 1}, {"alter_payload": 1}])
def test_wrong_results_are_errors(serve: Serve, capsys: pytest.CaptureFixture[str], faults: dict[str, int]) -> None:
    assert main(["rpc", "--url", serve(**faults), "--json", *QUICK]) == BAD_RESULT
    assert result_of(capsys)["errors"] > 0


def test_lost_event_is_seen(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pubsub", "--url", serve(swallow_every=50), "--json", *QUICK]) == BAD_RESULT
    assert result_of(capsys)["lost"] > 0


def test_disorder_is_seen(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pubsub", "--url", serve(swap_every=50), "--json", *QUICK]) == BAD_RESULT
    assert result_of(capsys)["disordered"] > 0


def test_compare(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = serve(), serve()
    assert main(["rpc", "--url", a, "--compare", b, "--rounds", "2", "--json", *QUICK]) == OK
    document = json.loads(capsys.readouterr().out)
    assert len(document["results"]) == len(document["compare_results"]) == 2
    calls = document["comparison"][0]
    assert calls["metric"] == "calls_per_s"
    assert 0.2 < calls["ratio_a_to_b"] < 5
    # The table form of the same.
    assert main(["rpc", "--url", a, "--compare", b, *QUICK]) == OK
    assert "ratio_a_to_b" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["json", "msgpack"])
@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53])
def test_template_and_head(name: str, number: int) -> None:
    wire = w.WIRES[name]
    message = wire.template(w.CALL, {}, "com.example", ["text"])(number)
    assert wire.decode(message) == [w.CALL, number, {}, "com.example", ["text"]]
    assert wire.head(message) == (w.CALL, number)
    assert wire.head(wire.encode([w.GOODBYE, {}, "bye"])) == (w.GOODBYE, w.NO_ID)


def test_head_takes_white_space() -> None:
    assert w.WIRES["json"].head(b'[ 50 , 7, {}, ["a"]]') == (50, 7)


@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_marker(name: str) -> None:
    wire = w.WIRES[name]
    stamp = w.Marker.template(wire.template(w.PUBLISH, {}, "com.example", [w.Marker.text(64)]), 3)
    message = stamp(9, 12, 34)
    assert w.Marker.read(message) == (3, 12, 34)
    assert len(wire.decode(message)[4][0]) == 64
    assert w.Marker.read(b"nothing") is None


def test_stats() -> None:
    assert stats.latency_ms([]) is None
    assert stats.latency_ms([0.003, 0.001, 0.002])["p50"] == 2.0
    rows = stats.compare([{"x": 4}, {"x": 6}], [{"x": 2}, {"x": 2}], {"x": "higher"})
    assert rows[0]["ratio_a_to_b"] == 2.5


def test_own_memory() -> None:
    assert rss_bytes(os.getpid()) > 1_000_000
    assert rss_bytes(None) is None
