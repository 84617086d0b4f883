"""A test fails if it leaves an unexpected error of wamp_transport in the log."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SAMPLES = """
import logging
import pytest

logger = logging.getLogger("wamp_transport.node")

def test_unexpected():
    logger.error("effect %d failed", 1)

def test_with_traceback():
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logger.exception("effect failed")

@pytest.mark.expects_errors("effect 1", "effect 2")
def test_missing():
    logger.error("effect %d failed", 1)

@pytest.mark.expects_errors("effect 1")
def test_expected():
    logger.error("effect %d failed", 1)
    logger.warning("a warning is no error")
"""


def test_errors_fail_tests_that_do_not_expect_them(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_samples.py").write_text(SAMPLES)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:django",
        "--strict-markers",
        ".",
    ]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "4 passed, 3 errors" in result.stdout, result.stdout + result.stderr
    assert "unexpected errors:\n\neffect 1 failed\n" in result.stdout
    assert "ZeroDivisionError" in result.stdout
    assert "but not there: ['effect 2']" in result.stdout
