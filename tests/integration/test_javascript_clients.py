"""JavaScript clients in Node.js against the project as its users run it, with each other and with Autobahn|Python.

Autobahn|JS, wampy.js and the demo page's own client, each with the serializers it has, in every combination.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest

from ..live import REALM, LiveServer, live_server
from .clients import Kind, ProcessClient, WampFailure, joined_client, running_client
from .scenarios import BETWEEN_TWO

pytestmark = pytest.mark.integration

JAVASCRIPT_KINDS = [
    Kind("autobahn-js", "json"),
    Kind("autobahn-js", "msgpack"),
    Kind("wampy", "json"),
    Kind("wampy", "msgpack"),
    Kind("demo", "json"),
]
PYTHON_KINDS = [Kind("autobahn-python", "json"), Kind("autobahn-python", "msgpack"), Kind("autobahn-python", "cbor")]
PAIRS = [
    (one, other)
    for one, other in product(JAVASCRIPT_KINDS + PYTHON_KINDS, repeat=2)
    if one in JAVASCRIPT_KINDS or other in JAVASCRIPT_KINDS
]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("live")) as server:
        yield server


@pytest.fixture(scope="module")
def clients(live: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Kind, list[ProcessClient]]]:
    """Two clients of each kind, so that a kind can be tried with itself."""
    directory = tmp_path_factory.mktemp("clients")
    with ExitStack() as stack:
        yield {
            kind: [stack.enter_context(joined_client(kind, live.websocket_url, REALM, directory)) for _ in range(2)]
            for kind in JAVASCRIPT_KINDS + PYTHON_KINDS
        }


@pytest.mark.parametrize("scenario", BETWEEN_TWO, ids=lambda scenario: scenario.__name__)
@pytest.mark.parametrize(("one", "other"), PAIRS, ids=str)
def test_javascript_clients(clients, one, other, scenario) -> None:
    scenario(clients[one][0], clients[other][1])


@pytest.mark.parametrize("kind", JAVASCRIPT_KINDS, ids=str)
def test_javascript_client_goodbye_is_answered(live: LiveServer, kind: Kind, tmp_path: Path) -> None:
    with running_client(kind, tmp_path) as client:
        client.open(live.websocket_url, REALM)
        assert client.session_id in range(1, 2**53 + 1)
        assert client.leave() == "wamp.close.goodbye_and_out"


@pytest.mark.parametrize("kind", JAVASCRIPT_KINDS, ids=str)
def test_javascript_client_unknown_realm_is_refused(live: LiveServer, kind: Kind, tmp_path: Path) -> None:
    with running_client(kind, tmp_path) as client:
        with pytest.raises(WampFailure) as failure:
            client.open(live.websocket_url, "no-such-realm")
        assert failure.value.uri == "wamp.error.no_such_realm"
