"""A user's type checker accepts the public API: Pyright in strict mode. Mypy checks the API with the product."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.long, pytest.mark.full]
SAMPLES = ROOT / "tests" / "user_typing"


def checked(directory: Path) -> list[str]:
    """Return Pyright's messages on a directory that contains a configuration of Pyright."""
    # The wheel of basedpyright contains Pyright and Node.js, so nothing is downloaded. "strict" is a mode of Pyright.
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    result = subprocess.run(
        [*command, "--project", str(directory)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode in (0, 1), result.stdout + result.stderr
    told = json.loads(result.stdout)
    assert told["summary"]["filesAnalyzed"] == len(list(directory.glob("*.py")))
    return [
        f"{one['file']}:{one['range']['start']['line'] + 1}: {one['message']}" for one in told["generalDiagnostics"]
    ]


def test_samples_are_free_of_faults() -> None:
    assert checked(SAMPLES) == []


def test_fault_is_found(tmp_path: Path) -> None:
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    (tmp_path / "wrong.py").write_text("from wamp_transport import api\n\napi.call(5)\n")
    (fault,) = checked(tmp_path)
    assert "wrong.py:3" in fault
    assert '"str"' in fault
