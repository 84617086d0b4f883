"""Django signals of the process that serves: sessions, failed logins, slow peers and applied configurations.

    from wamp_transport.signals import SessionInfo, session_joined

    @receiver(session_joined)
    def on_joined(session: SessionInfo, **kwargs: object) -> None: ...

Receivers run one after the other in a thread of their own, and may use the ORM. Coroutine functions run there too, on
an event loop of their own. Exceptions of receivers are logged.
"""

from dataclasses import dataclass

from django.dispatch import Signal


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session of a router.

    ``is_local``: the session belongs to code in the router's process. Known only in that process are ``service``, the
    key of the path service that the session came through; ``address``, the peer's address as in the audit trail, None
    for local sockets; and ``user_pk``, the primary key, as text, of the Django user who logged in with Django's session
    or a token.
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

    ``realm`` and ``authid`` are what the peer asked for: any text at all. ``reason`` is the URI that the peer got.
    ``is_locked_out``: the login was not checked, because too many had failed before.
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

    ``apply_count`` counts the configurations that this process has applied, from 1. ``source`` is the file, the setting
    or the database that the configuration comes from, ``node`` the name of the process. ``revision`` is the database's
    number of this configuration, None if it comes from a file or a setting.
    """

    apply_count: int
    source: str
    node: str
    revision: int | None


session_joined = Signal()
"""Sent when a session has joined its realm. ``session``: a :class:`SessionInfo`."""

session_left = Signal()
"""Sent when a session has left. ``session``: a :class:`SessionInfo`; ``reason``: a URI."""

login_failed = Signal()
"""Sent when a login was refused. ``failure``: a :class:`LoginFailure`."""

slow_consumer_detected = Signal()
"""Sent when a peer reads too slowly. ``session``: a :class:`SessionInfo`; ``queued_bytes``: how many bytes were queued
when the session was closed for it, or None if the session stays open and misses events until it has caught up."""

configuration_applied = Signal()
"""Sent when a configuration was applied, at the start and after each change. ``configuration``: an
:class:`AppliedConfiguration`."""
