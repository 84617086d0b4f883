"""A configuration of which a part fails at first: nobody keeps what it takes away, and all of it is applied later."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError

from tests.unit.bootstrap.test_runtime import (
    HELLO,
    MAIN_LISTENER,
    WS,
    Said,
    Source,
    eventually,
    no_runtime,
    path_of,
    reports,
    run,
)
from wamp_transport.auth.wampcra import sign
from wamp_transport.bootstrap import mounts, started_node
from wamp_transport.bootstrap.cookie_logins import CookieLogins
from wamp_transport.bootstrap.runtime import Runtime
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.reader import read_mapping
from wamp_transport.node.connection import Connection
from wamp_transport.stores import history
from wamp_transport.wamp.messages import Abort, Challenge, Goodbye, Welcome

__all__ = ["no_runtime", "reports"]  # fixtures

EVERYTHING = {"uri": "", "match": "prefix", "allow": dict.fromkeys(("publish", "subscribe", "call", "register"), True)}
ROLE = {"name": "anonymous", "permissions": [EVERYTHING]}
JOE = {"joe": {"ticket": "s3cret-ticket", "role": "anonymous"}}
TICKET = WS | {"auth": {"ticket": {"type": "static", "principals": JOE}}}
OTHER = {"type": "json", "value": 1}


def configured(has_history: bool = False, **paths: dict[str, Any]) -> Configuration:
    realm: dict[str, Any] = {"name": "realm1", "roles": [ROLE]}
    if has_history:
        realm["store"] = {"type": "database", "event-history": [{"uri": "com.x", "limit": 10}]}
    transport = {"type": "web", "endpoint": {"type": "tcp", "port": 8000}, "paths": paths}
    return read_mapping(
        {"version": 2, "workers": [{"type": "router", "realms": [realm], "transports": [transport]}]}, "/"
    )


@pytest.fixture(autouse=True)
def quiet(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No audit trail, which needs the database; and nobody is waited for at the end."""
    settings.WAMP_TRANSPORT = {"AUDIT_DAYS": 0}
    monkeypatch.setattr(started_node, "GOODBYE_SECONDS", 0.01)


