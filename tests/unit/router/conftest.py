"""Parts of a realm without a router: sessions that have joined, roles, an outbox, and a clock that stands still."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from wamp_transport.router.deadlines import Deadlines
from wamp_transport.router.effects import Effect
from wamp_transport.router.environment import Environment
from wamp_transport.router.options import Permission, RoleOptions, ServiceOptions
from wamp_transport.router.permissions import Role
from wamp_transport.router.records import Session
from wamp_transport.serializers.registry import is_deeper, serialize, values_of
from wamp_transport.wamp.messages import ClientRole

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """An environment whose time and random number a test sets; session ids count from 1, publications from 1001."""

    def __init__(self) -> None:
        self.now = 0.0
        self.random = 0
        self.session_ids = count(1)
        publication_ids = count(1001)
        self.environment = Environment(
            clock=lambda: self.now,
            utc_now=self.time,
            time_from=datetime.fromisoformat,
            next_millisecond=lambda time: time + timedelta(milliseconds=1),
            new_session_id=lambda: next(self.session_ids),
            new_publication_id=lambda: next(publication_ids),
            random_below=lambda end: self.random % end,
            values_of=values_of,
            serialize=serialize,
            is_deeper=is_deeper,
            deadlines=Deadlines(lambda: self.now),
        )

    def time(self) -> datetime:
        """The time of day."""
        return MIDNIGHT + timedelta(seconds=self.now)


@pytest.fixture
def world() -> World:
    """The environment's clock and random number, for tests to set."""
    return World()


@pytest.fixture
def environment(world: World) -> Environment:
    """The environment of the core."""
    return world.environment


@pytest.fixture
def outbox() -> list[Effect]:
    """The outbox for effects."""
    return []


@pytest.fixture
def announced() -> list[tuple[Any, ...]]:
    """The meta events that were announced: topic, the URI it is about, arguments."""
    return []


@pytest.fixture
def announce(announced: list[tuple[Any, ...]]) -> Callable[..., None]:
    """A function that records announced meta events."""
    return lambda *event: announced.append(event)


@pytest.fixture
def roles() -> dict[str, Role]:
    """``all`` may do everything, ``some`` what is below ``com.`` but for ``com.secret``, ``none`` nothing."""
    everything = {"call": True, "register": True, "publish": True, "subscribe": True}
    rules = (
        Permission("com.", "prefix", **everything),
        Permission("com.secret"),
        Permission("com.known", disclose_caller=True, disclose_publisher=True, **everything),
    )
    options = [RoleOptions("all", allow_by_default=True), RoleOptions("some", rules), RoleOptions("none")]
    return {each.name: Role(each, loose_uris=False) for each in options}


@pytest.fixture
def new_session() -> Callable[..., Session]:
    """A function that makes joined sessions, with features by client role: ``caller=["call_timeout"]``."""
    ids = count(1)

    def make(role: str = "all", authid: str = "", **features: list[str]) -> Session:
        session = Session(next(ids), ServiceOptions("test"), "json")
        session.state = "established"
        session.realm, session.authrole, session.authid = "realm1", role, authid or f"user{session.id}"
        session.roles = {name: ClientRole(dict.fromkeys(names, True)) for name, names in features.items()}
        return session

    return make


class RemotePeer:
    """A client of another node: it has the attributes of ``CallPeer``, and no other attributes of a session."""

    __slots__ = (
        "authid", "authrole", "calls", "calls_size", "ended_streams", "id", "invocations", "last_invocation",
        "payload_format", "realm", "registrations", "state", "trustlevel",
    )  # fmt: skip

    remote = None

    def __init__(self, session_id: int, authrole: str) -> None:
        self.id = session_id
        self.state = "established"
        self.realm, self.authrole, self.authid = "realm1", authrole, f"user{session_id}"
        self.trustlevel = None
        self.payload_format = "msgpack"
        self.last_invocation = self.calls_size = 0
        self.ended_streams: set[int] = set()
        self.registrations, self.calls, self.invocations = {}, {}, {}

    def has(self, role: str, *features: str) -> bool:
        return True


@pytest.fixture
def new_remote_peer() -> Callable[..., RemotePeer]:
    """A function that makes peers of another node."""
    ids = count(501)
    return lambda role="all": RemotePeer(next(ids), role)
