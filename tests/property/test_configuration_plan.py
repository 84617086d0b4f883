"""Configurations that follow each other while something fails: in the end all is as after a fresh start with the last.

A failure is raised at any step of any part of the plan, or where the parts meet the world: the database, the disk, the
server. Held always: once nothing is behind any more, the node cannot be told from a fresh one with the configuration,
but for its sessions; and of those each one could come in the same way now.
"""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import DatabaseError
from django.test import override_settings
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.django_setup import block_database  # noqa: F401 - a fixture, and Django is set up
from wamp_transport.bootstrap import mounts, started_node
from wamp_transport.bootstrap.plan import ConfigurationPart, PartsBehind
from wamp_transport.bootstrap.session_impact import count_ending
from wamp_transport.bootstrap.started_node import StartedNode
from wamp_transport.config.configuration import Configuration, router_options
from wamp_transport.config.reader import read_mapping
from wamp_transport.config.report import ConfigError, Report
from wamp_transport.handlers import register
from wamp_transport.handlers.declarations import Registry
from wamp_transport.node.connection import Connection, MessageEncoder
from wamp_transport.router.options import LOCAL_SERVICE
from wamp_transport.router.records import ACTIVE_STATES, JOINING_STATES, Publication
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.stores import history
from wamp_transport.stores.session_groups import from_json, to_json
from wamp_transport.transports.service import WampService
from wamp_transport.wamp.messages import Publish, PublishOptions

pytestmark = pytest.mark.long

DIRECTORY = str(Path(__file__).parent)
TICKETS = {"joe": "s3cret-joe", "ann": "s3cret-ann"}
WAYS = ("anonymous", *TICKETS)
"""How a client logs in: without credentials, or with the ticket of one of these."""

PARTS = ("logins", "router", "paths", "server", "functions", "cookies", "history", "handlers")
EDGES = ("database", "disk", "server")
ERRORS: tuple[Exception, ...] = (OSError("disk"), DatabaseError("no answer"), ConfigError(Report("x")), KeyError("bug"))


# --- configurations --------------------------------------------------------------------------------------------------


def ticket(**roles: str) -> dict[str, Any]:
    principals = {name: {"ticket": TICKETS[name], "role": role} for name, role in roles.items()}
    return {"type": "websocket", "auth": {"ticket": {"type": "static", "principals": principals}}}


def anonymous(role: str, **more: Any) -> dict[str, Any]:
    return {"type": "websocket", "auth": {"anonymous": {"type": "static", "role": role}}, **more}


SERVICES: tuple[dict[str, Any] | None, ...] = (
    None,
    anonymous("guest"),
    anonymous("member"),
    anonymous("guest", options={"max_subscriptions": 3}),
    anonymous("guest", cookie={"store": {"type": "memory"}}),
    anonymous("guest", auth=anonymous("guest")["auth"] | ticket(joe="member")["auth"]),
    ticket(joe="member"),
    ticket(joe="guest"),
    ticket(joe="member", ann="guest"),
    {"type": "json", "value": 1},
    {"type": "json", "value": True},
    {"type": "static", "directory": DIRECTORY},
)


def role(name: str, allowed: str) -> dict[str, Any]:
    rights = dict.fromkeys(("publish", "subscribe", "call", "register"), True)
    return {"name": name, "permissions": [{"uri": allowed, "match": "prefix", "allow": rights}]}


def realm(name: str, roles: tuple[str, ...], allowed: str, kept: int) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "roles": [role(each, allowed) for each in roles]}
    if kept:
        made["store"] = {"type": "database", "event-history": [{"uri": "com.kept", "limit": kept}]}
    return made


def configuration(services: tuple[dict[str, Any] | None, ...], realms: list[dict[str, Any]]) -> Configuration:
    paths = {name: each for name, each in zip("ab", services, strict=True) if each is not None}
    transport = {"type": "web", "endpoint": {"type": "tcp", "port": 8000}, "paths": paths}
    return read_mapping(
        {"version": 2, "workers": [{"type": "router", "realms": realms, "transports": [transport]}]}, DIRECTORY
    )


