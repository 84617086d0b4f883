"""The server: what it passes to Daphne, and what it tells of Twisted."""

import logging
from typing import Any

import pytest
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from twisted.python.failure import Failure

from wamp_transport.transports.daphne.server import WampServer, report_bugs


def test_exception_in_a_callback_of_twisted_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = Logger(observer=report_bugs)
    log.info("nothing")
    log.critical("no exception")
    with caplog.at_level(logging.ERROR):
        for error in (ZeroDivisionError("ours"), ReactorNotRunning("stopping already")):
            log.failure("while testing", Failure(error))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


async def _nothing(*_: Any) -> None: ...


def test_server_passes_its_options_to_daphne() -> None:
    server = WampServer(None, lambda key, path: None, _nothing, _nothing, root_path="/x")
    assert (server.root_path, server.server_name, server.endpoints) == ("/x", "", [])
