"""This product's server: subclasses of Daphne's server, requests and WebSocket protocol.

``server`` opens and closes sockets, ``requests`` handles HTTP, ``handshake`` turns a request into a WebSocket with the
``options`` of its path, and ``protocol`` is the open WebSocket. Importing any module here installs Daphne's reactor.
"""

from ...compat.serving import require_compatible

require_compatible(with_server=True)  # before the imports below, which rely on what this checks

from .options import FindService  # noqa: E402
from .server import ListenError, WampServer  # noqa: E402

__all__ = ["FindService", "ListenError", "WampServer"]
