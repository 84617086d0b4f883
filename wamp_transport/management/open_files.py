"""Raise the limit of open files, which also limits the number of connections."""

import logging
import os
from contextlib import suppress
from typing import Final

logger = logging.getLogger(__name__)

MAX_OPEN_FILES: Final = 65_536
"""Size to which the kernel's file table is grown at the start. It takes half a megabyte of kernel memory."""


def raise_open_file_limit() -> None:
    """Raise the soft limit of open files to the hard limit, and grow the kernel's file table now.

    The usual soft limit is 1,024, although the hard limit is much higher. The kernel doubles the file table of a
    process when 256, 512, 1,024, ... files are open, and pauses a process with several threads for some 10 ms each
    time. Call this before threads are started. Does nothing on systems without such limits.
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
    with open(os.devnull) as standing, suppress(OSError):  # only a pause is avoided
        os.close(fcntl.fcntl(standing, fcntl.F_DUPFD_CLOEXEC, most - 1))
