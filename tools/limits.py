"""The tables of limits and safe defaults in ``docs/security.md``. Their values are read from the code."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from wamp_transport.bootstrap import cookie_logins, hint_sender, poll_timer, signals, threads
from wamp_transport.bootstrap.identity import audit, identity_queries
from wamp_transport.cluster import link, redis_connection, redis_reader, window
from wamp_transport.cluster.ledger import attempts
from wamp_transport.conf import DEFAULT_LEASE_SECONDS, AppSettings
from wamp_transport.config import normalize, reader
from wamp_transport.config.attributes import describe
from wamp_transport.config.auth import SessionAuth
from wamp_transport.config.cookie import Cookie, CookieStoreSection
from wamp_transport.config.endpoint import TcpEndpoint, TlsSection
from wamp_transport.config.limits import Lockout
from wamp_transport.config.realm import HistorySection, RealmOptionsSection, RoleSection, StoreSection
from wamp_transport.config.schema_walk import attributes
from wamp_transport.config.section import Section
from wamp_transport.config.transport import WebOptions, WebTransport
from wamp_transport.config.webservices import JsonOptions, StaticOptions
from wamp_transport.config.websocket import WebSocketOptions, WebSocketService
from wamp_transport.handlers import execution
from wamp_transport.node import connection, held_output, joining, paced_output, remote_users, requests, session
from wamp_transport.router import (
    matching,
    message_checks,
    open_questions,
    pending,
    remote_registrations,
    session_establishment,
    testaments,
)
from wamp_transport.router.meta import subscriptions
from wamp_transport.router.options import RouterOptions
from wamp_transport.serializers import cbor, structs
from wamp_transport.stores.cookies import async_store
from wamp_transport.stores.identity import audit as stored_audit
from wamp_transport.tokens import DEFAULT_LIFETIME_SECONDS, MAX_TOKEN_LENGTH
from wamp_transport.transports import unfinished_messages
from wamp_transport.transports.daphne import channel, options
from wamp_transport.transports.origins import MAX_ORIGIN_CHARACTERS
from wamp_transport.wamp import uris
from wamp_transport.worker_threads import DEFAULT_MAX_QUEUED_JOBS

KIB = 1024
MIB = 1024 * KIB

PLACES: dict[type[Section], str] = {
    WebTransport: "transport",
    WebOptions: "transport, `options`",
    TcpEndpoint: "endpoint",
    TlsSection: "endpoint, `tls`",
    WebSocketService: "service",
    WebSocketOptions: "service, `options`",
    Lockout: "service, `lockout`",
    SessionAuth: "service, `django-session`",
    Cookie: "service, `cookie`",
    CookieStoreSection: "cookie, `store`",
    RealmOptionsSection: "realm, `options`",
    RoleSection: "role",
    StoreSection: "realm, `store`",
    HistorySection: "store, `event-history`",
    StaticOptions: "static files, `options`",
    JsonOptions: "JSON value, `options`",
}
"""The place of each section in a configuration, for readers."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the product: ``place`` is the place of the option that sets it, ``text`` is its default."""

    place: str
    text: str


Row = tuple[str, Value, str]
"""A row of a table: its subject, its value, and the effect."""


def option(section: type[Section], key: str, absent: str = "no limit") -> Value:
    """Return the default of an option. ``absent`` is shown instead of 0, null and an empty text."""
    name = key.replace("-", "_")
    attribute = describe(key, dict(attributes(section))[key])
    default = section.model_fields[name].get_default(call_default_factory=True)
    text = absent if default in (None, 0, "") and default is not False else amount(default, attribute.unit)
    return Value(f"`{key}` ({PLACES[section]})", text)


def setting(key: str, unit: str = "") -> Value:
    """Return the default of a key of ``settings.WAMP_TRANSPORT``."""
    return Value(f'`WAMP_TRANSPORT["{key}"]`', amount(getattr(AppSettings(), key.lower()), unit))


