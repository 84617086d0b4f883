from datetime import UTC, datetime

import pytest

from wamp_transport.router.environment import rfc3339


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), "2026-01-02T03:04:05.678Z"),
    ],
)
def test_time_is_written_in_utc_with_milliseconds(time, text):
    assert rfc3339(time) == text


def test_timestamp_is_the_time_of_day(world):
    world.now = 61.5
    assert world.environment.timestamp() == "2026-01-01T00:01:01.500Z"
