"""The effort of property tests: the environment variable TEST_EFFORT multiplies the number of their examples.

The default is 1. ``make test`` and ``make test-long`` use more.
"""

import os

EFFORT = float(os.environ.get("TEST_EFFORT") or 1)


def examples(count: int) -> int:
    """Return the number of examples for a test that tries ``count`` by default."""
    return max(1, round(count * EFFORT))
