"""Handlers that ask SQLite and PostgreSQL: no connection is left behind, and a restart of the database is survived."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..postgresql import Cluster, running_cluster
from .servers import Process, assert_quiet, configuration, free_port, manage, node, realm, running, until, web
from .wire import Wire, joined

pytestmark = [pytest.mark.integration, pytest.mark.full]

CALLS = int(os.environ.get("TEST_DATABASE_CALLS", "120"))
"""`make test-postgresql` makes more of them."""

AT_A_TIME = 20
"""Calls that wait for their results: more than there are threads."""

HANDLERS = ("com.shop.price", "com.shop.async_price")
OWN = 8
"""Connections that a node keeps for its own look at the database at most: as many as it has threads for that."""

LASTING = 8
"""As many connections as there are threads for handlers."""

PREPARE = (
    "from django.core.management import call_command; call_command('migrate', run_syncdb=True, verbosity=0); "
    "from tests.shop.models import Product; Product.objects.create(sku='tea', price='2.50')"
)
OPEN = realm("realm1", call=True, publish=True, subscribe=True, register=True)


class Shop(NamedTuple):
    """A running server with the shop in it."""

    process: Process
    port: int
    connections: Callable[[], int]
    """How many times the server has its database open."""
    most: int
    """How many times that may be when all calls have their results."""


@contextmanager
def shop_at(directory: Path, environment: dict[str, str], connections: Callable[[Process], int], most: int) -> Any:
    """A server with the shop in it, its database prepared."""
    port = free_port()
    with node(directory, configuration(web(port), realms=[OPEN]), port, **environment) as process:
        yield Shop(process, port, lambda: connections(process), most)
        assert process.stop() == 0, process.output


def prepared(directory: Path, **variables: str) -> dict[str, str]:
    """The environment of servers of the shop, after its database has got its tables and products."""
    environment = {"DJANGO_SETTINGS_MODULE": "tests.shop.settings", **variables}
    with running(manage("shell", "--verbosity", "0", "-c", PREPARE), directory, **environment) as process:
        assert process.ended(seconds=60) == 0, process.output
    return environment


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def postgresql(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return prepared(tmp_path_factory.mktemp("prepared"), **cluster.create("shop"))


@pytest.fixture(params=["0", "600"], ids=["closed", "kept"])
def on_postgresql(
    request: pytest.FixtureRequest, cluster: Cluster, postgresql: dict[str, str], tmp_path: Path
) -> Iterator[Shop]:
    """A shop whose handlers close their connections after each call, and one whose threads keep theirs."""
    environment = {**postgresql, "TEST_CONN_MAX_AGE": request.param}
    most = OWN + (LASTING if request.param != "0" else 0)
    with shop_at(tmp_path, environment, lambda _: cluster.connections("shop"), most) as shop:
        yield shop


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Shop]:
    database = tmp_path / "db.sqlite3"
    # While one connection has the file locked, SQLite puts descriptors of others by, and uses them again.
    most = OWN + AT_A_TIME
    environment = prepared(tmp_path, WAMPNODE_DATABASE=str(database))
    with shop_at(tmp_path, environment, lambda process: opened(process, database), most) as shop:
        yield shop
        assert_quiet(shop.process.output)


def opened(process: Process, file: Path) -> int:
    """How many times a process has a file open."""

    def target(link: Path) -> str:
        try:
            return str(link.readlink())
        except OSError:
            return ""

    return sum(target(link) == str(file) for link in Path(f"/proc/{process.process.pid}/fd").iterdir())


def call(wire: Wire, *numbers: int, procedure: str) -> list[Any]:
    """Calls that are sent together, and what is answered."""
    wire.send_json(*([48, number, {}, procedure, ["tea"]] for number in numbers))
    return [wire.message() for _ in numbers]


def works(answer: list[Any]) -> bool:
    """Whether a call has got its result."""
    return answer[0] == 50 and answer[3] == ["2.50"]


def calls_leave_nothing_behind(shop: Shop) -> None:
    """Many calls, as a page would make them; then there are no more connections than there may be."""
    with joined(shop.port, headers=["Origin: http://127.0.0.1"]) as wire:
        for begin in range(1, CALLS, AT_A_TIME):
            procedure = HANDLERS[begin // AT_A_TIME % 2]
            answers = call(wire, *range(begin, begin + AT_A_TIME), procedure=procedure)
            assert all(map(works, answers)), answers
        # PostgreSQL takes a moment to let go of a connection that was closed.
        until(lambda: shop.connections() <= shop.most, f"{shop.most} connections, but it is {shop.connections()}")


def test_calls_leave_no_connections_to_sqlite_behind(on_sqlite: Shop) -> None:
    calls_leave_nothing_behind(on_sqlite)


def test_calls_leave_no_connections_to_postgresql_behind_nor_does_a_restart_cost_more_than_one(
    on_postgresql: Shop, cluster: Cluster
) -> None:
    calls_leave_nothing_behind(on_postgresql)
    with joined(on_postgresql.port) as wire:
        for begin, procedure in zip((1, 1 + AT_A_TIME), HANDLERS, strict=True):  # in all threads
            call(wire, *range(begin, begin + AT_A_TIME), procedure=procedure)
        cluster.restart()
        answers = []
        for number in range(100, 150):
            answers += call(wire, number, procedure=HANDLERS[number % 2])
    failed = [answer for answer in answers if not works(answer)]
    assert len(failed) <= 1, failed
    assert all(answer[4] == "wamp.error.runtime_error" for answer in failed)
    calls_leave_nothing_behind(on_postgresql)
