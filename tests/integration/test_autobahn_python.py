"""Autobahn|Python against the project as its users run it: every serializer, and each with every other."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ..live import REALM, LiveServer, live_server
from .clients import Kind, ProcessClient, WampFailure, joined_client, running_client
from .scenarios import BETWEEN_TWO

pytestmark = pytest.mark.integration

KINDS = [Kind("autobahn-python", serializer) for serializer in ("json", "msgpack", "cbor")]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("live")) as server:
        yield server


@pytest.fixture(scope="module")
def pairs(live: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Kind, list[ProcessClient]]]:
    """Two clients of each kind."""
    directory = tmp_path_factory.mktemp("clients")
    with ExitStack() as stack:
        yield {
            kind: [stack.enter_context(joined_client(kind, live.websocket_url, REALM, directory)) for _ in range(2)]
            for kind in KINDS
        }


@pytest.mark.parametrize("scenario", BETWEEN_TWO, ids=lambda scenario: scenario.__name__)
@pytest.mark.parametrize("other", KINDS, ids=str)
@pytest.mark.parametrize("one", KINDS, ids=str)
def test_autobahn_python_with_itself(pairs, one, other, scenario) -> None:
    scenario(pairs[one][0], pairs[other][1])


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_autobahn_python_goodbye_is_answered(live: LiveServer, kind: Kind, tmp_path: Path) -> None:
    with running_client(kind, tmp_path) as client:
        client.open(live.websocket_url, REALM)
        assert client.session_id in range(1, 2**53 + 1)
        assert client.leave() == "wamp.close.goodbye_and_out"


def test_autobahn_python_unknown_realm_is_refused(live: LiveServer, tmp_path: Path) -> None:
    with running_client(KINDS[0], tmp_path) as client:
        with pytest.raises(WampFailure) as failure:
            client.open(live.websocket_url, "no-such-realm")
        assert failure.value.uri == "wamp.error.no_such_realm"


def test_autobahn_python_lost_callee_takes_its_procedures_along(live: LiveServer, tmp_path: Path) -> None:
    with joined_client(KINDS[0], live.websocket_url, REALM, tmp_path) as caller:
        with joined_client(KINDS[1], live.websocket_url, REALM, tmp_path) as callee:
            callee.register("com.example.short_lived", "add")
            assert caller.call("com.example.short_lived", 1, 1) == ([2], {})
        with pytest.raises(WampFailure) as failure:
            caller.call("com.example.short_lived", 1, 1)
        assert failure.value.uri == "wamp.error.no_such_procedure"
