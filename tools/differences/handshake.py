"""HTTP and WebSocket: the opening handshake, frames, closing."""

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
    """A scenario of a handshake and its status."""

    def steps(stage: Stage) -> str:
        return stage.upgrade(path, *headers, subprotocol=subprotocol)

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


ORIGIN = "RFC 6455, 10.2"
FORBIDDEN = "An origin that is not acceptable is refused with a status like 403."
STATUS = "Refused origins get 403, where it was 400."
asked(
    "An origin that is not allowed", ORIGIN, FORBIDDEN, "403", "/origins", "Origin: https://elsewhere.org", means=STATUS
)
asked(
    "An allowed origin",
    ORIGIN,
    "It is accepted.",
    "101",
    "/origins",
    "Origin: https://example.com",
    means="A pattern without a port means the scheme's own port; patterns written for Crossbar go on working.",
)
asked(
    "An allowed origin, its port named",
    ORIGIN,
    "It is accepted.",
    "101",
    "/origins",
    "Origin: https://example.com:443",
    means="A pattern without a port means the scheme's own port.",
)
asked(
    "An origin allowed in capitals",
    ORIGIN,
    "Scheme and host know no case.",
    "101",
    "/origins",
    "Origin: https://loud.org",
    means="Patterns are compared without case.",
)
asked("The origin null, not allowed", ORIGIN, FORBIDDEN, "403", "/origins", "Origin: null", means=STATUS)
asked("No origin", ORIGIN, "Clients that are no browsers need none.", "101", "/origins")
asked(
    "An origin that is no origin",
    ORIGIN,
    FORBIDDEN,
    ("403", "400"),
    "/ws",
    "Origin: foo",
    means="It is refused or accepted as any text, by the patterns.",
)
asked(
    "A subprotocol that nobody speaks",
    TRANSPORT,
    "No common subprotocol: no WAMP; how it fails is not said.",
    "",
    "/ws",
    subprotocol="soap",
    means="The status differs.",
)
asked(
    "No subprotocol",
    TRANSPORT,
    "No common subprotocol: no WAMP; how it fails is not said.",
    "",
    "/ws",
    subprotocol=None,
    means="`require_websocket_subprotocol: false` lets such clients in, as JSON.",
)
asked(
    "The same subprotocol twice",
    "RFC 6455, 4.1",
    "The elements of the list must be unique.",
    "400",
    "/ws",
    subprotocol="wamp.2.json, wamp.2.json",
)
asked("A path below the service", TRANSPORT, "Not specified.", "", "/ws/below/it")
asked("A path that only begins like the service", TRANSPORT, "Not specified.", "", "/wsx")
asked("A service's path in percent signs", "RFC 3986, 6.2.2.2", "Escaped letters are the letters.", "101", "/%77s")
asked("A query", TRANSPORT, "It is the application's.", "101", "/ws?token=1")
OFFER = "Sec-WebSocket-Extensions: permessage-deflate"
DECLINES = "An offer with an unknown or invalid parameter is declined, not the connection."
asked(
    "Deflate with an unknown parameter",
    DEFLATE,
    DECLINES,
    "101",
    "/deflate",
    f"{OFFER}; colour=red",
    means="Clients with newer extensions connect, uncompressed.",
)
asked(
    "Deflate with a window of 8 bits",
    DEFLATE,
    "server_max_window_bits may be 8 to 15.",
    "101",
    "/deflate",
    f"{OFFER}; server_max_window_bits=8",
    means="Such clients connect.",
)
asked(
    "Deflate with a window of 99 bits",
    DEFLATE,
    DECLINES,
    "101",
    "/deflate",
    f"{OFFER}; server_max_window_bits=99",
    means="Such clients connect, uncompressed.",
)
asked(
    "No takeover asked for, no_context_takeover false",
    DEFLATE,
    "The server accepts what is asked or declines.",
    "101",
    "/taking",
    f"{OFFER}; server_no_context_takeover",
    means="The handshake is answered.",
)
asked(
    "A window narrower than max_window_bits",
    DEFLATE,
    "The server accepts what is asked or declines.",
    "101",
    "/narrow",
    f"{OFFER}; server_max_window_bits=10",
    means="The handshake is answered.",
)
asked(
    "An extension that nobody knows",
    HANDSHAKE,
    "It is not taken up.",
    "101",
    "/ws",
    "Sec-WebSocket-Extensions: x-magic",
)


