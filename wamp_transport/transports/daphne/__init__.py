"""Daphne, made fit: its server, its requests and its WebSocket protocol, subclassed.

``server`` listens and stops; ``requests`` are HTTP; ``handshake`` makes a WebSocket of one, with the ``options`` of its
path; ``protocol`` is the open WebSocket. Importing any of it installs Daphne's reactor.
"""

from .options import FindService
from .server import ListenError, WampServer

__all__ = ["FindService", "ListenError", "WampServer"]
