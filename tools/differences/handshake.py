"""HTTP and WebSocket: opening handshake, frames, closing handshake."""

import base64
import os

from tests.integration.wire import CLOSE, CONTINUATION, TEXT, frame

from .scenario import scenario
from .stage import Stage, told

HANDSHAKE = "RFC 6455, 4.2"
DEFLATE = "RFC 7692, 7 and 7.1"
TRANSPORT = 'Basic Profile, "Transports": WebSocket'


def asked(
    name: str,
    section: str,
    demands: str,
    keeps: str | tuple[str, ...],
    path: str,
    *headers: str,
    means: str = "",
    subprotocol: str | None = "wamp.2.json",
) -> None:
    """Add a scenario of a handshake. It observes the status of the response."""

    def steps(stage: Stage) -> str:
        return stage.upgrade(path, *headers, subprotocol=subprotocol)

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


ORIGIN = "RFC 6455, 10.2"
FORBIDDEN = "An origin that is not acceptable is refused with a status such as 403."
STATUS = "Refused origins receive 403 instead of 400."
asked(
    "An origin that is not allowed", ORIGIN, FORBIDDEN, "403", "/origins", "Origin: https://elsewhere.org", means=STATUS
)
asked(
    "An allowed origin",
    ORIGIN,
    "The connection is accepted.",
    "101",
    "/origins",
    "Origin: https://example.com",
    means="A pattern without a port means the default port of the scheme. Patterns written for Crossbar still work.",
)
asked(
    "An allowed origin with its port",
    ORIGIN,
    "The connection is accepted.",
    "101",
    "/origins",
    "Origin: https://example.com:443",
    means="A pattern without a port means the default port of the scheme.",
)
asked(
    "An allowed origin that is configured in capitals",
    ORIGIN,
    "Scheme and host are not case-sensitive.",
    "101",
    "/origins",
    "Origin: https://loud.org",
    means="Patterns are not case-sensitive.",
)
asked("The origin null, not allowed", ORIGIN, FORBIDDEN, "403", "/origins", "Origin: null", means=STATUS)
asked("No origin", ORIGIN, "Clients other than browsers need no origin.", "101", "/origins")
asked(
    "A malformed origin",
    ORIGIN,
    FORBIDDEN,
    ("403", "400"),
    "/ws",
    "Origin: foo",
    means="The origin is compared with the patterns like any other text.",
)
asked(
    "An unknown subprotocol",
    TRANSPORT,
    "WAMP needs a common subprotocol. How the handshake fails is not specified.",
    "",
    "/ws",
    subprotocol="soap",
    means="Only the status differs.",
)
asked(
    "No subprotocol",
    TRANSPORT,
    "WAMP needs a common subprotocol. How the handshake fails is not specified.",
    "",
    "/ws",
    subprotocol=None,
    means="`require_websocket_subprotocol: false` accepts such clients and uses JSON.",
)
asked(
    "The same subprotocol twice",
    "RFC 6455, 4.1",
    "The elements of the list must be unique.",
    "400",
    "/ws",
    subprotocol="wamp.2.json, wamp.2.json",
)
asked("A path below the service's path", TRANSPORT, "Not specified.", "", "/ws/below/it")
asked("A path that only begins with the service's path", TRANSPORT, "Not specified.", "", "/wsx")
asked(
    "A service's path, percent-encoded",
    "RFC 3986, 6.2.2.2",
    "Percent-encoded letters are equivalent to the letters.",
    "101",
    "/%77s",
)
asked("A query", TRANSPORT, "The query belongs to the application.", "101", "/ws?token=1")
OFFER = "Sec-WebSocket-Extensions: permessage-deflate"
DECLINES = "An offer with an unknown or invalid parameter is declined; the connection is accepted."
asked(
    "Deflate with an unknown parameter",
    DEFLATE,
    DECLINES,
    "101",
    "/deflate",
    f"{OFFER}; colour=red",
    means="Clients with newer extensions can connect, without compression.",
)
asked(
    "Deflate with a window of 8 bits",
    DEFLATE,
    "server_max_window_bits may be 8 to 15.",
    "101",
    "/deflate",
    f"{OFFER}; server_max_window_bits=8",
    means="Such clients can connect.",
)
asked(
    "Deflate with a window of 99 bits",
    DEFLATE,
    DECLINES,
    "101",
    "/deflate",
    f"{OFFER}; server_max_window_bits=99",
    means="Such clients can connect, without compression.",
)
asked(
    "A client that asks for no context takeover, with no_context_takeover false",
    DEFLATE,
    "The server accepts the offered parameter or declines the offer.",
    "101",
    "/taking",
    f"{OFFER}; server_no_context_takeover",
    means="The handshake is completed.",
)
asked(
    "A window smaller than max_window_bits",
    DEFLATE,
    "The server accepts the offered parameter or declines the offer.",
    "101",
    "/narrow",
    f"{OFFER}; server_max_window_bits=10",
    means="The handshake is completed.",
)
asked(
    "An unknown extension",
    HANDSHAKE,
    "The extension is not used.",
    "101",
    "/ws",
    "Sec-WebSocket-Extensions: x-magic",
)


