"""The access log, and a function that makes a log visible even if logging is not configured for it."""

import logging
from typing import Any, Final

ACCESS: Final = logging.getLogger("wamp_transport.access")


def visible(logger: logging.Logger) -> logging.Logger:
    """Return the logger, made to show INFO and above. Without other handlers it writes to standard error."""
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
    return logger


def log_access(client: Any, method: bytes, target: bytes, status: int, size: int, seconds: float) -> None:
    """Log a request or a WebSocket handshake on one line.

    ``client`` is as in ASGI, ``size`` is the size of the body in octets, and ``seconds`` is the time until the answer.
    The query of ``target`` is left out, because it may contain secrets.
    """
    host = client[0] if client else "unix"
    path = ascii(target.partition(b"?")[0].decode("latin-1"))[1:-1]
    ACCESS.info('%s "%s %s" %d %d %.3f', host, method.decode("latin-1"), path, status, size, seconds)
