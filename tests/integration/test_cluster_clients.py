"""Clients of other people on different nodes of a cluster, and ten subscribers at several processes."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from redis import Redis

from ..effort import examples
from ..redis_server import redis_process
from .abilities import LIBRARIES
from .clients import Kind, ProcessClient, Program, running_program
from .scenarios import ADVANCED, BETWEEN_TWO
from .servers import (
    assert_quiet,
    configuration,
    free_port,
    manage,
    migrate,
    running,
    until,
    web,
    write_config,
)
from .wire import Wire, joined

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.full]

REALM = "realm1"
KINDS = [Kind(library, serializer) for library, (_, serializers) in LIBRARIES.items() for serializer in serializers]


def _pairs() -> list[tuple[Kind, Kind]]:
    """Each kind with itself, and with one of another library and another serializer in both roles."""
    found: dict[tuple[Kind, Kind], None] = {}
    for place, kind in enumerate(KINDS):
        other = KINDS[(place + 4) % len(KINDS)]
        for pair in ((kind, kind), (kind, other), (other, kind)):
            found[pair] = None
    return list(found)


def _cases() -> list[object]:
    """Every scenario for every pair that is able to play it."""
    return [
        pytest.param(one, other, scenario, id=f"{one}-{other}-{scenario.name}")
        for one, other in _pairs()
        for scenario in BETWEEN_TWO + ADVANCED
        if scenario.is_for(one, other)
    ]


class Observer:
    """A client of a node that waits until this node knows what a client of another node has done."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._numbers = count(1)

    def _request(self, code: int, *rest: Any) -> Any:
        self._wire.send_json([code, next(self._numbers), *rest])
        return self._wire.message()

    def wait_for_procedure(self, procedure: str, match: str) -> None:
        """Wait until a procedure or pattern is registered."""

        def is_registered() -> bool:
            answer = self._request(48, {}, "wamp.registration.lookup", [procedure, {"match": match}])
            return bool(answer[3][0])

        until(is_registered, f"the other node knows {procedure}")

    def wait_for_retained_event(self, topic: str) -> None:
        """Wait until the retained event of a topic has arrived, as a retained event or as a new one."""
        subscription = self._request(32, {"get_retained": True}, topic)[2]
        assert self._wire.message()[:2] == [36, subscription]
        assert self._request(34, subscription)[0] == 35


class NodeClient(ProcessClient):
    """A client of one node. ``observer`` is at the other node.

    The router's replies to REGISTER and PUBLISH do not wait for the other nodes, so this client waits.
    """

    def __init__(self, program: Program, serializer: str, observer: Observer) -> None:
        key = len(program.clients)
        super().__init__(Kind(program.library, serializer), program, key)
        program.clients[key] = self
        self._observer = observer

    def register(self, procedure: str, answer: str, **options: Any) -> None:
        super().register(procedure, answer, **options)
        self._observer.wait_for_procedure(procedure, options.get("match") or "exact")

    def publish_with(self, options: Mapping[str, Any], topic: str, *args: Any, **kwargs: Any) -> None:
        super().publish_with(options, topic, *args, **kwargs)
        if options.get("retain"):
            self._observer.wait_for_retained_event(topic)


@contextmanager
def two_nodes(directory: Path, **environment: str) -> Iterator[tuple[int, int]]:
    """Run two nodes that form one router. Yield their ports.

    Anonymous clients may do everything, but nothing below ``com.forbidden``.
    """
    everything = {"call": True, "register": True, "publish": True, "subscribe": True}
    permissions = [
        {"uri": "", "match": "prefix", "allow": everything},
        {"uri": "com.forbidden", "match": "prefix", "allow": dict.fromkeys(everything, False)},
    ]
    roles = [{"name": "anonymous", "permissions": permissions}]
    realms = [{"name": REALM, "roles": roles, "options": {"dialect": "specification"}}]
    with redis_process(has_port=True) as redis, ExitStack() as stack:
        ports, processes = [], []
        for name in ("one", "other"):
            port, home = free_port(), directory / name
            home.mkdir()
            migrate(home / "db.sqlite3")
            write_config(home, configuration(web(port), realms=realms))
            own = {
                "WAMPNODE_DATABASE": str(home / "db.sqlite3"),
                "WAMPNODE_REDIS": f"redis://127.0.0.1:{redis.port}/0",
            }
            command = manage("runnode", "--config", str(home))
            process = stack.enter_context(running(command, home, **own, **environment))
            processes.append(process.wait_for(port))
            ports.append(port)
        yield ports[0], ports[1]
        assert [process.stop() for process in processes] == [0, 0]
        for process in processes:
            assert_quiet(process.output)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    with two_nodes(tmp_path_factory.mktemp("nodes")) as found:
        yield found


