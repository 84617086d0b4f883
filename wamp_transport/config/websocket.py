"""The WebSocket service: its attributes, and the options of its connections."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from wamp_transport.config.auth import Auth
from wamp_transport.config.compression import Compression
from wamp_transport.config.cookie import Cookie
from wamp_transport.config.limits import SESSIONS, LimitsSection, Lockout, limit
from wamp_transport.config.report import short
from wamp_transport.config.section import Finding, Section, identifier, setting

OFFERED_SERIALIZERS = ("cbor", "msgpack", "json")
OTHER_SERIALIZERS = ("ubjson", "flatbuffers")

MAX_SIZE_BYTES = 64 * 1024 * 1024
MIN_OUTGOING_BYTES = 64 * 1024
_LONGEST = 2**31 - 1


def _not_too_short(value: int) -> int:
    if 0 < value < 1000:
        raise PydanticCustomError(
            "config",
            "expected 0, or at least 1000 milliseconds, found {value}",
            {"value": value, "hint": "1 s is 1000"},
        )
    return value


Milliseconds = Annotated[int, Field(ge=0, le=_LONGEST), AfterValidator(_not_too_short)]


def _time(default: int, help: str) -> Any:
    return setting(default, help, unit="ms", expected=f"0, or an integer from 1000 to {_LONGEST} (ms)")


def _size(default: int, help: str) -> Any:
    return setting(default, help, unit="bytes", ge=0, le=MAX_SIZE_BYTES)


class WebSocketOptions(LimitsSection):
    """Options of WebSocket connections, and limits of the sessions on them."""

    max_sessions: int = limit(0, f"{SESSIONS} service")
    allowed_origins: tuple[str, ...] = setting(
        ("*",),
        "Origins whose pages may connect, as scheme://host:port. * matches any text. Without a port, the default port "
        "of the scheme applies. same-origin means the host of the request, which must be one of Django's ALLOWED_HOSTS "
        "if these are set. For clients that send no Origin, see `allow_missing_origin`.",
    )
    allow_null_origin: bool = setting(
        True, 'Accept connections from pages whose origin is "null", such as local files.'
    )
    allow_missing_origin: bool = setting(
        True, "Accept clients that send no Origin, such as devices and programs. False: only browsers can connect."
    )
    external_port: int | None = setting(
        None,
        "Port that clients see if a proxy is in front of the server. A request that names another port is refused. "
        "Null: not checked.",
        ge=1,
        le=65535,
    )
    enable_hybi10: bool = setting(True, "Accept handshakes of the draft protocol, version 8.")
    enable_rfc6455: bool = setting(True, "Accept handshakes of the standard protocol, version 13.")
    enable_webstatus: bool = setting(True, "Show a status page in response to plain HTTP requests.")
    validate_utf8: bool = setting(
        True, "Check that text messages are valid UTF-8. If one is not, the connection is closed with code 1007."
    )
    mask_server_frames: bool = setting(False, "Mask outgoing frames. This violates the standard; it is for tests.")
    require_masked_client_frames: bool = setting(
        True, "Close the connection with code 1002 if a client's frame is not masked."
    )
    apply_mask: bool = setting(True, "Unmask incoming frames. False is for tests.")
    max_frame_size: int = _size(0, "Maximum size of an incoming frame in bytes, as received. 0: no limit.")
    max_message_size: int = _size(
        16 * 1024 * 1024, "Maximum size of an incoming message in bytes, uncompressed. 0: no limit."
    )
    auto_fragment_size: int = _size(0, "Split outgoing messages into frames of this size in bytes. 0: do not split.")
    fail_by_drop: bool = setting(
        False, "After a protocol violation, drop the connection immediately instead of closing it with a code."
    )
    echo_close_codereason: bool = setting(False, "Answer a close frame with the received code and reason.")
    open_handshake_timeout: Milliseconds = _time(
        0, "Maximum duration of the opening handshake in milliseconds. 0: no limit."
    )
    close_handshake_timeout: Milliseconds = _time(
        0, "Maximum duration of the closing handshake in milliseconds. 0: 30 seconds."
    )
    message_timeout: Milliseconds = _time(
        120_000,
        "Maximum time in milliseconds from the first byte of a message until it is complete. Clients that send more "
        "slowly are disconnected. 0: no limit.",
    )
    outgoing_limit: int = _size(
        1024 * 1024, "Maximum number of bytes that may stay queued for a slow client after the grace period."
    )
    outgoing_grace_period: Milliseconds = _time(
        10_000, "Time in milliseconds for which more bytes may stay queued, for example after a burst of events."
    )
    outgoing_policy: Literal["close", "drop"] = setting(
        "close",
        "What happens to a client that does not catch up. close: its session ends. drop: until it has caught up, it "
        "misses events, and calls to it are answered with wamp.error.unavailable.",
    )
    max_outgoing_size: int = setting(
        16 * 1024 * 1024,
        "Maximum number of bytes that may be queued for a client. Above it, the grace period ends immediately. Above "
        "twice this number, the connection is always closed.",
        unit="bytes",
        ge=MIN_OUTGOING_BYTES,
        le=MAX_SIZE_BYTES,
    )
    tcp_nodelay: bool = setting(True, "Send small packets without delay (TCP_NODELAY).")
    auto_ping_interval: Milliseconds = _time(0, "Time between pings in milliseconds. 0: no pings.")
    auto_ping_timeout: Milliseconds = _time(
        0, "Time in milliseconds to wait for a pong before the connection is dropped. 0: no limit."
    )
    auto_ping_size: int = setting(12, "Size of a ping in bytes.", unit="bytes", ge=12, le=125)
    auto_ping_restart_on_any_traffic: bool = setting(True, "Treat any message from the client as a pong.")
    compression: Compression | None = setting(None, "Compression of messages.")
    require_websocket_subprotocol: bool = setting(
        True, "Refuse clients that offer no known WAMP subprotocol. False: use JSON for them."
    )
    show_server_version: bool = setting(False, "Send the software's version in the header Server.")
    enable_flash_policy: bool = setting(
        False, "Serve a Flash policy file.", ignored="Flash is gone; no policy file is served"
    )
    flash_policy: Any = setting(
        None, "Text of the Flash policy file.", ignored="Flash is gone; no policy file is served"
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check for conflicting options and for origin patterns that cannot match."""
        if given.get("enable_rfc6455") is False and given.get("enable_hybi10") is False:
            yield Finding(
                ("enable_rfc6455",),
                "with `enable_rfc6455` and `enable_hybi10` both false no client could connect",
                "leave `enable_rfc6455` true",
            )
        if given.get("auto_ping_timeout") and not given.get("auto_ping_interval"):
            yield Finding(
                ("auto_ping_timeout",),
                "has no effect without `auto_ping_interval`, as no ping is ever sent",
                level="ignored",
            )
        origins = given.get("allowed_origins")
        for index, origin in enumerate(origins if isinstance(origins, tuple) else ()):
            if isinstance(origin, str) and origin != "same-origin" and "*" not in origin and "://" not in origin:
                yield Finding(
                    ("allowed_origins", index),
                    f'"{short(origin)}" matches no origin',
                    "write scheme://host:port, such as https://example.com:443",
                    "ignored",
                )


