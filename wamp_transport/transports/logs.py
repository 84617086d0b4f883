"""The access log; and what makes a log visible that an option turned on, whether or not logging is set up for it."""

import logging
from typing import Any, Final

ACCESS: Final = logging.getLogger("wamp_transport.access")


def visible(logger: logging.Logger) -> logging.Logger:
    """The same logger; it shows INFO and above on standard error where nothing else is set up for it."""
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
    return logger


def log_access(client: Any, method: bytes, target: bytes, status: int, size: int, seconds: float) -> None:
    """One line for a request or a WebSocket handshake: ``client`` as in ASGI, octets of the body, time to the answer.

    The query of ``target`` is left out: it may hold what is nobody's business.
    """
    host = client[0] if client else "unix"
    path = ascii(target.partition(b"?")[0].decode("latin-1"))[1:-1]
    ACCESS.info('%s "%s %s" %d %d %.3f', host, method.decode("latin-1"), path, status, size, seconds)
