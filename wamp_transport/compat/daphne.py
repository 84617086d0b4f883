"""Undocumented members of Daphne: its server and its protocols. Daphne documents only its command line.

Importing this module installs Daphne's reactor.
"""

from typing import Final

from .autobahn import AutobahnMembers
from .requirements import Members
from .versions import DAPHNE

MEMBERS: Final = (
    Members(
        "daphne.server",
        "Server",
        called={"run": "", "listen_success": "port", "stop": "", "log_action": "protocol action details"},
        overridden={
            "application_checker": "",
            "create_application": "protocol scope",
            "handle_reply": "protocol message",
            "kill_all_applications": "",
            "protocol_disconnected": "protocol",
            "stop": "",
            "timeout_checker": "",
        },
        instance="abort_start application_close_timeout connections endpoints ready_callable root_path ws_factory",
    ),
    Members("daphne.http_protocol", "HTTPFactory", overridden={"__init__": "server", "buildProtocol": "addr"}),
    Members(
        "daphne.http_protocol",
        "WebRequest",
        called={"duration": ""},
        overridden={"connectionLost": "reason", "finish": "", "handle_reply": "message", "process": ""},
        instance="client_addr server",
    ),
    Members(
        "daphne.ws_protocol",
        "WebSocketProtocol",
        called={"applicationCreateWorked": "application_queue", "serverSend": "content binary"},
        overridden={
            "check_timeouts": "",
            "handle_exception": "exception",
            "handle_reply": "message",
            "onClose": "wasClean code reason",
            "onConnect": "request",
            "onMessage": "payload isBinary",
            "onOpen": "",
            "serverAccept": "subprotocol",
            "serverReject": "",
        },
        attributes={"muted": int},
        instance="application_queue client_addr handshake_deferred last_ping path request root_path server "
        "server_addr socket_opened",
    ),
    Members("daphne.management.commands.runserver", "Command", called={"log_action": "protocol action details"}),
)

DAPHNE.require(MEMBERS)

with DAPHNE.imports():
    from daphne.ws_protocol import WebSocketProtocol as DaphneProtocol


class WebSocketProtocol(AutobahnMembers, DaphneProtocol):  # type: ignore[misc]
    """Daphne's WebSocket protocol, with public names for private members of Autobahn's."""
