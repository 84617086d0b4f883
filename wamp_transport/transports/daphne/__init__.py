"""Daphne, made fit: its server, its requests and its WebSocket protocol, subclassed.

``server`` listens and stops; ``requests`` are HTTP; ``handshake`` makes a WebSocket of one, with the ``options`` of its
path; ``protocol`` is the open WebSocket. Importing any of it installs Daphne's reactor.
"""

from ...compat.serving import require_compatible

require_compatible(with_server=True)  # before the modules whose classes are built upon what this checks

from .options import FindService  # noqa: E402
from .server import ListenError, WampServer  # noqa: E402

__all__ = ["FindService", "ListenError", "WampServer"]
