"""This product's server: subclasses of Daphne's server, requests and WebSocket protocol.

The module ``server`` opens and closes sockets, ``requests`` handles HTTP, ``handshake`` upgrades a request to a
WebSocket with the ``options`` of its path, and ``protocol`` handles the open WebSocket. Importing any module of this
package installs Daphne's reactor.
"""

from ...compat.serving import require_compatible

require_compatible(with_server=True)  # before the imports below, which rely on these checks

from .options import FindService  # noqa: E402
from .server import ListenError, WampServer  # noqa: E402

__all__ = ["FindService", "ListenError", "WampServer"]
