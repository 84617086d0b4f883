"""How many connections a process may hold: as many files as the system lets it open, with room for them at once."""

import logging
import os
from contextlib import suppress
from typing import Final

logger = logging.getLogger(__name__)

ROOM: Final = 65_536
"""Files that there is room for at once: half a megabyte of the system's memory. Beyond that it grows with them."""


def raise_open_file_limit() -> None:
    """Let this process have as many files open as it may at most, and the system make room for them now.

    Where a service manager sets no limit, 1,024 is the usual one, though many more are allowed. And the system doubles
    its table as files are opened, at 256, 512, 1,024 and so on: a process with several threads stands still for some
    10 ms each time. To be called before there are threads. Does nothing on systems without such limits.
    """
    try:
        import fcntl  # noqa: PLC0415 - not there on all systems
        import resource  # noqa: PLC0415
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            logger.debug("The limit of open files stays at %s", soft)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ROOM if soft == resource.RLIM_INFINITY else min(soft, ROOM)
    with open(os.devnull) as standing, suppress(OSError):  # nothing depends on it
        os.close(fcntl.fcntl(standing, fcntl.F_DUPFD_CLOEXEC, most - 1))
