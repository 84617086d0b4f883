"""The import contracts are kept, and the core can be imported without any framework."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

BLOCKED = ("django", "channels", "daphne", "twisted", "autobahn", "asgiref", "redis", "asyncio")

CORE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError("the core imports " + name)

for name in list(sys.modules):
    if name.partition(".")[0] in {blocked!r}:
        del sys.modules[name]
sys.meta_path.insert(0, Blocked())
import wamp_transport.router.router, wamp_transport.serializers.json, wamp_transport.serializers.msgpack
import wamp_transport.wamp.messages, wamp_transport.config.reader, wamp_transport.auth
print("imported")
"""


def test_import_contracts_are_kept() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def test_core_imports_without_frameworks() -> None:
    program = CORE.format(blocked=BLOCKED)
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == "imported\n", result.stderr
