"""Losses are logged at most once a minute, and all of them in the end."""

import pytest

from wamp_transport.node.loss_reports import LOSS_REPORT_SECONDS, LossReports
from wamp_transport.testing.loop import MemoryLoop


@pytest.fixture
def clock():
    loop = MemoryLoop()
    yield loop
    loop.close()


def test_losses_within_a_minute_are_one_record(clock, caplog):
    reports = LossReports(clock, lambda: "totals")
    reports.report("first")
    assert "first (since the start: totals)" in caplog.text
    for text in ("second", "third"):
        reports.report(text)
    assert len(caplog.records) == 1
    clock.advance(LOSS_REPORT_SECONDS)
    assert [record.getMessage().split()[0] for record in caplog.records] == ["first", "third"]
    clock.advance(2 * LOSS_REPORT_SECONDS)
    reports.report("fourth")
    assert len(caplog.records) == 3


def test_loss_that_was_not_logged_is_logged_at_the_end(clock, caplog):
    reports = LossReports(clock, lambda: "totals")
    reports.close()
    assert not caplog.records
    reports.report("first")
    reports.report("second")
    reports.close()
    assert [record.getMessage().split()[0] for record in caplog.records] == ["first", "second"]
    clock.advance(2 * LOSS_REPORT_SECONDS)
    assert len(caplog.records) == 2
