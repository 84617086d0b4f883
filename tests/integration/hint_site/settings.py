"""The project's settings, with a channel layer: ``HINT_LAYER`` is its class, ``HINT_REDIS`` the address of its host."""

import os

from wampnode.settings import *  # noqa: F403

CHANNEL_LAYERS = {"default": {"BACKEND": os.environ["HINT_LAYER"], "CONFIG": {"hosts": [os.environ["HINT_REDIS"]]}}}
