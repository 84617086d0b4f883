"""The runtime: start, changes followed while it runs, trouble outlived, the end."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Hashable
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError

from wamp_transport.bootstrap import runtime as module
from wamp_transport.bootstrap import started_node, watcher
from wamp_transport.bootstrap.mounts import MAIN_LISTENER
from wamp_transport.bootstrap.runtime import Runtime, current_runtime, install
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.reader import read_mapping
from wamp_transport.config.report import ConfigError
from wamp_transport.node.connection import MessageEncoder
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.stores.nodes import NodeStatus
from wamp_transport.wamp.messages import Goodbye, Message

WS = {"type": "websocket"}


def configured(*transports: dict[str, Any], directory: Path = Path("/")) -> Configuration:
    ports = [
        {"type": "web", "endpoint": {"type": "tcp", "port": 8000 + index}, "paths": paths}
        for index, paths in enumerate(transports)
    ]
    return read_mapping({"version": 2, "workers": [{"type": "router", "transports": ports}]}, directory)


def report_error() -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_mapping({"version": 2, "wokers": []}, ".")
    return caught.value


class Source:
    """A source whose next answers a test decides; exceptions are raised."""

    has_endpoint = True

    def __init__(self, configuration: Configuration | Exception) -> None:
        self.current: Hashable | Exception = 1
        self.configuration = configuration
        self.loads = 0

    def put(self, configuration: Configuration | Exception) -> None:
        self.configuration = configuration
        self.current = object()

    def revision(self) -> Hashable:
        if isinstance(self.current, Exception):
            raise self.current
        return self.current

    def load(self) -> Configuration:
        self.loads += 1
        if isinstance(self.configuration, Exception):
            raise self.configuration
        return self.configuration


class Link:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed: list[str] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self, reason: str, message: str) -> None:
        self.closed.append(reason)


class Reports:
    """What is written down of the node."""

    def __init__(self) -> None:
        self.all: list[tuple[int, str]] = []
        self.forgotten: list[str] = []
        self.error: Exception | None = None

    def report(self, name: str, generation: int, revision: object, problem: str, **more: object) -> None:
        self.all.append((generation, problem))
        if self.error is not None:
            raise self.error

    def running(self) -> list[NodeStatus]:
        return []

    def forget(self, name: str) -> None:
        self.forgotten.append(name)

    async def until(self, generation: int, problem: str = "") -> None:
        """Wait until the last report says this."""
        await eventually(
            lambda: (
                bool(self.all)
                and self.all[-1][0] == generation
                and self.all[-1][1].startswith(problem)
                and bool(self.all[-1][1]) == bool(problem)
            )
        )


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the loop turn until ``condition`` holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    fake = Reports()
    monkeypatch.setattr(module, "nodes", fake)
    for name in ("POLL_SECONDS", "RETRY_SECONDS", "MAX_RETRY_SECONDS"):
        monkeypatch.setattr(watcher, name, 0.001)
    return fake


@pytest.fixture(autouse=True)
def no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_runtime", None)


def run(source: Source, scenario: Callable[[Runtime], Awaitable[None]]) -> Runtime:
    """Run a scenario with a started runtime, and stop it."""
    runtime = Runtime(source)

    async def whole() -> None:
        await runtime.start()
        try:
            await scenario(runtime)
        finally:
            await runtime.stop()

    asyncio.run(whole())
    return runtime


async def nothing(_: Runtime) -> None: ...


def path_of(runtime: Runtime, key: str, path: str) -> str | None:
    found = runtime.resolve({"wamp_transport": key, "raw_path": path.encode(), "path": path})
    return None if found is None else found[0].service.path


async def changed(runtime: Runtime, generation: int) -> None:
    await eventually(lambda: runtime.snapshot is not None and runtime.snapshot.apply_count == generation)


# --- start and resolution --------------------------------------------------------------------------------------------


def test_nothing_is_resolved_before_the_start() -> None:
    runtime = Runtime(Source(configured({"ws": WS})))
    assert path_of(runtime, MAIN_LISTENER, "/ws") is None
    assert runtime.find_service(MAIN_LISTENER, b"/ws", "") is None


def test_paths_are_those_of_their_transport() -> None:
    async def scenario(runtime: Runtime) -> None:
        assert [path_of(runtime, key, "/a") for key in (MAIN_LISTENER, "tcp:8000", "tcp:8001", "gone", "")] == [
            "/a", "/a", None, None, None,
        ]  # fmt: skip
        assert path_of(runtime, "tcp:8001", "/b/c") == "/b"
        assert runtime.find_service("tcp:8001", b"/b", "") is not None
        assert runtime.find_service("tcp:8000", b"/a", "") is None

    run(Source(configured({"a": {"type": "json", "value": 1}}, {"b": WS})), scenario)


def test_request_without_a_transport_belongs_to_the_first() -> None:
    async def scenario(runtime: Runtime) -> None:
        assert runtime.resolve({"path": "/ws"}) is not None

    run(Source(configured({"ws": WS})), scenario)


def test_configuration_without_transports_resolves_nothing() -> None:
    async def scenario(runtime: Runtime) -> None:
        assert path_of(runtime, MAIN_LISTENER, "/ws") is None

    run(Source(configured()), scenario)


def test_start_twice_starts_once() -> None:
    source = Source(configured({"ws": WS}))

    async def scenario(runtime: Runtime) -> None:
        await asyncio.gather(runtime.start(), runtime.start())

    run(source, scenario)
    assert source.loads == 1


def test_start_that_failed_is_tried_again() -> None:
    source = Source(report_error())

    async def whole() -> None:
        runtime = Runtime(source)
        with pytest.raises(ConfigError, match="wokers"):
            await runtime.start()
        source.put(configured({"ws": WS}))
        await runtime.start()
        assert path_of(runtime, MAIN_LISTENER, "/ws") == "/ws"
        await runtime.stop()

    asyncio.run(whole())


def test_stop_before_or_during_the_start_ends_it(reports: Reports) -> None:
    async def whole() -> None:
        never = Runtime(Source(configured({"ws": WS})))
        await never.stop()
        early = Runtime(Source(configured({"ws": WS})))
        starting = asyncio.ensure_future(early.start())
        await asyncio.sleep(0)
        await early.stop()
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(whole())
    assert reports.forgotten == []


def test_one_runtime_serves_a_process() -> None:
    first = current_runtime()
    assert current_runtime() is first
    second = install(Runtime(Source(configured())))
    assert current_runtime() is second


# --- changes ---------------------------------------------------------------------------------------------------------


def test_change_is_applied_and_told(reports: Reports) -> None:
    source = Source(configured({"ws": WS}))
    seen: list[Configuration] = []

    async def scenario(runtime: Runtime) -> None:
        async def applied(configuration: Configuration) -> None:
            seen.append(configuration)

        runtime.on_applied = applied
        source.put(configured({"ws": WS, "more": WS}))
        await changed(runtime, 2)
        assert path_of(runtime, MAIN_LISTENER, "/more") == "/more"
        await reports.until(2)

    runtime = run(source, scenario)
    assert seen == [source.configuration]
    assert reports.forgotten == [runtime.name]


def test_unchanged_services_are_kept(tmp_path: Path) -> None:
    source = Source(configured({"ws": WS, "value": {"type": "json", "value": 1}}))

    async def scenario(runtime: Runtime) -> None:
        assert runtime.started is not None
        before = runtime.started.mounts.by_key
        source.put(configured({"ws": WS, "value": {"type": "json", "value": 2}}))
        await changed(runtime, 2)
        after = runtime.started.mounts.by_key
        assert after["tcp:8000/ws"] is before["tcp:8000/ws"]
        assert after["tcp:8000/value"] is not before["tcp:8000/value"]
        source.put(configured({"ws": WS, "value": {"type": "json", "value": True}}))
        await changed(runtime, 3)
        source.put(configured({"ws": WS, "value": {"type": "json", "value": 1}}))
        await changed(runtime, 4)
        assert runtime.started.mounts.by_key["tcp:8000/value"].service.settings.value is not True
        source.put(configured({"ws": WS}, directory=tmp_path))
        await changed(runtime, 5)
        assert runtime.started.mounts.by_key["tcp:8000/ws"] is not after["tcp:8000/ws"]

    run(source, scenario)


class Said(Link):
    """A transport that notes messages instead of bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    @property
    def encoder(self) -> MessageEncoder:
        link = self

        class Kept(MessageEncoder):
            def encode(self, message: Message, payload_format: str) -> bytes:
                link.messages.append(message)
                return b""

        return Kept(SERIALIZERS["json"])


