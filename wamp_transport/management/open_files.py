"""The limit of open files, which also limits the number of connections."""

import logging
import os
from contextlib import suppress
from typing import Final

logger = logging.getLogger(__name__)

MAX_OPEN_FILES: Final = 65_536
"""The maximum size of the enlarged file table, in entries. This takes half a megabyte of kernel memory."""


def raise_open_file_limit() -> None:
    """Raise the soft limit of open files to the hard limit, and enlarge the process's file table in the kernel.

    The usual soft limit is 1,024, although the hard limit is much higher. The kernel doubles the file table of a
    process when 256, 512, 1,024, ... files are open. In a process with several threads, each doubling causes a pause
    of about 10 ms. Therefore, call this function before threads are started. On systems without such limits, it does
    nothing.
    """
    try:
        import fcntl  # noqa: PLC0415 - missing on some systems
        import resource  # noqa: PLC0415
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            logger.debug("The limit of open files cannot be raised; it stays at %s", soft)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_OPEN_FILES if soft == resource.RLIM_INFINITY else min(soft, MAX_OPEN_FILES)
    with open(os.devnull) as standing, suppress(OSError):  # optional: a failure only means a pause later
        os.close(fcntl.fcntl(standing, fcntl.F_DUPFD_CLOEXEC, most - 1))