@scenario(
    "Two header lines of subprotocols",
    "RFC 6455, 11.3.4",
    "Several Sec-WebSocket-Protocol lines are one list.",
    keeps="101 wamp.2.msgpack",
    means="Both ways of writing the list are understood.",
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
    """A scenario of a request written by hand."""

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
    "It must be HTTP/1.1 or higher.",
    ("400", "505", "426"),
    "Proxies that speak HTTP/1.0 to the node must be told to speak 1.1 (nginx: `proxy_http_version 1.1`).",
    line="GET /ws HTTP/1.0",
)
request(
    "An upgrade by POST",
    "It must be GET.",
    ("400", "405"),
    "Refused either way.",
    line="POST /ws HTTP/1.1",
    Content_Length="0",
)
request(
    "A version that does not exist",
    "Refused, with the versions that are spoken.",
    ("400", "426"),
    "Refused either way.",
    Sec_WebSocket_Version="99",
)
request("Version 8, of the draft", "Not in the RFC.", "", "`enable_hybi10` decides.", Sec_WebSocket_Version="8")
request("No version", "Refused.", ("400", "426"), "Refused either way.", without="Sec-WebSocket-Version")
request("No key", "Refused.", "400", "Refused either way.", without="Sec-WebSocket-Key")
request("A key that is too short", "Refused.", "400", "Refused either way.", Sec_WebSocket_Key="c2hvcnQ=")
request("No Host", "Refused.", "400", "Refused either way.", without="Host")
request("Two Hosts", "Refused (RFC 9112, 3.2).", "400", "Refused either way.", more="Host: elsewhere.org")
request(
    "An Upgrade to something else",
    "No WebSocket comes of it.",
    ("400", "426", "200", "404"),
    "It is read as a plain GET.",
    Upgrade="telnet",
)
PLAIN = "Upgrade Connection Sec-WebSocket-Version Sec-WebSocket-Key Sec-WebSocket-Protocol"
request("A plain GET of a service", "Not specified.", "", "A page for people.", without=PLAIN, section=TRANSPORT)
request(
    "A plain GET, enable_webstatus false",
    "An upgrade is required.",
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
    "A plain GET of nothing",
    "404.",
    "404",
    "",
    line="GET /static/nothing HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 15.5.5",
)
request(
    "A zero byte in a static path",
    "An error of the client's.",
    ("400", "404"),
    "Strange paths are no error of the server.",
    line="GET /static/a%00b HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 15.5",
)
request(
    "A way out of a static directory",
    "Nothing outside is served.",
    ("400", "404", "403"),
    "",
    line="GET /static/../.crossbar/config.json HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 17.3",
)
request(
    "The same in percent signs",
    "Nothing outside is served.",
    ("400", "404", "403"),
    "",
    line="GET /static/%2e%2e/.crossbar/config.json HTTP/1.1",
    without=PLAIN,
    section="RFC 9110, 17.3",
)


@scenario(
    "A static file",
    "WHATWG Fetch, nosniff",
    "Not demanded: X-Content-Type-Options keeps browsers from guessing.",
    means="Static answers carry `X-Content-Type-Options: nosniff`.",
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
    """A scenario of bytes sent within a session."""

    def steps(stage: Stage) -> str:
        peer = stage.join(path)
        peer.wire.send(data)
        return told(peer.read())

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


SMALL = b'[32, 1, {}, "com.example.small"]'
framed("A frame without mask", "Fails with 1002.", ("close 1002",), frame(TEXT, SMALL, mask=None))
framed("Reserved bits", "Fails with 1002.", "close 1002", frame(TEXT, SMALL, rsv=2))
framed("A reserved opcode", "Fails with 1002.", "close 1002", frame(3, SMALL))
framed("A continuation of nothing", "Fails with 1002.", "close 1002", frame(CONTINUATION, SMALL))
framed("Text that is not UTF-8", "Fails with 1007.", "close 1007", frame(TEXT, b'["\xff"]'), section="RFC 6455, 8.1")
framed(
    "A message above max_message_size",
    "Fails with 1009.",
    "close 1009",
    frame(TEXT, b'["' + b"x" * 5000 + b'"]'),
    path="/small",
    means="The limit holds, and the client is told.",
    section="RFC 6455, 7.4.1",
)
framed(
    "A message in two frames",
    "It is one message.",
    "SUBSCRIBED",
    frame(TEXT, SMALL[:9], fin=False) + frame(CONTINUATION, SMALL[9:]),
)
CLOSED = "The close is answered."
framed("A close", CLOSED, "close 1000", frame(CLOSE, b"\x03\xe8"), section="RFC 6455, 5.5.1")
framed(
    "A close with a code of one's own",
    CLOSED,
    ("close 1000", "close 3001"),
    frame(CLOSE, b"\x0b\xb9"),
    section="RFC 6455, 5.5.1",
    means="The code is answered back, or 1000.",
)
framed(
    "A close with a code that is not allowed",
    "The connection fails.",
    ("close 1002", "the connection drops"),
    frame(CLOSE, b"\x03\xed"),
    section="RFC 6455, 7.4.1",
    means="The close code says what was wrong.",
)