some_service = st.sampled_from(SERVICES) | st.sampled_from([each for each in SERVICES if each and "auth" in each])
services = st.tuples(some_service, some_service)
realms = st.tuples(
    st.sampled_from([("guest", "member"), ("guest",), ("member",)]),
    st.sampled_from(["com.", "org."]),
    st.sampled_from([0, 2, 3]),
    st.booleans(),
).map(
    lambda chosen: (
        [realm("realm1", *chosen[:3])] + ([realm("realm2", ("guest", "member"), "com.", 0)] if chosen[3] else [])
    )
)
configurations = st.builds(configuration, services, realms)


@dataclass(frozen=True)
class Failure:
    """What is raised where, how often. ``step`` is one of a part's, or empty for an edge of the world."""

    place: str
    step: str
    error: Exception
    times: int


steps = st.sampled_from(["prepare", "before", "after"])
times = st.integers(1, 3)
failures = st.one_of(
    st.builds(Failure, st.sampled_from(PARTS), steps, st.sampled_from(ERRORS), times),
    st.builds(Failure, st.sampled_from(EDGES), st.just(""), st.sampled_from(ERRORS[:2]), times),
)

changes = st.tuples(configurations, st.lists(failures, max_size=2), st.integers(0, 2))
"""A configuration, what fails while it is applied, and how often that is retried before the next one comes."""


# --- the world -------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """What fails next, at the steps of the parts and where they meet the database, the disk and the server."""

    failing: list[list[Any]] = field(default_factory=list)

    def let_fail(self, failures: list[Failure]) -> None:
        self.failing = [[(each.place, each.step), each.error, each.times] for each in failures]

    def reach(self, place: str, step: str = "") -> None:
        """Something gets here. Raises what is to fail here."""
        for entry in self.failing:
            if entry[0] == (place, step) and entry[2]:
                entry[2] -= 1
                raise entry[1]

    def past(self, realm: str, options: Any, max_size: int) -> list[Publication]:
        """What the database has of a history."""
        self.reach("database")
        messages = [(number, Publish(1, PublishOptions(), options.uri)) for number in (1, 2, 3)]
        return [Publication(id, message, "json", 1, "", "", False) for id, message in messages][-options.limit :]

    async def follow(self, _: Configuration) -> None:
        """The server follows."""
        self.reach("server")

    @contextmanager
    def entered(self) -> Iterator[None]:
        static, registry = mounts.StaticFiles, Registry()

        def read(*arguments: Any, **options: Any) -> Any:
            self.reach("disk")
            return static(*arguments, **options)

        with (
            mock.patch.object(history, "past", self.past),
            mock.patch.object(history, "trim", return_value=0),
            mock.patch.object(history, "find_all", list),
            mock.patch.object(mounts, "StaticFiles", read),
            mock.patch.object(started_node, "GOODBYE_SECONDS", 0),
            mock.patch("wamp_transport.handlers.declarations.REGISTRY", registry),
            mock.patch("wamp_transport.handlers.discovery.REGISTRY", registry),
            override_settings(
                WAMP_TRANSPORT={"AUDIT_DAYS": 0},
                CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
            ),
        ):
            register("com.app.procedure")(lambda: None)
            yield


class Failing(ConfigurationPart):
    """A part of the product that fails before or after its work, as the world says."""

    def __init__(self, part: ConfigurationPart, world: World) -> None:
        self.name = part.name
        self._part = part
        self._world = world

    async def prepare(self, new: Configuration) -> None:
        await self._part.prepare(new)
        self._world.reach(self.name, "prepare")

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        self._world.reach(self.name, "before")
        await self._part.apply(new, applied)
        self._world.reach(self.name, "after")

    def close(self) -> None:
        self._part.close()


# --- clients ---------------------------------------------------------------------------------------------------------


