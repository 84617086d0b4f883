"""A signal for committed changes in the database that nodes must apply.

Nodes poll the database for these changes. The signal makes it possible to poll earlier.
"""

from functools import partial
from typing import Final

from django.db import transaction
from django.dispatch import Signal

CONFIGURATION: Final = "configuration"
"""The ``kind`` for changes of the stored configuration."""

IDENTITY: Final = "identity"
"""The ``kind`` for changes of users, groups, roles or principals."""

KINDS: Final = (CONFIGURATION, IDENTITY)

change_committed = Signal()
"""Sent after a change has been committed, in the thread that made the change. The argument ``kind`` is one of KINDS.

Receivers must not block. If a receiver raises an exception, it is logged, and the other receivers are called.
"""


def announce(kind: str, using: str) -> None:
    """Send :data:`change_committed` after the commit of the open transaction in ``using``, or now if none is open."""
    transaction.on_commit(partial(change_committed.send_robust, sender=None, kind=kind), using=using, robust=True)
