"""Clients of other people against the project as its users run it, with each other.

What a library cannot do is in `abilities.py` with its reason, and in `docs/clients.md`.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ..requirements import javascript_packages
from ..requirements import node as node_js
from .abilities import FEATURES, LACKS, LIBRARIES
from .clients import Kind, ProcessClient, Program, WampFailure, joined_client, running_program
from .scenarios import ADVANCED, BETWEEN_TWO
from .servers import ROOT, assert_quiet, configuration, free_port, node, web

pytestmark = pytest.mark.integration

REALM = "realm1"
KINDS = [Kind(library, serializer) for library, (_, serializers) in LIBRARIES.items() for serializer in serializers]
EXAMPLES = ROOT / "examples" / "clients"
REFERENCE = Kind("autobahn-python", "msgpack")


def _pairs() -> list[tuple[Kind, Kind]]:
    """Each kind with itself, with the reference both ways, and with one of another library and another serializer."""
    found: dict[tuple[Kind, Kind], None] = {}
    for place, kind in enumerate(KINDS):
        for pair in ((kind, kind), (kind, REFERENCE), (REFERENCE, kind), (kind, KINDS[(place + 4) % len(KINDS)])):
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


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose anonymous clients may do everything, but nothing below ``com.forbidden``."""
    directory = tmp_path_factory.mktemp("live")
    everything = {"call": True, "register": True, "publish": True, "subscribe": True}
    permissions = [
        {"uri": "", "match": "prefix", "allow": everything},
        {"uri": "com.forbidden", "match": "prefix", "allow": dict.fromkeys(everything, False)},
    ]
    roles = [{"name": "anonymous", "permissions": permissions}]
    realm = {"name": REALM, "roles": roles, "options": {"dialect": "specification"}}
    port = free_port()
    with node(directory, configuration(web(port), realms=[realm]), port) as server:
        yield f"ws://127.0.0.1:{port}/ws"
        assert server.stop() == 0, server.output
        assert_quiet(server.output)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Program]]:
    """A program of each library."""
    directory = tmp_path_factory.mktemp("clients")
    with ExitStack() as stack:
        yield {library: stack.enter_context(running_program(library, directory)) for library in LIBRARIES}


@pytest.fixture(scope="module")
def clients(live: str, programs: dict[str, Program]) -> Iterator[dict[Kind, list[ProcessClient]]]:
    """Two clients of each kind, so that a kind can be tried with itself."""
    found = {kind: [programs[kind.library].client(kind.serializer) for _ in range(2)] for kind in KINDS}
    both = [client for pair in found.values() for client in pair]
    for client in both:
        client.open(live, REALM)
    yield found
    for client in both:
        client.leave()


@pytest.mark.parametrize(("one", "other", "scenario"), _cases())
def test_clients(clients, one, other, scenario) -> None:
    first, second = clients[one][0], clients[other][1]
    first.forget_events()
    second.forget_events()
    scenario(first, second)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_client_leaves_and_joins_again(live: str, programs: dict[str, Program], kind: Kind) -> None:
    found = []
    for _ in range(2):
        client = programs[kind.library].client(kind.serializer)
        client.open(live, REALM)
        assert client.session_id in range(1, 2**53 + 1)
        client.register("com.example.only_one", "add")  # left behind by nobody
        found.append(client.session_id)
        reason = client.leave()
        assert kind.lacks({"goodbye"}) or reason == "wamp.close.goodbye_and_out"
    assert found[0] != found[1]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_client_unknown_realm_is_refused(live: str, programs: dict[str, Program], kind: Kind) -> None:
    client = programs[kind.library].client(kind.serializer)
    with pytest.raises(WampFailure) as failure:
        client.open(live, "no-such-realm")
    assert failure.value.uri == "wamp.error.no_such_realm"


def test_lost_callee_takes_its_procedures_along(live: str, tmp_path: Path) -> None:
    with joined_client(KINDS[0], live, REALM, tmp_path) as caller:
        with joined_client(KINDS[1], live, REALM, tmp_path) as callee:
            callee.register("com.example.short_lived", "add")
            assert caller.call("com.example.short_lived", 1, 1) == ([2], {})
        with pytest.raises(WampFailure) as failure:
            caller.call("com.example.short_lived", 1, 1)
        assert failure.value.uri == "wamp.error.no_such_procedure"


@pytest.mark.parametrize("example", sorted(EXAMPLES.iterdir()), ids=lambda example: example.name)
def test_example_of_the_documentation_runs(live: str, example: Path, tmp_path: Path) -> None:
    program = [sys.executable, str(example)]
    if example.suffix == ".mjs":
        (tmp_path / "node_modules").symlink_to(javascript_packages())
        program = [node_js(), str(shutil.copy(example, tmp_path))]
    found = subprocess.run([*program, live], check=False, capture_output=True, text=True, timeout=20)
    assert (found.returncode, found.stdout.splitlines()[:1]) == (0, ["sum: 5"]), found.stderr


def test_every_feature_is_needed_by_a_scenario_and_every_lack_names_one() -> None:
    needed = {feature for scenario in BETWEEN_TWO + ADVANCED for feature in scenario.first | scenario.second}
    assert (
        needed | {"goodbye", "is interrupted", "unsubscribes from patterns", "unregisters wildcards"} == FEATURES.keys()
    )
    assert all(lacks.keys() <= FEATURES.keys() for lacks in LACKS.values())
    assert LACKS.keys() == LIBRARIES.keys()
