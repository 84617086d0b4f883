"""A signal for committed changes that nodes must apply.

The nodes find such changes in the database. The signal only lets them look earlier.
"""

from functools import partial
from typing import Final

from django.db import transaction
from django.dispatch import Signal

CONFIGURATION: Final = "configuration"
"""The kind of a change of the stored configuration."""

IDENTITY: Final = "identity"
"""The kind of a change of users, groups, roles or principals."""

KINDS: Final = (CONFIGURATION, IDENTITY)

change_committed = Signal()
"""Sent after a change was committed, in the thread that made it. The argument ``kind`` is one of the constants above.

Receivers must not block, and exceptions that they raise are only logged.
"""


def announce(kind: str, using: str) -> None:
    """Send :data:`change_committed` when the transaction in the database ``using`` commits, or now if none is open."""
    transaction.on_commit(partial(change_committed.send_robust, sender=None, kind=kind), using=using, robust=True)
