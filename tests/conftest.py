"""Settings and fixtures for all tests. This file does not import Django, because the core's tests run without it.

``pytest`` without paths skips the tests marked ``long`` and uses two workers. With paths on the command line, all tests
in them run, in one process.
"""

import logging
import signal
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


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Set the options of ``pytest`` if it is run without paths."""
    option = config.option
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    if not option.markexpr:
        option.markexpr = "not long"
    is_worker = hasattr(config, "workerinput")  # a worker runs this hook too, and must not start workers
    if not is_worker and getattr(option, "numprocesses", 0) is None and not option.usepdb:
        option.numprocesses = 2
        option.dist = "loadfile"


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
