"""The Django signals of a serving process: sessions, failed logins, slow peers and applied configurations.

    from wamp_transport.signals import SessionInfo, session_joined

    @receiver(session_joined)
    def on_joined(session: SessionInfo, **kwargs: object) -> None: ...

Receivers run one at a time in a separate thread, and may use the ORM. Coroutine functions run in the same thread, on a
separate event loop. Exceptions of receivers are logged. If receivers are so slow that too many signals are queued,
further signals are dropped and logged.
"""

from dataclasses import dataclass

from django.dispatch import Signal


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session of a router.

    ``is_local`` is True if the session was opened by code in the router's process.

    These attributes are set only in the router's process:

    - ``service``: the key of the service that the client connected to
    - ``address``: the peer's address as in the audit trail, None for local sockets
    - ``user_pk``: the primary key, as text, of the Django user who logged in with Django's session or a token
    """

    id: int
    realm: str
    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    is_local: bool
    service: str = ""
    address: str | None = None
    user_pk: str | None = None


@dataclass(frozen=True, slots=True)
class LoginFailure:
    """A login that was refused.

    ``realm`` is the value that the peer sent, and can contain any text. So can ``authid``, unless the peer has proved
    its identity before the login was refused. ``reason`` is the URI that was sent to the peer. ``is_locked_out`` is
    True if the credentials were not checked, because too many logins had failed.
    """

    realm: str | None
    authid: str | None
    authmethod: str
    service: str
    address: str | None
    reason: str
    message: str
    is_locked_out: bool


@dataclass(frozen=True, slots=True)
class AppliedConfiguration:
    """A configuration that a node has applied.

    ``apply_count`` is the number of configurations that this process has applied, including this one. ``source`` names
    the file, the setting or the database from which the configuration was read. ``node`` is the name of the node, which
    consists of host name and process id. ``revision`` is the revision in the database, or None if the configuration was
    read from a file or a setting.
    """

    apply_count: int
    source: str
    node: str
    revision: int | None


session_joined = Signal()
"""Sent when a session has joined its realm. ``session``: a :class:`SessionInfo`."""

session_left = Signal()
"""Sent when a session has left its realm. ``session``: a :class:`SessionInfo`; ``reason``: a URI."""

login_failed = Signal()
"""Sent when a login was refused. ``failure``: a :class:`LoginFailure`."""

slow_consumer_detected = Signal()
"""Sent when a peer reads too slowly. ``session``: a :class:`SessionInfo`; ``queued_bytes``: the number of queued bytes
if the session is closed, or None if it stays open and misses events and calls until it has caught up."""

configuration_applied = Signal()
"""Sent when a configuration was applied completely, at the start and after each change. ``configuration``: an
:class:`AppliedConfiguration`."""
