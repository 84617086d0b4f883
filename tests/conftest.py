"""Settings and fixtures for all tests. This file does not import Django, because the core's tests run without it.

``pytest`` without paths uses two workers, skips the tests marked ``long`` and runs only some cases of tests with many
parameters. With paths or ``-m`` on the command line, all tests that they select run.
"""

import gc
import logging
import signal
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

# A shell that runs the tests in the background makes them, and programs that they start, ignore SIGINT. Undo this.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "expects_errors(*texts): the test logs errors of wamp_transport: some with each of the texts, and no others",
    )


IS_SHORT = pytest.StashKey[bool]()
"""Set if ``pytest`` is run without paths and without ``-m``."""

MAX_CASES = 2
"""The number of cases of a parametrized test that ``pytest`` without paths runs."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Set the options of ``pytest`` if it is run without paths."""
    option = config.option
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    if not option.markexpr:
        option.markexpr = "not long"
        config.stash[IS_SHORT] = True
    is_worker = hasattr(config, "workerinput")  # a worker runs this hook too, and must not start workers
    if not is_worker and getattr(option, "numprocesses", 0) is None and not option.usepdb:
        option.numprocesses = 2
        option.dist = "loadfile"


DJANGO_FIXTURES = (
    "_django_db_marker",
    "_django_set_urlconf",
    "_django_isolate_apps",
    "_django_clear_site_cache",
    "_dj_autoclear_mailbox",
    "_template_string_if_invalid_marker",
    "_live_server_helper",
)
"""Fixtures that pytest-django adds to every test. Most tests here are shorter than these take together."""


def some_cases(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the items of a short run: without tests that empty all tables, and with MAX_CASES cases of each test."""
    tests: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker is None or not marker.kwargs.get("transaction"):
            tests[item.nodeid.partition("[")[0]].append(item)
    return [case for cases in tests.values() for case in spread(cases, MAX_CASES)]


def spread(cases: list[pytest.Item], limit: int) -> list[pytest.Item]:
    """Return at most ``limit`` of the cases, among them the first and the last one."""
    if len(cases) <= limit:
        return cases
    return [cases[number * (len(cases) - 1) // (limit - 1)] for number in range(limit)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select the cases that run. Remove pytest-django's automatic fixtures from tests without a marker for them."""
    if IS_SHORT in config.stash:
        chosen = some_cases(items)
        config.hook.pytest_deselected(items=list(set(items) - set(chosen)))
        items[:] = chosen
    for item in items:
        if type(item) is pytest.Function and not any(map(item.get_closest_marker, ("django_db", "urls"))):
            item.fixturenames[:] = [name for name in item.fixturenames if name not in DJANGO_FIXTURES]


def pytest_collection_finish() -> None:
    """Exempt the collected tests from garbage collection, which would look at all of them again and again."""
    gc.collect()
    gc.freeze()


@dataclass
class Errors(logging.Handler):
    """A handler that collects the ERROR records of ``wamp_transport`` during a test."""

    records: list[logging.LogRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.ERROR)

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _no_hidden_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves an ERROR record of ``wamp_transport`` in the log, unless the test expects it.

    An exception while an effect runs is logged, and the next effect runs. Only the log shows such a failure.
    """
    handler, logger = Errors(), logging.getLogger("wamp_transport")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    expected = [text for marker in request.node.iter_markers("expects_errors") for text in marker.args]
    lines = [logging.Formatter().format(record) for record in handler.records]
    unexpected = [line for line in lines if not any(text in line for text in expected)]
    missing = [text for text in expected if not any(text in line for line in lines)]
    if unexpected:
        pytest.fail("the log of wamp_transport has unexpected errors:\n\n" + "\n\n".join(unexpected), pytrace=False)
    if missing:
        pytest.fail(f"expected in the log of wamp_transport, but not there: {missing}", pytrace=False)
