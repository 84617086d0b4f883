"""Django signals of the process that serves: sessions that join and leave, failed logins, slow peers, configurations.

    from wamp_transport.signals import SessionInfo, session_joined

    @receiver(session_joined)
    def on_joined(session: SessionInfo, **kwargs: object) -> None: ...

Receivers run in a thread that is there for them alone, one after the other, and may use the ORM; coroutine functions
run there too, on a loop of their own. What they raise is logged.
"""

from dataclasses import dataclass

from django.dispatch import Signal


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session of the router.

    ``service``: the key of the path service it came by; ``address`` that of its peer as the audit trail has it, None
    for local sockets. ``user_pk``: the primary key, as text, of the Django user who logged in by Django's session or a
    token. ``is_local``: it belongs to code of this process.
    """

    id: int
    realm: str
    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    service: str
    address: str | None
    user_pk: str | None
    is_local: bool


@dataclass(frozen=True, slots=True)
class LoginFailure:
    """A login that led to no session: what the peer said it is, and why it was refused.

    ``realm`` and ``authid`` are what was asked for, and may be anything. ``reason`` is the URI that the peer was told.
    ``is_locked_out``: it was not even looked at, as too many have failed before.
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
    """A configuration that runs now. ``generation`` counts from 1 in this process, which is called ``node``.

    ``source``: the file, setting or database it is from.
    """

    generation: int
    source: str
    node: str


session_joined = Signal()
"""``session``: a :class:`SessionInfo`."""

session_left = Signal()
"""``session``: a :class:`SessionInfo`; ``reason``: a URI."""

login_failed = Signal()
"""``failure``: a :class:`LoginFailure`."""

slow_consumer = Signal()
"""``session``: a :class:`SessionInfo`; ``waiting``: how many bytes waited for it when it was closed for being too slow,
None where it is not closed but misses events until it has caught up."""

configuration_applied = Signal()
"""``configuration``: an :class:`AppliedConfiguration`."""
