"""The tests of the core run without Django, Twisted and Daphne, and load none of them."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]

CORE = ("unit/wamp", "unit/router", "unit/serializers", "unit/config", "unit/auth", "protocol")
FRAMEWORKS = ("django", "channels", "daphne", "twisted", "autobahn", "asgiref")

PROGRAM = f"""
import contextlib, importlib, pathlib, sys
import pytest

status = pytest.main(["-q", "-p", "no:django", "-p", "no:xdist", "-p", "no:cacheprovider", *sys.argv[1:]])
ran = [name for name in {FRAMEWORKS!r} if name in sys.modules]
for directory in {CORE!r}:
    for path in sorted(pathlib.Path("tests", directory).rglob("*.py")):
        with contextlib.suppress(pytest.skip.Exception):
            importlib.import_module(".".join(path.with_suffix("").parts))
imported = [name for name in {FRAMEWORKS!r} if name in sys.modules]
print("status:", int(status), "loaded by tests:", ran, "by all modules:", imported)
"""


def test_core_is_tested_without_frameworks() -> None:
    files = ["tests/unit/wamp", "tests/unit/router/test_session.py", "tests/protocol/test_sessions.py"]
    command = [sys.executable, "-c", PROGRAM, *files]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "status: 0 loaded by tests: [] by all modules: []\n" in result.stdout, result.stdout[-2000:] + result.stderr
