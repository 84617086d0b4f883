"""The access log, and a function that makes the messages of a logger visible even without logging configuration."""

import logging
from typing import Any, Final

ACCESS: Final = logging.getLogger("wamp_transport.access")


def visible(logger: logging.Logger) -> logging.Logger:
    """Set the level of a logger to INFO, unless it has a level. If it has no handlers, add one for standard error.

    Return the logger.
    """
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
    return logger


def log_access(client: Any, method: bytes, target: bytes, status: int, size: int, seconds: float) -> None:
    """Log a request or a WebSocket handshake on one line.

    ``client`` is the value from the ASGI scope, ``size`` is the size of the response's body in octets, and ``seconds``
    is the time until the response. The query of the request ``target`` is left out, because it can contain secrets.
    """
    host = client[0] if client else "unix"
    path = ascii(target.partition(b"?")[0].decode("latin-1"))[1:-1]
    ACCESS.info('%s "%s %s" %d %d %.3f', host, method.decode("latin-1"), path, status, size, seconds)