class Link:
    """The transport of a client: what is sent to it, as JSON."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[list[Any]] = asyncio.Queue()

    def write(self, data: bytes) -> None:
        self.messages.put_nowait(json.loads(data))

    def close(self, reason: str, message: str) -> None:
        self.messages.put_nowait([3, {}, reason])

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@dataclass
class Client:
    """A client of a service, and how it logs in."""

    service: WampService
    way: str
    realm: str
    connection: Connection = field(init=False)
    link: Link = field(default_factory=Link)
    first: list[Any] | None = None

    def connect(self) -> None:
        """Connect and say HELLO; the rest of the login may follow after any change."""
        self.connection = self.service.connect(MessageEncoder(SERIALIZERS["json"]), self.link, {})
        details: dict[str, Any] = {"roles": {"subscriber": {}}}
        if self.way != "anonymous":
            details |= {"authmethods": ["ticket"], "authid": self.way}
        self.send(1, self.realm, details)

    def send(self, *message: Any) -> None:
        self.connection.receive(json.dumps(message).encode())

    async def next(self) -> list[Any]:
        """The next message, which is the one already awaited if there is one."""
        message, self.first = self.first, None
        return message or await asyncio.wait_for(self.link.messages.get(), 10)

    async def log_in(self) -> tuple[str, str]:
        """Finish the login. What comes of it: the role in WELCOME, or the reason of ABORT."""
        while (message := await self.next())[0] not in (2, 3):
            if message[0] == 4:
                self.send(5, TICKETS[self.way], {})
        return ("role", message[2]["authrole"]) if message[0] == 2 else ("reason", message[2])


def wamp_services(node: StartedNode) -> dict[str, WampService]:
    found = {key: mount.websocket for key, mount in node.mounts.by_key.items()}
    return {key: each.consumer_initkwargs["service"] for key, each in found.items() if each is not None}


async def outcomes(node: StartedNode) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Who may log in: what comes of each way at each service."""
    found = {}
    for key, service in wamp_services(node).items():
        for way in WAYS:
            for name in ("realm1", "realm2"):
                client = Client(service, way, name)
                client.connect()
                found[key, way, name] = await client.log_in()
                client.connection.lost()
    return found


def present(node: StartedNode) -> list[Any]:
    """The sessions of clients."""
    return [
        each
        for each in node.node.router.sessions.values()
        if each.service is not LOCAL_SERVICE and each.state in (*ACTIVE_STATES, *JOINING_STATES)
    ]


# --- comparing -------------------------------------------------------------------------------------------------------


async def state_of(node: StartedNode) -> dict[str, Any]:
    """Everything of a node that a configuration decides, but for sessions."""
    router = node.node.router
    paths = ("/a", "/a/x", "/b", "/", "/other")
    resolved = {path: node.mounts.table.resolve("tcp:8000", path) for path in paths}
    return {
        "paths": {path: None if found is None else found[1] for path, found in resolved.items()},
        "services": {key: (each.service, type(each.http)) for key, each in node.mounts.by_key.items()},
        "values": {key: getattr(each.http, "_body", None) for key, each in node.mounts.by_key.items()},
        "realms": {name: (each.options, sorted(each.roles)) for name, each in router.realms.items()},
        "histories": sorted(
            (name, each.options.uri, each.options.limit, [one.id for one in each.publications()])
            for name, each in router.histories()
        ),
        "handlers": sorted(name for name, session in node._handlers._sessions.items() if session.is_open),
        "cookies": (sorted(node._cookies.trackers), sorted(map(str, node._cookies._stores))),
        "lockouts": node._identities._lockouts,
        "logins": await outcomes(node),
    }


async def started(world: World, first: Configuration) -> StartedNode:
    """A node with its first configuration; its parts fail as the world says."""
    node = StartedNode("test", world.follow)
    node.plan.parts = [Failing(each, world) for each in node.plan.parts]
    assert tuple(each.name for each in node.plan.parts) == PARTS
    await node.begin(first, 1)
    return node


async def change(node: StartedNode, world: World, new: Configuration, retries: int) -> bool:
    """Apply a configuration, and retry a few times. Whether it was taken, and not refused."""
    is_taken = False
    for _ in range(retries + 1):
        try:
            if is_taken:
                await node.retry()
            else:
                await node.apply(new, object())
            return True
        except PartsBehind:
            is_taken = True
        except ConfigError:
            continue
    return is_taken


async def visit(node: StartedNode, service: WampService, way: str, clients: list[Client]) -> None:
    """A client connects, and is in the middle of its login: it has got what comes first, such as its challenge."""
    client = Client(service, way, "realm1")
    client.connect()
    clients.append(client)
    client.first = await client.next()


def check_sessions(node: StartedNode, clients: list[Client], allowed: dict[tuple[str, str, str], Any]) -> None:
    """Each session could come in the same way now, and has the options of its service."""
    in_force = node.node._services or {}
    for client in clients:
        session = node.node.router.sessions.get(client.connection.session_id)
        if session is None or session.state not in ACTIVE_STATES:
            continue
        key = client.service.options.key
        assert allowed.get((key, client.way, session.realm)) == ("role", session.authrole), (key, client.way)
        assert session.service == in_force[key]
        assert session.limits.subscriptions == (in_force[key].limits.subscriptions or session.limits.subscriptions)
    assert all(each.service.key in in_force for each in present(node))