HELLO = b'[1,"realm1",{"roles":{"caller":{}}}]'


@pytest.mark.parametrize(
    ("settings", "leaves"),
    [
        (None, True),
        (WS, False),
        (WS | {"options": {"max_message_size": 5}}, False),
        (WS | {"auth": {"anonymous": {"type": "static", "role": "anonymous", "authid": "somebody"}}}, True),
    ],
)
def test_sessions_leave_only_where_their_service_is_gone_or_lets_in_others(settings: Any, leaves: bool) -> None:
    source = Source(configured({"ws": WS, "here": WS}))

    async def scenario(runtime: Runtime) -> None:
        assert runtime.started is not None
        consumer = runtime.started.mounts.by_key["tcp:8000/ws"].websocket
        service = consumer.consumer_initkwargs["service"]  # type: ignore[union-attr]
        said = Said()
        connection = runtime.started.node.connect(service.options, said.encoder, said)
        connection.receive(HELLO)
        source.put(configured({"here": WS} | ({} if settings is None else {"ws": settings})))
        await changed(runtime, 2)
        assert any(isinstance(message, Goodbye) for message in said.messages) is leaves
        connection.lost()

    run(source, scenario)


def test_stop_says_goodbye_and_closes_what_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(started_node, "GOODBYE_SECONDS", 0.01)
    said = Said()

    async def scenario(runtime: Runtime) -> None:
        assert runtime.started is not None
        service = runtime.started.mounts.by_key["tcp:8000/ws"].websocket.consumer_initkwargs["service"]  # type: ignore[union-attr]
        runtime.started.node.connect(service.options, said.encoder, said).receive(HELLO)

    run(Source(configured({"ws": WS})), scenario)
    assert isinstance(said.messages[-1], Goodbye)
    assert said.closed == ["wamp.close.system_shutdown"]