def fixed(*values: tuple[float, str]) -> Value:
    """Return a value that no option changes: one number or several, each with its unit."""
    return Value("fixed", " and ".join(amount(number, unit) for number, unit in values))


def amount(value: Any, unit: str = "") -> str:
    """Return a value with its unit as readers write it: 16777216 bytes are 16 MiB."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f"`{value}`"
    if isinstance(value, tuple | list):
        return ", ".join(f"`{each}`" for each in value) or "none"
    if unit == "bytes" and value % KIB == 0:
        return f"{value // MIB} MiB" if value % MIB == 0 else f"{value // KIB} KiB"
    if unit == "ms":
        return amount(value / 1000, "s")
    day = timedelta(days=1).total_seconds()
    if unit == "s" and value >= day and value % day == 0:
        return f"{value / day:g} days"
    return f"{value:,g} {unit}".strip() if isinstance(value, float) else f"{value:,} {unit}".strip()


ROUTER = RouterOptions()
SIZES = link.DEFAULT_SIZES
PAYLOAD_ERROR = "`wamp.error.invalid_payload`; outside of args and kwargs, ABORT"
QUOTA = "`wamp.error.quota_exceeded`"
NO_MORE = "the new connection is closed"
ABORTED = "ABORT, and the connection is closed"
PAUSED = "the router stops reading from the client until there is room"

LIMITS: dict[str, list[Row]] = {
    "Connections and HTTP requests": [
        ("open connections", option(WebTransport, "max_connections"), NO_MORE),
        (
            "open connections of one address (IPv6: of one /64 network)",
            option(WebTransport, "max_connections_per_address"),
            f"{NO_MORE}; status 503 behind a trusted proxy",
        ),
        (
            "time for TLS and the head of a request",
            option(WebOptions, "request_timeout"),
            "status 408, or closed if nothing has arrived",
        ),
        ("size of the head of a request", option(WebOptions, "max_request_head"), "status 414 or 431"),
        ("header lines of a request", fixed((channel.MAX_HEADER_LINES, "")), "status 431"),
        ("size of the body of a request", option(WebOptions, "max_request_body"), "status 413"),
        (
            "idle time between requests, or time without progress in a body",
            option(WebOptions, "client_timeout", amount(channel.IDLE_SECONDS, "s")),
            "closed; in a body, status 408",
        ),
        ("length of the Origin header", fixed((MAX_ORIGIN_CHARACTERS, "characters")), "status 403"),
        (
            "handshakes that wait for the cookie store, and how long they wait",
            fixed((async_store.MAX_QUEUED_REQUESTS, ""), (async_store.ANSWER_SECONDS, "s")),
            "status 503",
        ),
    ],
    "WebSocket messages": [
        (
            "size of a message before the session is established",
            fixed((connection.MAX_UNJOINED_BYTES, "bytes")),
            ABORTED,
        ),
        ("size of a message, after decompression", option(WebSocketOptions, "max_message_size"), "close code 1009"),
        ("size of a frame", option(WebSocketOptions, "max_frame_size"), "close code 1009"),
        (
            "size of the incomplete messages of all clients together",
            fixed((unfinished_messages.MAX_UNFINISHED_BYTES, "bytes")),
            "close code 1009 for the client whose message has been incomplete the longest",
        ),
        ("time for the opening handshake", option(WebSocketOptions, "open_handshake_timeout"), "disconnected"),
        ("time until HELLO", option(WebSocketService, "hello_timeout"), ABORTED),
        ("time for a message to arrive completely", option(WebSocketOptions, "message_timeout"), ABORTED),
        (
            "time for the answer to a close frame",
            option(WebSocketOptions, "close_handshake_timeout", amount(options.CLOSE_TIMEOUT_SECONDS, "s")),
            "disconnected",
        ),
        (
            "time between pings",
            option(WebSocketOptions, "auto_ping_interval", "no pings"),
            "if set, a client that does not answer within `auto_ping_timeout` is disconnected",
        ),
        ("time for the answer to GOODBYE", fixed((ROUTER.goodbye_timeout, "s")), "disconnected"),
    ],
    "Logins": [
        (
            "failed logins of an address (IPv6: of a /64 network)",
            option(Lockout, "failures_per_address"),
            "further logins are denied until `period` is over",
        ),
        (
            "failed logins with one authid and method",
            option(Lockout, "failures_per_authid"),
            "the same; addresses with an earlier success are counted separately",
        ),
        ("time after which failures are forgotten", option(Lockout, "period"), "logins are possible again"),
        ("time for the answer to a challenge", fixed((ROUTER.challenge_timeout, "s")), ABORTED),
        ("time of each step of an authenticator", fixed((ROUTER.authentication_timeout, "s")), ABORTED),
        (
            "logins that wait for a hash or a Python authenticator, and how long they wait",
            fixed((threads.MAX_QUEUED_LOGINS, ""), (threads.MAX_LOGIN_WAIT_SECONDS, "s")),
            "`wamp.error.unavailable`",
        ),
        (
            "time of a query with hooks such as `USER_ROLE`",
            fixed((identity_queries.HOOK_SECONDS, "s")),
            "`wamp.error.unavailable`",
        ),
        (
            "jobs that wait for the database, and how long they wait",
            fixed((threads.MAX_QUEUED_DATABASE_JOBS, ""), (threads.MAX_DATABASE_WAIT_SECONDS, "s")),
            "the login is refused",
        ),
        ("length of a signed token", fixed((MAX_TOKEN_LENGTH, "characters")), "the login is denied"),
        (
            "lifetime of a signed token",
            Value("`lifetime` of `make_token()`", amount(DEFAULT_LIFETIME_SECONDS, "s")),
            "the login is denied",
        ),
        (
            "size of an anonymous client's authextra that is shown to others",
            fixed(
                (session_establishment.MAX_ECHOED_BYTES, "bytes"), (session_establishment.MAX_ECHOED_DEPTH, "levels")
            ),
            "it is not shown",
        ),
    ],
    "Requests of a session": [
        ("sessions of a realm", option(RealmOptionsSection, "max_sessions"), f"the login is refused with {QUOTA}"),
        ("subscriptions", option(RealmOptionsSection, "max_subscriptions"), QUOTA),
        ("registrations", option(RealmOptionsSection, "max_registrations"), QUOTA),
        ("calls in flight", option(RealmOptionsSection, "max_calls"), QUOTA),
        ("size of the calls in flight", option(RealmOptionsSection, "max_calls_size"), QUOTA),
        ("time of a call", option(RealmOptionsSection, "max_call_timeout"), "`wamp.error.timeout`"),
        ("length of a URI", option(RealmOptionsSection, "max_uri_length"), "`wamp.error.invalid_uri`"),
        ("levels of nested payload", option(RealmOptionsSection, "max_depth"), "`wamp.error.invalid_payload`"),
        (
            "size of args and kwargs",
            option(RealmOptionsSection, "max_payload_size"),
            "`wamp.error.payload_size_exceeded`",
        ),
        (
            "keys of a map, or elements of a CBOR set, that are neither text nor binary",
            fixed((structs.MAX_OTHER_KEYS, "")),
            PAYLOAD_ERROR,
        ),
        ("integers inside CBOR decimals, floats and fractions", fixed((cbor.MAX_INTEGER_BITS, "bits")), PAYLOAD_ERROR),
        (
            "length of a node key (`nkey`)",
            fixed((message_checks.MAX_NODE_KEY_LENGTH, "characters")),
            "`wamp.error.invalid_argument`",
        ),
        ("time of an authorizer", option(RoleSection, "authorizer_timeout"), "the request is refused"),
        (
            "messages of a session that wait for an authorizer",
            fixed((pending.MAX_QUEUED_MESSAGES, ""), (pending.MAX_QUEUED_BYTES, "bytes")),
            PAUSED,
        ),
    ],
    "Patterns": [
        ("components of a pattern", fixed((uris.MAX_PATTERN_COMPONENTS, "")), "`wamp.error.invalid_uri`"),
        (
            "different sets of wildcard positions in a realm, among patterns with the same number of components",
            fixed((matching.MAX_SHAPES, "")),
            QUOTA,
        ),
    ],
    "Answers and slow clients": [
        (
            "queued data at which a large answer is paused; at most half of `outgoing_limit`",
            fixed((paced_output.MAX_QUEUED_BYTES, "bytes")),
            "the answer continues when the client has read some of it; until then, the router does not read from the "
            "client",
        ),
        (
            "other messages that wait for such an answer",
            fixed((paced_output.MAX_HELD_BYTES, "bytes")),
            "disconnected with `wamp.error.slow_consumer`",
        ),
        (
            "time for which SUBSCRIBED, and what follows it, waits for the other nodes of a cluster; at most "
            "`outgoing_limit` bytes wait",
            fixed((held_output.HOLD_SECONDS, "s")),
            "sent; events of the node that is late can be missed",
        ),
        (
            "size of the events in one answer of `wamp.subscription.get_events`",
            fixed((subscriptions.MAX_EVENTS_BYTES, "bytes")),
            "`wamp.error.payload_size_exceeded`",
        ),
        (
            "data that may stay queued indefinitely",
            option(WebSocketOptions, "outgoing_limit"),
            "the grace period begins",
        ),
        (
            "grace period",
            option(WebSocketOptions, "outgoing_grace_period"),
            "`outgoing_policy`: disconnected with `wamp.error.slow_consumer`, or events are dropped",
        ),
        (
            "queued data that ends the grace period",
            option(WebSocketOptions, "max_outgoing_size"),
            "the same; above twice this size always disconnected",
        ),
    ],
    "Stored data": [
        ("topics with a retained event", option(RealmOptionsSection, "max_retained"), QUOTA),
        ("size of all retained events", option(RealmOptionsSection, "max_retained_size"), QUOTA),
        (
            "share of the two limits above that one publisher may use",
            option(RealmOptionsSection, "max_retained_share"),
            QUOTA,
        ),
        ("age of retained events", option(RealmOptionsSection, "max_retained_age"), "deleted"),
        ("events of a history", option(StoreSection, "limit"), "the oldest events are deleted"),
        ("age of events in a history", option(HistorySection, "max_age"), "deleted"),
        (
            "size of all histories of a realm",
            option(RealmOptionsSection, "max_history_size"),
            "the largest history loses its oldest events",
        ),
        ("testaments of a session", fixed((testaments.MAX_TESTAMENTS, "")), QUOTA),
        ("size of a session's testaments", option(RealmOptionsSection, "max_session_testaments_size"), QUOTA),
        ("size of all testaments", option(RealmOptionsSection, "max_testaments_size"), QUOTA),
        (
            "cookies",
            option(CookieStoreSection, "max_cookies"),
            "the oldest ones are deleted, those without a login first",
        ),
        ("age of a cookie", option(Cookie, "max_age"), "deleted"),
        (
            "authextra that is stored with a cookie",
            fixed((cookie_logins.MAX_EXTRA_BYTES, "bytes")),
            "the login is not remembered",
        ),
        ("age of entries in the audit trail", setting("AUDIT_DAYS", "days"), "deleted"),
        ("entries in the audit trail", fixed((stored_audit.MAX_ENTRIES, "")), "the oldest ones are deleted"),
        (
            "entries that wait for the database",
            fixed((audit.MAX_QUEUED_ENTRIES, ""), (audit.MAX_QUEUED_BYTES, "bytes")),
            "dropped",
        ),
    ],
    "Clusters, and hints between processes": [
        (
            "data for another node that it has not acknowledged (its *window*)",
            Value(
                "fixed",
                f"{amount(SIZES.all_windows_bytes, 'bytes')} divided by the number of nodes, at least "
                f"{amount(SIZES.min_window_bytes, 'bytes')}",
            ),
            "events for that node are dropped and counted; calls to it fail with `wamp.error.unavailable`",
        ),
        (
            "the same, with results, parts of calls and interest, which are still sent above the limit",
            Value("fixed", f"{window.GIVE_UP_FACTOR} windows"),
            "all of it is dropped and counted, and calls to that node fail with `wamp.error.network_failure`",
        ),
        (
            "size of the commands that Redis has not answered",
            fixed((redis_connection.MAX_OWED_BYTES, "bytes")),
            "further messages stay in the windows",
        ),
        (
            "batches that a node has handled and that still are in its inbox in Redis",
            fixed((redis_reader.TRIM_BATCHES, ""), (redis_reader.TRIM_BYTES, "bytes")),
            "deleted; those that a node has not read are limited by the windows",
        ),
        (
            "time for which messages wait while Redis is away",
            fixed((link.AWAY_SECONDS, "s")),
            "new events for other nodes are dropped and counted; calls to them fail",
        ),
        (
            "time after which a node that does not answer is removed",
            Value('`WAMP_TRANSPORT["CLUSTER"]["LEASE"]`', amount(DEFAULT_LEASE_SECONDS, "s")),
            "calls to it fail with `wamp.error.network_failure`, and its registrations are deleted",
        ),
        (
            "time for which a REGISTER waits for Redis, and for the registrations of a node that may have died",
            fixed((attempts.DECISION_TIME, "s"), (remote_registrations.REQUEST_SECONDS, "s")),
            "`wamp.error.unavailable`",
        ),
        (
            "time for the replies of the other nodes to a call of the meta API",
            fixed((open_questions.REPLY_SECONDS, "s")),
            "answered without the nodes that are late",
        ),
        (
            "calls in flight of a session that ask all nodes for sessions or subscriptions",
            fixed((open_questions.MAX_LARGE_QUESTIONS, "")),
            QUOTA,
        ),
        (
            "time for the other nodes to name the Django user of a caller or publisher",
            fixed((remote_users.REPLY_SECONDS, "s")),
            "`wamp.error.unavailable`",
        ),
        (
            "time for which a node that joins waits for the interest, and then for the retained events, of the others",
            fixed((joining.SNAPSHOT_SECONDS, "s"), (joining.RETAINED_SECONDS, "s")),
            "it listens without them",
        ),
        ("time for sending a hint", fixed((hint_sender.SEND_SECONDS, "s")), "nodes find the change when they poll"),
        (
            "polls of the database because of hints, per second",
            fixed((1 / poll_timer.MIN_PAUSE_SECONDS, "")),
            "the next poll waits",
        ),
    ],
    "Project code": [
        (
            "threads for handlers; one handler may use at most half of them",
            setting("HANDLER_THREADS"),
            "further calls wait",
        ),
        ("simultaneous calls of an async handler", fixed((execution.MAX_TASKS, "")), "further calls wait"),
        (
            "messages that wait for the handlers of a realm",
            fixed((session.MAX_QUEUED_MESSAGES, "")),
            "events are dropped and counted, calls fail with `wamp.error.unavailable`",
        ),
        ("calls that wait for a thread", fixed((DEFAULT_MAX_QUEUED_JOBS, "")), "the call fails"),
        (
            "progressive results of a call that Django code does not read",
            fixed((requests.MAX_QUEUED_RESULTS, "")),
            "the call is canceled",
        ),
        (
            "calls of Python authorizers that wait for a thread, and how long they wait",
            fixed((threads.MAX_QUEUED_FUNCTIONS, ""), (threads.MAX_LOGIN_WAIT_SECONDS, "s")),
            "the request is refused",
        ),
        (
            "queued Django signals",
            fixed((signals.MAX_QUEUED_SIGNALS, ""), (signals.MAX_QUEUED_BYTES, "bytes")),
            "dropped, counted and logged",
        ),
        (
            "size and nesting of a configuration file",
            fixed((reader.MAX_FILE_BYTES, "bytes"), (normalize.MAX_NESTING_DEPTH, "levels")),
            "the file is refused",
        ),
    ],
}
"""The limits by subject."""

DEFAULTS: list[Row] = [
    ("address", option(WebTransport, "endpoint", "none"), "port 8080 of 127.0.0.1"),
    ("interface of an endpoint", option(TcpEndpoint, "interface", "empty"), "all interfaces"),
    ("encryption", option(TcpEndpoint, "tls", "none"), "no TLS"),
    (
        "login",
        option(WebSocketService, "auth", "none"),
        "clients are anonymous, with the role `anonymous` if the realm has it",
    ),
    ("rules of a role", option(RoleSection, "permissions", "none"), "everything is denied"),
    ("roles that may do everything", option(RoleSection, "allow-by-default"), "none, unless a rule says so"),
    ("pages that may connect", option(WebSocketOptions, "allowed_origins"), "all pages"),
    ("pages with the origin `null`", option(WebSocketOptions, "allow_null_origin"), "local files may connect"),
    ("clients without an origin", option(WebSocketOptions, "allow_missing_origin"), "programs and devices may connect"),
    (
        "other origins that may use Django's session",
        option(SessionAuth, "trusted_origins"),
        "only pages of the same host, if it is one of `ALLOWED_HOSTS`",
    ),
    ("proxies whose headers are used", option(WebTransport, "trusted_proxies"), "the headers are ignored"),
    (
        "clients without a certificate",
        option(TlsSection, "require_client_certificate", "null"),
        "refused if `ca_certificates` is set",
    ),
    (
        "ciphers of TLS 1.2",
        option(TlsSection, "ciphers", "null"),
        "forward secrecy and authenticated encryption; at least TLS 1.2, no renegotiation, no resumption",
    ),
    ("Strict-Transport-Security", option(WebOptions, "hsts"), "not sent"),
    ("cookie of a service", option(WebSocketService, "cookie", "none"), "no cookie is set"),
    ("cookie over TLS only", option(Cookie, "secure", "null"), "yes, if it was set over TLS"),
    ("cookie hidden from scripts", option(Cookie, "http_strict"), "HttpOnly is set"),
    ("SameSite of the cookie", option(Cookie, "same_site"), "pages of other sites connect without it"),
    ("length of the cookie's value", option(Cookie, "length"), "six random bits each; stored as a hash"),
    (
        "static files for other origins",
        option(StaticOptions, "allow_cross_origin"),
        "scripts of other origins cannot read them",
    ),
    (
        "JSON values for other origins",
        option(JsonOptions, "allow_cross_origin"),
        "scripts of other origins cannot read them",
    ),
    ("version in the Server header", option(WebSocketOptions, "show_server_version"), "not sent"),
    ("compression of messages", option(WebSocketOptions, "compression", "none"), "not offered"),
    ("meta API", option(RealmOptionsSection, "enable_meta_api"), "offered to roles that may call it"),
    (
        "clients may disclose themselves",
        option(RealmOptionsSection, "allow_disclose_me"),
        "only if they ask for it; otherwise only a rule can disclose them",
    ),
    (
        "`manage.py wamp` without a credential",
        setting("LOCAL_OPERATORS"),
        "needs the project's settings *and* its database",
    ),
]
"""The defaults that matter for security. The last column says what they mean."""


def limits() -> str:
    """Return the tables of limits."""
    parts = []
    for subject, rows in LIMITS.items():
        parts.append(f"### {subject}\n\n" + table(("limit", "option", "default", "when it is reached"), rows))
    return "\n".join(parts)


def defaults() -> str:
    """Return the table of safe defaults."""
    return table(("subject", "option", "default", "effect"), DEFAULTS)


def table(head: tuple[str, ...], rows: list[Row]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {subject} | {value.place} | {value.text} | {effect} |" for subject, value, effect in rows]
    return "\n".join(lines) + "\n"


def with_tables(page: str) -> str:
    """Return the page with current tables. Each stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``."""
    for name, text in {"defaults": defaults(), "limits": limits()}.items():
        before, begin, rest = page.partition(f"<!-- begin {name} -->\n")
        _, end, after = rest.partition(f"<!-- end {name} -->")
        if not (begin and end):
            raise ValueError(f"the page has no place for the table of {name}")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page