Later = list[tuple[Configuration, list[Failure], int]]


async def scenario(world: World, first: Configuration, later: Later) -> None:
    node = await started(world, first)
    clients: list[Client] = []
    overtaken: list[WampService] = list(wamp_services(node).values())
    wanted = first
    for new, failing, retries in later:
        for service in wamp_services(node).values():
            for way in WAYS:
                for is_quick in (True, False):  # the slow one finishes its login after the change
                    await visit(node, service, way, clients)
                    if is_quick:
                        await finish(clients[-1])
        world.let_fail(failing)
        if await change(node, world, new, retries):
            wanted = new
        for service in overtaken:  # handshakes that began before the change
            await visit(node, service, "anonymous", clients)
        overtaken = list(wamp_services(node).values())
    world.let_fail([])
    if node.plan.behind:
        await node.retry()
    for client in clients:
        await finish(client)
    fresh = await started(World(), wanted)
    assert not node.plan.behind
    await node._handlers.register_handlers()
    check_sessions(node, clients, await outcomes(fresh))
    assert dict(node.node.router.realms).keys() == router_options(wanted).realms.keys()
    assert await state_of(node) == await state_of(fresh)
    for each in (node, fresh):
        await each.stop()


async def finish(client: Client) -> None:
    """Finish a login that is not finished."""
    session = client.service.node.router.sessions.get(client.connection.session_id)
    if session is not None and session.state in JOINING_STATES:
        await client.log_in()


OPEN, JOE_IS_MEMBER, JOE_IS_GUEST, ANN_TOO = (SERVICES[index] for index in (1, 6, 7, 8))
PLAIN, WITH_HISTORY = ([realm("realm1", ("guest", "member"), "com.", kept)] for kept in (0, 2))
ROUTER_IS_BEHIND = Failure("router", "before", KeyError("bug"), 1)


@example(configuration((OPEN, None), PLAIN), [(configuration((OPEN, None), WITH_HISTORY), [ROUTER_IS_BEHIND], 0)])
@example(configuration((JOE_IS_MEMBER, None), PLAIN), [(configuration((JOE_IS_GUEST, None), PLAIN), [], 0)])
@example(
    configuration((ANN_TOO, OPEN), PLAIN),
    [
        (configuration((None, OPEN), PLAIN), [ROUTER_IS_BEHIND], 0),
        (configuration((JOE_IS_GUEST, OPEN), WITH_HISTORY), [Failure("database", "", DatabaseError("no"), 2)], 1),
    ],
)
@settings(max_examples=25, deadline=None)
@given(configurations, st.lists(changes, min_size=1, max_size=4))
def test_retry_leads_where_a_fresh_start_does(first: Configuration, later: Later) -> None:
    world = World()
    logging.disable(logging.CRITICAL)
    try:
        with world.entered():
            asyncio.run(scenario(world, first, later))
    finally:
        logging.disable(logging.NOTSET)


# --- the prediction --------------------------------------------------------------------------------------------------


async def predicted(first: Configuration, later: list[Configuration]) -> None:
    node = await started(World(), first)
    before = first
    for after in later:
        clients: list[Client] = []
        for service in wamp_services(node).values():
            for way in WAYS:
                await visit(node, service, way, clients)
                await finish(clients[-1])
        counts = node.sessions.counts()
        assert sum(counts.values()) == len([one for one in present(node) if one.state in ACTIVE_STATES])
        await node.apply(after, object())
        ended = sum(counts.values()) - sum(node.sessions.counts().values())
        assert count_ending(from_json(to_json(counts)), before, after) == ended
        before = after
    await node.stop()


@example(configuration((JOE_IS_MEMBER, None), PLAIN), [configuration((JOE_IS_GUEST, None), PLAIN)])
@example(configuration((OPEN, ANN_TOO), PLAIN), [configuration((OPEN, None), PLAIN), configuration((None, None), [])])
@settings(max_examples=25, deadline=None)
@given(configurations, st.lists(configurations, min_size=1, max_size=3))
def test_number_of_sessions_that_end_is_predicted(first: Configuration, later: list[Configuration]) -> None:
    """The admin shows the number before a change; it must be that of the sessions that a node ends."""
    with World().entered():
        asyncio.run(predicted(first, later))