@pytest.fixture(scope="module")
def clients(
    ports: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Kind, tuple[NodeClient, NodeClient]]]:
    """Two clients of each kind, the first at the one node, the second at the other."""
    directory = tmp_path_factory.mktemp("clients")
    with ExitStack() as stack:
        wires = [stack.enter_context(joined(port)) for port in reversed(ports)]
        observers = [Observer(wire) for wire in wires]
        programs = {library: stack.enter_context(running_program(library, directory)) for library in LIBRARIES}
        found = {}
        for kind in KINDS:
            one, other = (NodeClient(programs[kind.library], kind.serializer, observer) for observer in observers)
            one.open(f"ws://127.0.0.1:{ports[0]}/ws", REALM)
            other.open(f"ws://127.0.0.1:{ports[1]}/ws", REALM)
            found[kind] = (one, other)
        yield found
        for pair in found.values():
            for client in pair:
                client.leave()


@pytest.mark.parametrize(("one", "other", "scenario"), _cases())
def test_clients_of_two_nodes(clients, one, other, scenario) -> None:
    first, second = clients[one][0], clients[other][1]
    first.forget_events()
    second.forget_events()
    scenario(first, second)


# --- ten subscribers and one publisher at several processes ---------------------------------------------------------

SITE = {"DJANGO_SETTINGS_MODULE": "tests.integration.api_site.settings"}


@contextmanager
def two_workers(directory: Path) -> Iterator[tuple[int, int]]:
    """Run gunicorn with two workers of uvicorn, which form one router. Yield its port twice."""
    port = free_port()
    migrate(directory / "db.sqlite3")
    with redis_process(has_port=True) as redis:
        environment = {
            "WAMPNODE_DATABASE": str(directory / "db.sqlite3"),
            "WAMPNODE_REDIS": f"redis://127.0.0.1:{redis.port}/0",
        }
        options = ("-w", "2", "-k", "uvicorn_worker.UvicornWorker", "-b", f"127.0.0.1:{port}", "--no-control-socket")
        command = [sys.executable, "-m", "gunicorn", "wampnode.asgi:application", *options]
        with running(command, directory, **environment, **SITE) as process:
            process.wait_for(port)
            # The second worker is ready when both have joined.
            until(lambda: _members(redis.port) == 2, "both workers have joined")
            yield port, port
            assert process.stop() == 0
            assert_quiet(process.output)
            assert "not the only node" not in process.output


def _members(port: int) -> int:
    """Return the number of nodes in the only cluster of a Redis server."""
    with Redis(port=port) as redis:
        (key,) = redis.keys("*members") or [None]
        return 0 if key is None else sum(b":" in field for field in redis.hkeys(key))


@pytest.mark.parametrize("kind", ["runnode", "gunicorn"])
def test_all_subscribers_of_all_processes_get_the_event(kind: str, tmp_path: Path) -> None:
    with two_nodes(tmp_path, **SITE) if kind == "runnode" else two_workers(tmp_path) as ports:
        for number in range(examples(2)):
            with ExitStack() as stack:
                subscribers = [stack.enter_context(joined(port)) for port in ports * 5]
                for subscriber in subscribers:
                    subscriber.send_json([32, 1, {}, "com.site.user.created"])
                    assert subscriber.message()[0] == 33
                with urlopen(f"http://127.0.0.1:{ports[number % 2]}/create/?name=user{number}") as answer:
                    assert answer.read() == b"created"
                assert [subscriber.message()[4] for subscriber in subscribers] == [[f"user{number}"]] * 10
