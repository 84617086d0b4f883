"""The site's ``manage.py``. It logs more, and prints the time at which each configuration was applied.

If ``POLL_SECONDS`` is set, the process looks for changes only at this interval, and when a hint arrives.
"""

import logging
import os
import sys
import time
from typing import Any

from django.core.management import execute_from_command_line

from wamp_transport.bootstrap.poll_timer import PollTimer
from wamp_transport.signals import configuration_applied

logging.basicConfig(level="INFO")
logging.getLogger("asyncio").setLevel("ERROR")

if seconds := os.environ.get("POLL_SECONDS"):
    PollTimer.interval = property(lambda self: float(seconds))


def print_time(configuration: Any, **_event: Any) -> None:
    print(f"applied {configuration.revision} at {time.time():.6f}", flush=True)


configuration_applied.connect(print_time)
execute_from_command_line(["manage.py", *sys.argv[1:]])