class WebSocketSection(Section):
    """The base class of WebSocket services at a path and of standalone WebSocket transports."""

    id: str | None = identifier()
    url: str | None = setting(
        None,
        "URL for clients, ws:// or wss://, with the full path of the service. It is displayed, not enforced. "
        "Null: derived from the request.",
    )
    serializers: tuple[str, ...] | None = setting(
        None,
        "WAMP serializers to offer: json, msgpack, cbor. The client's order of preference decides. "
        "Null: all that are installed.",
    )
    options: WebSocketOptions = setting(WebSocketOptions(), "Options of the connections.")
    auth: Auth | None = setting(
        None, "Authentication methods. Null or empty: clients are anonymous and have the role anonymous."
    )
    lockout: Lockout = setting(Lockout(), "Limits for failed logins.")
    cookie: Cookie | None = setting(None, "The cookie that identifies clients. Null: clients get no cookie.")
    hello_timeout: Milliseconds = _time(
        10_000, "Maximum time in milliseconds until a client opens a session with HELLO. 0: no limit."
    )
    debug: bool = setting(
        False,
        "Log the handshakes, frames (kind, length and flags, but no payload) and closes of new connections. The logger "
        "is wamp_transport.traffic, followed by the service's id or path.",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the serializers are known, and that cookies are configured if a login method needs them."""
        auth = given.get("auth")
        if isinstance(auth, dict) and isinstance(auth.get("cookie"), dict) and given.get("cookie") is None:
            yield Finding(
                ("auth", "cookie"),
                "has no effect, as this service does not track its clients with a cookie",
                "add `cookie` to the service, beside `auth`",
                "ignored",
            )
        names = given.get("serializers")
        if not isinstance(names, tuple):
            return
        if not names:
            yield Finding(("serializers",), "expected at least one serializer, found an empty list", _serializer_hint())
            return
        for index, name in enumerate(names):
            if isinstance(name, str) and name not in OFFERED_SERIALIZERS:
                yield _serializer_finding(index, name)
        if all(name in OTHER_SERIALIZERS for name in names):
            yield Finding(("serializers",), "none of these serializers is offered", _serializer_hint())

    @property
    def offered_serializers(self) -> tuple[str, ...]:
        """The serializers to offer to clients, without duplicates, in the configured order."""
        names = OFFERED_SERIALIZERS if self.serializers is None else self.serializers
        return tuple(dict.fromkeys(name for name in names if name in OFFERED_SERIALIZERS))


class WebSocketService(WebSocketSection):
    """WAMP over WebSocket at a path of a web transport."""

    type: Literal["websocket"] = setting(..., 'Must be "websocket".')

    foreign_keys: ClassVar[Mapping[str, str]] = {
        "endpoint": "a service on a path has no endpoint of its own; it belongs to the transport that holds `paths`",
        "max_connections": "this belongs to the transport that owns the port",
        "paths": "paths below a path need a service of type path",
    }


def url_finding(url: object, segments: tuple[str, ...]) -> Finding | None:
    """Check the configured URL of a service. ``segments`` are the segments of the service's path.

    Return a finding if ``url`` is not a WebSocket URL or has another path. Return None if it is correct or not given.
    For the host ``unix``, the path is not checked.
    """
    if not isinstance(url, str):
        return None
    found = f'found "{short(url)}"'
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        return Finding(("url",), "expected a WebSocket URL with a port from 1 to 65535, if any")
    if parts.username is not None or parts.password is not None:
        return Finding(("url",), "expected a WebSocket URL without user name and password")
    if scheme not in ("ws", "wss"):
        return Finding(("url",), f"expected a URL that starts with ws:// or wss://, {found}")
    if not host or port == 0 or re.search(r"[\x00-\x20\x7f]", url):
        return Finding(("url",), f"expected a WebSocket URL with a host, and no blanks, {found}")
    if "#" in url or "?" in url:
        return Finding(("url",), f"expected a WebSocket URL without query and fragment, {found}")
    if host == "unix":
        return None
    path = tuple(unquote(step) for step in parts.path.strip("/").split("/")) if parts.path.strip("/") else ()
    if path != segments:
        full = "/" + "/".join(segments)
        return Finding(
            ("url",),
            f'expected a URL with the path of the service, "{full}", {found}',
            f"such as {scheme}://{short(parts.netloc)}{full}",
        )
    return None


def _serializer_hint() -> str:
    return f"offered: {', '.join(sorted(OFFERED_SERIALIZERS))}"


def _serializer_finding(index: int, name: str) -> Finding:
    if name in OTHER_SERIALIZERS:
        return Finding(("serializers", index), f'serializer "{name}" is not offered', _serializer_hint(), "ignored")
    return Finding(("serializers", index), f'unknown serializer "{short(name)}"', _serializer_hint())
