"""Map WebSocket options to attributes of Autobahn's protocol, and apply them to connections.

The options have the same names and ranges as in the configuration. They concern sections 5 to 7 of RFC 6455.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from ...compat.autobahn import timer_of
from ...config.configuration import PathService
from ...config.websocket import WebSocketOptions, WebSocketSection

logger = logging.getLogger(__name__)

FindService = Callable[[str, bytes, str], PathService | None]
"""A function that returns the WAMP service for a request; None if there is none.

The arguments are the key of the transport, the raw path of the request, and the root path.
"""

MAX_WHOLE_FRAME_BYTES: Final = 128 * 1024
"""Maximum size of frames that are read in one piece. Autobahn reads larger frames piece by piece."""

CLOSE_TIMEOUT_SECONDS: Final = 30.0
"""The time limit in seconds for the closing handshake, if ``close_handshake_timeout`` is not set."""

APPLIED_ONCE: Final = {
    "mask_server_frames": "maskServerFrames",
    "apply_mask": "applyMask",
    "auto_fragment_size": "autoFragmentSize",
}
"""The options that cannot change after the handshake, and the attribute of Autobahn's protocol for each of them."""

APPLIED: Final = {
    "validate_utf8": "utf8validateIncoming",
    "require_masked_client_frames": "requireMaskedClientFrames",
    "max_frame_size": "maxFramePayloadSize",
    "max_message_size": "maxMessagePayloadSize",
    "fail_by_drop": "failByDrop",
    "echo_close_codereason": "echoCloseCodeReason",
    "auto_ping_size": "autoPingSize",
    "auto_ping_restart_on_any_traffic": "autoPingRestartOnAnyTraffic",
}
"""The options that can change on open connections, and the attribute of Autobahn's protocol for each of them."""

APPLIED_SECONDS: Final = {
    "auto_ping_interval": "autoPingInterval",
    "auto_ping_timeout": "autoPingTimeout",
    "message_timeout": "message_timeout",
}
"""The times that can change on open connections, and the attribute for each of them.

The options are in milliseconds, the attributes in seconds.
"""


def options_of(service: PathService) -> WebSocketOptions:
    """Return the WebSocket options of a WAMP service."""
    assert isinstance(service.settings, WebSocketSection)  # noqa: S101 - FindService returns only WAMP services
    return service.settings.options


def is_debugged(service: PathService) -> bool:
    """Return whether a WAMP service logs its traffic."""
    assert isinstance(service.settings, WebSocketSection)  # noqa: S101 - FindService returns only WAMP services
    return service.settings.debug


def apply(protocol: Any, options: WebSocketOptions) -> None:
    """Apply all options to a connection, before its handshake is parsed."""
    for attribute, value in attributes(options).items():
        setattr(protocol, attribute, value)
    if protocol.openHandshakeTimeoutCall is not None:
        protocol.openHandshakeTimeoutCall.cancel()
        protocol.openHandshakeTimeoutCall = None
    if options.open_handshake_timeout:
        protocol.openHandshakeTimeoutCall = timer_of(protocol.factory).call_later(
            options.open_handshake_timeout / 1000, protocol.onOpenHandshakeTimeout
        )
    tune_socket(protocol.transport, options)


def apply_live(protocol: Any, options: WebSocketOptions) -> None:
    """Apply the options that can change on an open connection."""
    for attribute, value in live_attributes(options, applies_mask=protocol.applyMask).items():
        setattr(protocol, attribute, value)


def attributes(options: WebSocketOptions) -> dict[str, Any]:
    """Return the attributes that a protocol needs for ``options``, with their values."""
    return {
        **{attribute: getattr(options, option) for option, attribute in APPLIED_ONCE.items()},
        **live_attributes(options, applies_mask=options.apply_mask),
        "versions": [13] * options.enable_rfc6455 + [8] * options.enable_hybi10,
        "is_framed": not (options.mask_server_frames or options.auto_fragment_size),
        "openHandshakeTimeout": options.open_handshake_timeout / 1000,
    }


def live_attributes(options: WebSocketOptions, *, applies_mask: bool) -> dict[str, Any]:
    """Return the attributes that can change on an open connection, with their values."""
    limits = [size for size in (options.max_frame_size, options.max_message_size) if size]
    return {
        **{attribute: getattr(options, option) for option, attribute in APPLIED.items()},
        **{attribute: getattr(options, option) / 1000 for option, attribute in APPLIED_SECONDS.items()},
        "closeHandshakeTimeout": options.close_handshake_timeout / 1000 or CLOSE_TIMEOUT_SECONDS,
        "largest_short_frame": min([*limits, MAX_WHOLE_FRAME_BYTES]) if applies_mask else -1,
    }


def restart_pings(protocol: Any) -> None:
    """Schedule the next ping with the current interval, unless the reply to a ping is pending."""
    if protocol.autoPingPendingCall is not None:
        protocol.autoPingPendingCall.cancel()
        protocol.autoPingPendingCall = None
    if protocol.autoPingInterval and protocol.autoPingPending is None:
        protocol.autoPingPendingCall = timer_of(protocol.factory).call_later(
            protocol.autoPingInterval, protocol.send_ping
        )


def stop_pings(protocol: Any) -> None:
    """Stop sending pings until :func:`restart_pings` is called, and cancel the timeout of a pending ping."""
    if protocol.autoPingPendingCall is not None:
        protocol.autoPingPendingCall.cancel()
        protocol.autoPingPendingCall = None
    if protocol.autoPingTimeoutCall is not None:
        protocol.autoPingTimeoutCall.cancel()
        protocol.autoPingTimeoutCall = None
    protocol.autoPingPending = None


def tune_socket(transport: Any, options: WebSocketOptions) -> None:
    """Set the options of a TCP socket: TCP_NODELAY and keep-alive.

    Without pings, only keep-alive detects a peer that has silently disconnected.
    """
    if not (hasattr(transport, "socket") and hasattr(transport, "setTcpNoDelay")):
        return
    try:
        transport.setTcpNoDelay(options.tcp_nodelay)
        transport.setTcpKeepAlive(True)
    except OSError:
        logger.debug("The socket does not support TCP_NODELAY and keep-alive")
