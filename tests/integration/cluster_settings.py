"""The settings of the demo project with a short lease, so that tests need not wait for long."""

import os

from wampnode.settings import *  # noqa: F403
from wampnode.settings import WAMP_TRANSPORT

WAMP_TRANSPORT["CLUSTER"]["LEASE"] = float(os.environ["WAMPNODE_LEASE"])  # type: ignore[assignment]
