"""Which attribute of Autobahn's protocol carries out which WebSocket option, and when it is set.

Sections of RFC 6455: 5 to 7; the names and ranges of the options are those of the configuration.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from ...compat.autobahn import timer_of
from ...config.configuration import PathService
from ...config.websocket import WebSocketOptions, WebSocketSection

logger = logging.getLogger(__name__)

FindService = Callable[[str, bytes], PathService | None]
"""Transport key and raw request path to the WAMP service there, if any."""

MAX_WHOLE_FRAME_BYTES: Final = 128 * 1024
"""Frames up to this size wait until they are whole; Autobahn reads larger ones piece by piece."""

CLOSE_TIMEOUT_SECONDS: Final = 30.0
"""Seconds that a peer has to take part in a close, where no option says less."""

APPLIED_ONCE: Final = {
    "mask_server_frames": "maskServerFrames",
    "apply_mask": "applyMask",
    "auto_fragment_size": "autoFragmentSize",
}
"""Option to the attribute of Autobahn's protocol that carries it out, settled with the handshake."""

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
"""The same for options that reach open connections as well when they change."""

APPLIED_SECONDS: Final = {
    "auto_ping_interval": "autoPingInterval",
    "auto_ping_timeout": "autoPingTimeout",
    "message_timeout": "message_timeout",
}
"""The same for times, milliseconds in the option and seconds in the attribute."""


def options_of(service: PathService) -> WebSocketOptions:
    """The options of a WAMP service."""
    assert isinstance(service.settings, WebSocketSection)  # noqa: S101 - FindService finds no others
    return service.settings.options


def is_debugged(service: PathService) -> bool:
    """Whether a WAMP service tells of its traffic."""
    assert isinstance(service.settings, WebSocketSection)  # noqa: S101 - FindService finds no others
    return service.settings.debug


def apply(protocol: Any, options: WebSocketOptions) -> None:
    """Set all options of a connection whose handshake is about to be looked at."""
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
    """Set what may change on an open connection."""
    for attribute, value in live_attributes(options, applies_mask=protocol.applyMask).items():
        setattr(protocol, attribute, value)


def attributes(options: WebSocketOptions) -> dict[str, Any]:
    """All attributes of a protocol that options decide, with their values."""
    return {
        **{attribute: getattr(options, option) for option, attribute in APPLIED_ONCE.items()},
        **live_attributes(options, applies_mask=options.apply_mask),
        "versions": [13] * options.enable_rfc6455 + [8] * options.enable_hybi10,
        "is_framed": not (options.mask_server_frames or options.auto_fragment_size),
        "openHandshakeTimeout": options.open_handshake_timeout / 1000,
    }


def live_attributes(options: WebSocketOptions, *, applies_mask: bool) -> dict[str, Any]:
    """Those of them that may change on an open connection."""
    limits = [size for size in (options.max_frame_size, options.max_message_size) if size]
    return {
        **{attribute: getattr(options, option) for option, attribute in APPLIED.items()},
        **{attribute: getattr(options, option) / 1000 for option, attribute in APPLIED_SECONDS.items()},
        "closeHandshakeTimeout": options.close_handshake_timeout / 1000 or CLOSE_TIMEOUT_SECONDS,
        "largest_short_frame": min([*limits, MAX_WHOLE_FRAME_BYTES]) if applies_mask else -1,
    }


def restart_pings(protocol: Any) -> None:
    """Let pings go by the interval as it is now; one on its way is waited for first."""
    if protocol.autoPingPendingCall is not None:
        protocol.autoPingPendingCall.cancel()
        protocol.autoPingPendingCall = None
    if protocol.autoPingInterval and protocol.autoPingPending is None:
        protocol.autoPingPendingCall = timer_of(protocol.factory).call_later(
            protocol.autoPingInterval, protocol.send_ping
        )


def stop_pings(protocol: Any) -> None:
    """No pings until :func:`restart_pings`; the answer to one on its way is not waited for."""
    if protocol.autoPingPendingCall is not None:
        protocol.autoPingPendingCall.cancel()
        protocol.autoPingPendingCall = None
    if protocol.autoPingTimeoutCall is not None:
        protocol.autoPingTimeoutCall.cancel()
        protocol.autoPingTimeoutCall = None
    protocol.autoPingPending = None


def tune_socket(transport: Any, options: WebSocketOptions) -> None:
    """Without pings, keep-alive is what finds out in the end that a peer has vanished."""
    if not (hasattr(transport, "socket") and hasattr(transport, "setTcpNoDelay")):
        return
    try:
        transport.setTcpNoDelay(options.tcp_nodelay)
        transport.setTcpKeepAlive(True)
    except OSError:
        logger.debug("This kind of socket has no such options")