class Database:
    """Stored history, and how often the database fails before it gives it."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked = 0

    def past(self, *_: object) -> list[Any]:
        self.asked += 1
        if self.asked <= self.failures:
            raise DatabaseError("the database does not answer")
        return []


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Database]:
    def made(failures: int) -> Database:
        database = Database(failures)
        monkeypatch.setattr(history, "past", database.past)
        monkeypatch.setattr(history, "trim", lambda *_: 0)
        monkeypatch.setattr(history, "find_all", list)
        return database

    return made


def connected(runtime: Runtime, key: str) -> tuple[Connection, Said]:
    """A connection through the service with this key, and what is said to it."""
    assert runtime.started is not None
    said = Said()
    service = runtime.started.mounts.by_key[key].websocket.consumer_initkwargs["service"]  # type: ignore[union-attr]
    return service.connect(said.encoder, said, {}), said


def has_left(said: Said) -> bool:
    return any(isinstance(message, Goodbye) for message in said.messages)


FAILED = pytest.mark.expects_errors("Applying the new configuration to the history failed; it is retried")


@pytest.mark.parametrize("failures", [0, pytest.param(1, marks=FAILED), pytest.param(5, marks=FAILED)])
@pytest.mark.parametrize("left", [{}, {"other": TICKET}, {"other": OTHER}], ids=["removed", "ticket", "another type"])
def test_session_of_a_service_that_is_taken_away_ends_whatever_fails_besides(
    database: Callable[[int], Database], failures: int, left: dict[str, Any]
) -> None:
    stored = database(failures)
    source = Source(configured(ws=WS, other=WS))

    async def scenario(runtime: Runtime) -> None:
        (connection, said), (kept, to_kept) = (connected(runtime, f"tcp:8000/{path}") for path in ("other", "ws"))
        for one in (connection, kept):
            one.receive(HELLO)
        source.put(configured(has_history=True, ws=WS, **left))
        await eventually(lambda: stored.asked > 0)
        assert has_left(said)
        assert not has_left(to_kept)
        await eventually(lambda: stored.asked > failures)
        await eventually(lambda: runtime.problem == "")
        assert stored.asked == failures + 1

    run(source, scenario)


@pytest.mark.expects_errors("Applying the new configuration to the history failed; it is retried:")
def test_third_configuration_is_compared_with_what_was_applied(database: Callable[[int], Database]) -> None:
    """A service goes while a part fails, and its key comes back with other logins before that part has recovered."""
    stored = database(1000)
    source = Source(configured(ws=WS, other=WS))

    async def scenario(runtime: Runtime) -> None:
        connection, said = connected(runtime, "tcp:8000/other")
        connection.receive(HELLO)
        source.put(configured(has_history=True, ws=WS))
        await eventually(lambda: stored.asked > 2)
        source.put(configured(has_history=True, ws=WS, other=TICKET))
        await eventually(lambda: path_of(runtime, MAIN_LISTENER, "/other") is not None)
        assert has_left(said)
        later, to_later = connected(runtime, "tcp:8000/other")
        later.receive(HELLO)
        assert isinstance(to_later.messages[-1], Abort)
        stored.failures = 0
        await eventually(lambda: runtime.problem == "")

    run(source, scenario)


def test_handshake_that_a_change_has_overtaken_leads_to_no_session() -> None:
    source = Source(configured(ws=WS))

    async def scenario(runtime: Runtime) -> None:
        assert runtime.started is not None
        mount = runtime.started.mounts.by_key["tcp:8000/ws"]
        service = mount.websocket.consumer_initkwargs["service"]  # type: ignore[union-attr]
        source.put(configured(ws=TICKET))
        await eventually(lambda: runtime.started.mounts.by_key["tcp:8000/ws"] is not mount)  # type: ignore[union-attr]
        assert service.current_options is None
        said = Said()
        connection = service.connect(said.encoder, said, {})
        connection.receive(HELLO)
        assert [type(message) for message in said.messages] == [Abort]
        assert said.closed

    run(source, scenario)


@pytest.mark.parametrize("is_changed", [False, True])
def test_login_that_a_change_has_overtaken_leads_to_no_session(is_changed: bool) -> None:
    """The secret was right when the challenge was sent, and counts no more when it is answered."""

    def users(**secrets: str) -> dict[str, Any]:
        listed = {name: {"secret": secret, "role": "anonymous"} for name, secret in secrets.items()}
        return WS | {"auth": {"wampcra": {"type": "static", "users": listed}}}

    source = Source(configured(ws=users(joe="s3cret-joe")))

    async def scenario(runtime: Runtime) -> None:
        connection, said = connected(runtime, "tcp:8000/ws")
        connection.receive(b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["wampcra"],"authid":"joe"}]')
        await eventually(lambda: bool(said.messages))
        (challenge,) = said.messages
        assert isinstance(challenge, Challenge)
        signature = sign("s3cret-joe", challenge.extra["challenge"])
        source.put(configured(ws=users(ann="s3cret-ann") if is_changed else users(joe="s3cret-joe"), more=WS))
        await eventually(lambda: path_of(runtime, MAIN_LISTENER, "/more") is not None)
        connection.receive(b'[5,"%s",{}]' % signature.encode())
        await eventually(lambda: bool(said.closed) or len(said.messages) > 1)
        assert isinstance(said.messages[-1], Abort if is_changed else Welcome)

    run(source, scenario)


@pytest.mark.expects_errors("Applying the new configuration to the logins failed; it is retried")
def test_login_that_a_change_has_overtaken_ends_although_applying_it_fails_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source(configured(ws=TICKET))
    configure, calls = CookieLogins.configure, []

    def fail_once(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError("a failure half-way")
        configure(*arguments)

    async def scenario(runtime: Runtime) -> None:
        connection, said = connected(runtime, "tcp:8000/ws")
        connection.receive(b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]')
        await eventually(lambda: bool(said.messages))
        assert [type(message) for message in said.messages] == [Challenge]
        monkeypatch.setattr(CookieLogins, "configure", fail_once)
        principals = {"joe": JOE["joe"] | {"ticket": "another-ticket"}}
        source.put(configured(ws=WS | {"auth": {"ticket": {"type": "static", "principals": principals}}}))
        await eventually(lambda: len(calls) == 2 and runtime.problem == "")
        assert [type(message) for message in said.messages] == [Challenge, Abort]

    run(source, scenario)


def test_session_of_a_static_principal_ends_when_principals_come_from_elsewhere() -> None:
    source = Source(configured(ws=TICKET))
    elsewhere = WS | {"auth": {"ticket": {"type": "dynamic", "authenticator": "com.x"}}}

    async def scenario(runtime: Runtime) -> None:
        connection, said = connected(runtime, "tcp:8000/ws")
        connection.receive(b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]')
        await eventually(lambda: bool(said.messages))
        connection.receive(b'[5,"s3cret-ticket",{}]')
        await eventually(lambda: isinstance(said.messages[-1], Welcome))
        source.put(configured(ws=elsewhere))
        await eventually(lambda: has_left(said))

    run(source, scenario)


@pytest.mark.expects_errors("Applying the new configuration to the paths failed; it is retried: disk")
def test_path_that_cannot_be_built_keeps_nothing_of_the_old_one_and_comes_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "page.txt").write_text("a page")
    static, failures = mounts.StaticFiles, [OSError("disk"), OSError("disk")]

    def read(*arguments: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return static(*arguments, **options)

    monkeypatch.setattr(mounts, "StaticFiles", read)
    source = Source(configured(ws=WS, files=WS))

    async def scenario(runtime: Runtime) -> None:
        connection, said = connected(runtime, "tcp:8000/files")
        connection.receive(HELLO)
        source.put(configured(ws=WS, files={"type": "static", "directory": str(tmp_path)}, more=WS))
        await eventually(lambda: path_of(runtime, MAIN_LISTENER, "/more") is not None)
        assert has_left(said)
        assert runtime.started is not None
        await eventually(lambda: isinstance(runtime.started.mounts.by_key["tcp:8000/files"].http, static))  # type: ignore[union-attr]
        assert not failures

    run(source, scenario)


@pytest.mark.expects_errors("Applying the new configuration to the history failed; it is retried:")
def test_start_without_the_database_goes_on_and_restores_the_history_later(
    database: Callable[[int], Database],
) -> None:
    stored = database(1)

    async def scenario(runtime: Runtime) -> None:
        assert runtime.problem == "history: the database does not answer"
        assert path_of(runtime, MAIN_LISTENER, "/ws") == "/ws"
        await eventually(lambda: runtime.problem == "")
        assert stored.asked == 2

    run(Source(configured(has_history=True, ws=WS)), scenario)


@pytest.mark.expects_errors("Loading a new configuration failed; it is retried: the file is locked")
def test_faulty_configuration_is_tried_again_although_its_revision_is_the_same() -> None:
    source = Source(configured(ws=WS))

    async def scenario(runtime: Runtime) -> None:
        source.put(OSError("the file is locked"))
        await eventually(lambda: runtime.problem == "the file is locked")
        source.configuration = configured(more=WS)
        await eventually(lambda: path_of(runtime, MAIN_LISTENER, "/more") is not None)
        await eventually(lambda: runtime.problem == "")

    run(source, scenario)


@pytest.mark.expects_errors("Applying the new configuration to the history failed; it is retried:")
def test_delay_grows_with_each_failure(monkeypatch: pytest.MonkeyPatch, database: Callable[[int], Database]) -> None:
    from wamp_transport.bootstrap import watcher

    stored = database(6)
    monkeypatch.setattr(watcher, "MAX_RETRY_SECONDS", 0.02)
    source = Source(configured(ws=WS))

    async def scenario(runtime: Runtime) -> None:
        source.put(configured(has_history=True, ws=WS))
        await eventually(lambda: stored.asked > 0)
        begin = asyncio.get_running_loop().time()
        await eventually(lambda: stored.asked > 6)
        # 1, 2, 4, 8, 16 and 20 ms.
        assert asyncio.get_running_loop().time() - begin >= 0.051

    run(source, scenario)


@pytest.mark.expects_errors("Loading a new configuration failed; it is retried:")
def test_delay_begins_anew_with_a_new_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    from wamp_transport.bootstrap import watcher

    soon = watcher.RETRY_SECONDS
    monkeypatch.setattr(watcher, "RETRY_SECONDS", 3600.0)
    monkeypatch.setattr(watcher, "MAX_RETRY_SECONDS", 3600.0)
    source = Source(configured(ws=WS))

    async def scenario(runtime: Runtime) -> None:
        source.put(OSError("the file is locked"))
        await eventually(lambda: runtime.problem == "the file is locked")
        monkeypatch.setattr(watcher, "RETRY_SECONDS", soon)
        source.put(OSError("the file is empty"))
        await eventually(lambda: runtime.problem == "the file is empty")
        source.configuration = configured(more=WS)
        await eventually(lambda: path_of(runtime, MAIN_LISTENER, "/more") is not None)

    run(source, scenario)