# --- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.expects_errors("The new configuration is not used; the old one still runs. settings: 1")
def test_faulty_configuration_is_told_once_and_the_old_one_runs(
    reports: Reports, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(configured({"ws": WS}))

    async def scenario(runtime: Runtime) -> None:
        source.put(report_error())
        await reports.until(1, "settings: 1 fault")
        assert path_of(runtime, MAIN_LISTENER, "/ws") == "/ws"
        source.put(configured({"more": WS}))
        await reports.until(2)
        assert runtime.problem == ""

    run(source, scenario)
    assert caplog.text.count("the old one still runs") == 1
    assert source.loads >= 3


@pytest.mark.expects_errors("Applying the new configuration to the server failed; it is retried:")
def test_part_that_cannot_be_put_in_place_is_told(reports: Reports, caplog: pytest.LogCaptureFixture) -> None:
    source = Source(configured({"ws": WS}))

    async def scenario(runtime: Runtime) -> None:
        async def refuse(_: Configuration) -> None:
            raise OSError("port 80 is taken")

        runtime.on_applied = refuse
        source.put(configured({"more": WS}))
        await reports.until(2, "server: port 80 is taken")
        assert path_of(runtime, MAIN_LISTENER, "/more") == "/more"

    run(source, scenario)
    assert "port 80 is taken" in caplog.text


@pytest.mark.expects_errors("new configuration")
@pytest.mark.parametrize("where", ["revision", "load"])
def test_unreachable_source_is_told_once_and_tried_again(
    reports: Reports, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    source = Source(configured({"ws": WS}))
    trouble = DatabaseError("gone away")

    async def scenario(runtime: Runtime) -> None:
        if where == "revision":
            source.current = trouble
        else:
            source.put(trouble)
        await eventually(lambda: bool(runtime.problem))
        loads = source.loads
        await eventually(lambda: where == "revision" or source.loads >= loads + 3)
        source.put(configured({"more": WS}))
        await reports.until(2)
        assert path_of(runtime, MAIN_LISTENER, "/more") == "/more"

    run(source, scenario)
    assert caplog.text.count("it is retried") == 1


def test_node_that_cannot_report_works_on_and_says_so_once(reports: Reports, caplog: pytest.LogCaptureFixture) -> None:
    reports.error = DatabaseError("no such table")
    source = Source(configured({"ws": WS}))

    async def scenario(runtime: Runtime) -> None:
        for generation in (2, 3):
            source.put(configured({"ws": WS, f"more{generation}": WS}))
            await reports.until(generation)
        reports.error = None
        source.put(configured({"ws": WS}))
        await reports.until(4)

    with caplog.at_level(logging.WARNING):
        run(source, scenario)
    assert caplog.text.count("Reporting the state of this node") == 1


def test_farewell_to_the_database_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch, reports: Reports) -> None:
    release = threading.Event()
    monkeypatch.setattr(module, "FORGET_SECONDS", 0.01)
    monkeypatch.setattr(reports, "forget", lambda name: release.wait(5))

    async def whole() -> None:
        runtime = Runtime(Source(configured({"ws": WS})))
        await runtime.start()
        await asyncio.wait_for(runtime.stop(), 3)
        release.set()

    asyncio.run(whole())
