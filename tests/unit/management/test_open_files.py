import subprocess
import sys
from pathlib import Path

import pytest

from wamp_transport.management.open_files import MAX_OPEN_FILES

SCRIPT = """
import resource, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (300, int(sys.argv[1])))
from wamp_transport.management.open_files import raise_open_file_limit
raise_open_file_limit()
files = open("/proc/self/status").read().split("FDSize:")[1].split()[0]
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], files)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells how much room there is")
@pytest.mark.parametrize("most", [300, 1000, 4096])
def test_as_many_as_allowed_and_room_for_all(most: int) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(most)], check=True, capture_output=True, text=True)
    limit, room = map(int, done.stdout.split())
    assert limit == most <= room <= 2 * max(most, 256)


def test_room_is_bounded() -> None:
    assert MAX_OPEN_FILES * 8 <= 2**20  # bytes of the system's memory, whether it is used or not
