"""The pytest plugin with fixtures for tests of code that uses WAMP.

The plugin works with and without pytest-django. Because pytest loads it in all projects of the environment, it imports
Django and this package only when a test requests a fixture.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .client import WampClient
    from .clock import Clock
    from .live import LiveServer
    from .recording import Recording
    from .router import InMemoryRouter

IN_MEMORY_OPTION = "wamp_in_memory"
"""The pytest option that gives each test a router."""
ROUTER, LIVE, COMMITS = "wamp_router", "wamp_live_server", "transactional_db"
DATABASES = ("db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback")
"""The pytest-django fixtures that must be set up before the router and torn down after it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``wamp_in_memory``."""
    parser.addini(
        IN_MEMORY_OPTION, "Give every test a WAMP router in memory, so that none can reach a real one.", "bool", False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker ``wamp``."""
    config.addinivalue_line(
        "markers",
        "wamp(config=None, handlers=True): the configuration of the test's WAMP router, and whether the apps' wamp.py"
        " modules take part.",
    )


@pytest.hookimpl(tryfirst=True)  # run before pytest-django, which also inspects the fixtures
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add fixtures to tests.

    If the option ``wamp_in_memory`` is set, each test gets a router. With pytest-django, tests with a live server get a
    database with real commits.
    """
    is_everywhere = config.getini(IN_MEMORY_OPTION)
    has_databases = any(config.pluginmanager.hasplugin(name) for name in ("django", "pytest_django.plugin"))
    for item in items:
        names: list[str] = getattr(item, "fixturenames", [])
        has_own = {ROUTER, LIVE} & {*names} or hasattr(getattr(item, "cls", None), "wamp_config")
        if is_everywhere and not has_own and hasattr(item, "fixturenames"):
            names.append(ROUTER)
        if has_databases and LIVE in names and COMMITS not in names:
            names.insert(names.index(LIVE), COMMITS)


@pytest.fixture
def wamp_router(request: pytest.FixtureRequest) -> "Iterator[InMemoryRouter]":
    """The test's WAMP router in memory. The marker ``wamp`` configures it."""
    from .django_setup import set_up_django  # noqa: PLC0415 - no Django before a test asks for it

    set_up_django()
    for name in DATABASES:
        if name in request.fixturenames:
            request.getfixturevalue(name)
    from .router import InMemoryRouter  # noqa: PLC0415 - as above

    marker = request.node.get_closest_marker("wamp")
    options = {} if marker is None else marker.kwargs
    with InMemoryRouter(**options) as router:
        yield router


@pytest.fixture
def wamp_client_factory(wamp_router: "InMemoryRouter") -> "Callable[..., WampClient]":
    """A factory of WAMP clients: ``wamp_client_factory(user)``, ``wamp_client_factory(role="clerk")``."""
    from .client import WampClient  # noqa: PLC0415 - as above

    return WampClient


@pytest.fixture
def wamp_client(wamp_client_factory: "Callable[..., WampClient]") -> "WampClient":
    """A WAMP client with the role ``anonymous``."""
    return wamp_client_factory()


@pytest.fixture
def wamp_recording(wamp_router: "InMemoryRouter") -> "Recording":
    """The recording of publications and calls that the code under test makes through ``wamp_transport.api``."""
    return wamp_router.recording


@pytest.fixture
def wamp_clock(wamp_router: "InMemoryRouter") -> "Clock":
    """The clock of the test's router and clients."""
    return wamp_router.clock


@pytest.fixture
def wamp_live_server(request: pytest.FixtureRequest) -> "Iterator[LiveServer]":
    """A live server for the test, on a free port. The marker ``wamp`` can set its ``config``.

    With pytest-django, the server uses the test's database, with real commits.
    """
    from .django_setup import set_up_django  # noqa: PLC0415 - as above

    set_up_django()
    from .live import LiveServer  # noqa: PLC0415 - as above

    marker = request.node.get_closest_marker("wamp")
    with LiveServer(None if marker is None else marker.kwargs.get("config")) as server:
        yield server