@scenario(
    "Two header lines of subprotocols",
    "RFC 6455, 11.3.4",
    "Several Sec-WebSocket-Protocol lines are one list.",
    keeps="101 wamp.2.msgpack",
    means="The list may be sent in one header line or in several.",
)
def two_lines(stage: Stage) -> str:
    head = stage.head("/ws", "Sec-WebSocket-Protocol: wamp.2.msgpack", subprotocol="soap")
    chosen = [
        line.partition(":")[2].strip()
        for line in head.split("\r\n")
        if line.lower().startswith("sec-websocket-protocol")
    ]
    return " ".join([head.split(" ")[1], *chosen])


@scenario("Two subprotocols", "RFC 6455, 4.1", "The client's order is its preference.", keeps="wamp.2.msgpack")
def preference(stage: Stage) -> str:
    head = stage.head("/ws", subprotocol="soap, wamp.2.msgpack, wamp.2.json")
    return next(
        (line.split()[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-protocol")), "none"
    )


KEY = base64.b64encode(os.urandom(16)).decode()


def request(
    name: str,
    demands: str,
    keeps: str | tuple[str, ...],
    means: str = "",
    *,
    line: str = "GET /ws HTTP/1.1",
    without: str = "",
    section: str = HANDSHAKE,
    more: str = "",
    **headers: str,
) -> None:
    """Add a scenario of a handshake request with an unusual request line or unusual headers."""

    def steps(stage: Stage) -> str:
        given = {
            "Host": f"127.0.0.1:{stage.port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": KEY,
            "Sec-WebSocket-Protocol": "wamp.2.json",
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        lines = [f"{key}: {value}" for key, value in given.items() if key not in without.split()]
        return stage.answer("\r\n".join([line, *lines, *([more] if more else []), "", ""]))

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


request(
    "An upgrade in HTTP/1.0",
    "The HTTP version must be 1.1 or higher.",
    ("400", "505", "426"),
    "Configure proxies to use HTTP/1.1 to the node (nginx: `proxy_http_version 1.1`).",
    line="GET /ws HTTP/1.0",
)
request(
    "An upgrade by POST",
    "The method must be GET.",
    ("400", "405"),
    "Both routers refuse it.",
    line="POST /ws HTTP/1.1",
    Content_Length="0",
)
request(
    "A WebSocket version that does not exist",
    "The handshake is refused with a list of the supported versions.",
    ("400", "426"),
    "Both routers refuse it.",
    Sec_WebSocket_Version="99",
)
request(
    "Version 8, of the draft", "Not in the RFC.", "", "The option `enable_hybi10` decides.", Sec_WebSocket_Version="8"
)
request(
    "No WebSocket version",
    "The handshake is refused.",
    ("400", "426"),
    "Both routers refuse it.",
    without="Sec-WebSocket-Version",
)
request(
    "No Sec-WebSocket-Key", "The handshake is refused.", "400", "Both routers refuse it.", without="Sec-WebSocket-Key"
)
request(
    "A Sec-WebSocket-Key that is too short",
    "The handshake is refused.",
    "400",
    "Both routers refuse it.",
    Sec_WebSocket_Key="c2hvcnQ=",
)
request("No Host header", "The handshake is refused.", "400", "Both routers refuse it.", without="Host")
request(
    "Two Host headers",
    "The request is refused (RFC 9112, 3.2).",
    "400",
    "Both routers refuse it.",
    more="Host: elsewhere.org",
)
request(
    "An Upgrade header for another protocol",
    "No WebSocket connection is opened.",
    ("400", "426", "200", "404"),
    "The request is handled as a plain GET.",
    Upgrade="telnet",
)
PLAIN = "Upgrade Connection Sec-WebSocket-Version Sec-WebSocket-Key Sec-WebSocket-Protocol"
request(
    "A plain GET of a WebSocket service",
    "Not specified.",
    "",
    "The response is a page that people can read.",
    without=PLAIN,
    section=TRANSPORT,
)
request(
    "A plain GET, enable_webstatus false",
    "The status says that an upgrade is required.",
    "426",
    "",
    line="GET /quiet HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 15.5.22",
)
request(
    "A path below a json service",
    "Not specified.",
    "",
    "",
    line="GET /nothing HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 15.5.5",
)
request(
    "A plain GET of an unknown path",
    "The status is 404.",
    "404",
    "",
    line="GET /static/nothing HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 15.5.5",
)
request(
    "A zero byte in a static path",
    "The status reports a client error.",
    ("400", "404"),
    "Malformed paths are not reported as server errors.",
    line="GET /static/a%00b HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 15.5",
)
request(
    "A path that leads out of a static directory",
    "Files outside the directory are not served.",
    ("400", "404", "403"),
    "",
    line="GET /static/../.crossbar/config.json HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 17.3",
)
request(
    "The same path, percent-encoded",
    "Files outside the directory are not served.",
    ("400", "404", "403"),
    "",
    line="GET /static/%2e%2e/.crossbar/config.json HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 17.3",
)


@scenario(
    "A static file",
    "WHATWG Fetch, nosniff",
    "Not required. X-Content-Type-Options prevents browsers from guessing the content type.",
    means="Responses for static files have `X-Content-Type-Options: nosniff`.",
)
def static(stage: Stage) -> str:
    wire = stage.wire()
    wire.send(b"GET /static/page.txt HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    head = wire.head().lower()
    return f"{head.split()[1]}, {'nosniff' if 'nosniff' in head else 'no nosniff'}"


def framed(
    name: str,
    demands: str,
    keeps: str | tuple[str, ...],
    data: bytes,
    *,
    path: str = "/ws",
    means: str = "",
    section: str = "RFC 6455, 5",
) -> None:
    """Add a scenario of bytes sent within a session."""

    def steps(stage: Stage) -> str:
        peer = stage.join(path)
        peer.wire.send(data)
        return told(peer.read())

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


SMALL = b'[32, 1, {}, "com.example.small"]'
framed("A frame without a mask", "The connection is closed with 1002.", ("close 1002",), frame(TEXT, SMALL, mask=None))
framed("Reserved bits", "The connection is closed with 1002.", "close 1002", frame(TEXT, SMALL, rsv=2))
framed("A reserved opcode", "The connection is closed with 1002.", "close 1002", frame(3, SMALL))
framed(
    "A continuation frame without a message",
    "The connection is closed with 1002.",
    "close 1002",
    frame(CONTINUATION, SMALL),
)
framed(
    "Text that is not UTF-8",
    "The connection is closed with 1007.",
    "close 1007",
    frame(TEXT, b'["\xff"]'),
    section="RFC 6455, 8.1",
)
framed(
    "A message larger than max_message_size",
    "The connection is closed with 1009.",
    "close 1009",
    frame(TEXT, b'["' + b"x" * 5000 + b'"]'),
    path="/small",
    means="The limit is enforced, and the close code tells the client why.",
    section="RFC 6455, 7.4.1",
)
framed(
    "A message in two frames",
    "Both frames are one message.",
    "SUBSCRIBED",
    frame(TEXT, SMALL[:9], fin=False) + frame(CONTINUATION, SMALL[9:]),
)
CLOSED = "The close frame is answered."
framed("A close frame", CLOSED, "close 1000", frame(CLOSE, b"\x03\xe8"), section="RFC 6455, 5.5.1")
framed(
    "A close frame with an application code",
    CLOSED,
    ("close 1000", "close 3001"),
    frame(CLOSE, b"\x0b\xb9"),
    section="RFC 6455, 5.5.1",
    means="The answer has the same code, or 1000.",
)
framed(
    "A close frame with an invalid code",
    "The WebSocket connection is failed.",
    ("close 1002", "the connection drops"),
    frame(CLOSE, b"\x03\xed"),
    section="RFC 6455, 7.4.1",
    means="The close code gives the reason.",
)
