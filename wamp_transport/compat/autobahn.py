"""Undocumented members of Autobahn's WebSocket protocol: its parser, its timers and its state."""

from operator import attrgetter
from typing import Any, Final

from .requirements import Members
from .versions import AUTOBAHN

MEMBERS: Final = (
    Members(
        "autobahn.websocket.protocol",
        "WebSocketProtocol",
        called={
            "processData": "",
            "onOpenHandshakeTimeout": "",
            "_cancelAutoPingTimeoutCall": "",
            "_connectionMade": "",
            "_invalid_payload": "reason",
            "_max_message_size_exceeded": "msg_size max_msg_size reason",
            "_sendAutoPing": "",
        },
        overridden={
            "__init__": "",
            "consumeData": "",
            "dropConnection": "abort",
            "onCloseFrame": "code reasonRaw",
            "onFrameData": "payload",
            "onMessageFrame": "payload",
            "onMessageFrameBegin": "length",
            "sendCloseFrame": "code reasonUtf8 isReply",
            "sendData": "data sync chopsize",
        },
        attributes={
            "STATE_CLOSED": int,
            "STATE_CLOSING": int,
            "STATE_CONNECTING": int,
            "STATE_OPEN": int,
        },
        instance="_isMessageCompressed _perMessageCompress applyMask autoFragmentSize autoPingInterval autoPingPending "
        "autoPingPendingCall autoPingRestartOnAnyTraffic autoPingSize autoPingTimeout autoPingTimeoutCall "
        "closeHandshakeTimeout closeHandshakeTimeoutCall current_frame data echoCloseCodeReason failByDrop "
        "inside_message maskServerFrames maxFramePayloadSize maxMessagePayloadSize openHandshakeTimeout "
        "openHandshakeTimeoutCall requireMaskedClientFrames state utf8validateIncoming "
        "wasMaxMessagePayloadSizeExceeded wasNotCleanReason websocket_version",
    ),
    Members(
        "autobahn.websocket.protocol",
        "WebSocketServerProtocol",
        called={"failHandshake": "reason code"},
        overridden={"processHandshake": "", "sendHttpErrorResponse": "code reason responseHeaders"},
        attributes={"CONFIG_ATTRS": list},
        instance="versions websocket_extensions websocket_extensions_in_use websocket_protocol_in_use "
        "websocket_protocols websocket_version",
    ),
    Members(
        "autobahn.twisted.websocket",
        "WebSocketServerProtocol",
        overridden={"dataReceived": "data", "connectionLost": "reason"},
        instance="is_closed peer",
    ),
    Members("autobahn.websocket.protocol", "WebSocketServerFactory", instance="_batched_timer countConnections"),
    Members("autobahn.websocket.types", "ConnectionDeny", called={"__init__": "code reason"}),
)

AUTOBAHN.require(MEMBERS)

with AUTOBAHN.imports():
    from autobahn.websocket.protocol import WebSocketProtocol


class AutobahnMembers:
    """A mix-in that gives public names to private members of Autobahn's protocol.

    The methods are aliases, so they are as fast as the originals.
    """

    cancel_ping_timeout: Any = WebSocketProtocol._cancelAutoPingTimeoutCall
    """Cancel the timeout of a ping, because data from the peer is accepted as a reply, and schedule the next ping."""

    fail_with_invalid_payload: Any = WebSocketProtocol._invalid_payload
    """Close the connection, because a payload is invalid. The argument is the reason."""

    fail_with_large_message: Any = WebSocketProtocol._max_message_size_exceeded
    """Close the connection, because a message is too large. The arguments are its size, the limit and the reason."""

    send_ping: Any = WebSocketProtocol._sendAutoPing
    """Send a ping now, and start its timeout."""

    is_message_compressed = property(attrgetter("_isMessageCompressed"))
    """Whether the message that Autobahn is reading is compressed."""

    compression: Any = None
    """The agreed compression; None if messages are not compressed. Set it with :meth:`use_compression`."""

    def use_compression(self, compression: Any) -> None:
        """Use ``compression`` for messages that Autobahn's parser reads."""
        self.compression = self._perMessageCompress = compression


set_initial_state: Final[Any] = WebSocketProtocol._connectionMade
"""Set the attributes that a protocol needs when its connection begins."""


def timer_of(factory: Any) -> Any:
    """Return the timer for the timeouts of the connections that ``factory`` creates. It has a method ``call_later``."""
    return factory._batched_timer


def use_timer(factory: Any, timer: Any) -> None:
    """Set the timer for the timeouts of the connections that ``factory`` creates."""
    factory._batched_timer = timer
