"""The access log is one line each, without secrets; what an option turns on is seen."""

import logging
from typing import Any

import pytest

from wamp_transport.transports.logs import ACCESS, log_access, visible


@pytest.mark.parametrize(
    ("client", "target", "line"),
    [
        (["1.2.3.4", 5], b"/a?secret", '1.2.3.4 "GET /a" 101 0 0.250'),
        (None, b"/\x1b\n\xe4", 'unix "GET /\\x1b\\n\\xe4" 101 0 0.250'),
    ],
)
def test_line_holds_no_query_and_no_control_character(
    client: Any, target: bytes, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, ACCESS.name):
        log_access(client, b"GET", target, 101, 0, 0.25)
    assert [record.getMessage() for record in caplog.records] == [line]


def test_logger_that_nobody_set_up_is_seen() -> None:
    logger = logging.Logger("alone")
    assert visible(logger) is logger
    assert (logger.level, len(logger.handlers)) == (logging.INFO, 1)
    visible(logger)
    assert len(logger.handlers) == 1


def test_logger_that_is_set_up_stays_as_it_is() -> None:
    logger = logging.Logger("set up", logging.ERROR)
    handler = logging.NullHandler()
    logger.addHandler(handler)
    visible(logger)
    assert (logger.level, logger.handlers) == (logging.ERROR, [handler])
