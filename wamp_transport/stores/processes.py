"""Check whether a process exists on this host."""

import os
from contextlib import suppress
from pathlib import Path


def process_exists(pid: int) -> bool:
    """Return whether a process runs on this host. Return True on systems where this cannot be checked safely."""
    if os.name != "posix":  # elsewhere, os.kill() ends the process
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # a process of another user
        return True
    return not _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """Return whether the process has ended, but still exists because its parent has not waited for it.

    This can be determined only on Linux. On other systems, return False.
    """
    with suppress(OSError, IndexError):
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        return state in (b"Z", b"X")
    return False
