"""What the router is told: its realms, their roles and permissions, and limits.

Plain immutable values. ``config/`` builds them from its schema; the core reads them and never sees the schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Match = Literal["exact", "prefix", "wildcard"]
Action = Literal["call", "register", "publish", "subscribe"]

ACTIONS: tuple[Action, ...] = ("call", "register", "publish", "subscribe")

TRUSTED = "trusted"
"""The role that may do everything. No login leads to it but that of operators."""

OPERATOR = "operator"
"""The method of those who run the router: the authenticator is asked about it at every service."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a realm, a role or a service allows; 0 means no limit. The strictest one counts for a session.

    ``sessions``: members of the realm or of the role, or sessions that came through the service, at the same time.
    ``subscriptions``, ``registrations``, ``calls`` (in flight): of one session. ``uri_length``: characters of a topic,
    procedure or error URI. ``depth``: lists and dictionaries inside each other in args or kwargs, themselves counted.
    ``payload_size``: bytes of args and kwargs of one message, as received.
    """

    sessions: int = 0
    subscriptions: int = 0
    registrations: int = 0
    calls: int = 0
    uri_length: int = 0
    depth: int = 0
    payload_size: int = 0


DEFAULT_LIMITS = Limits(uri_length=1024, depth=100)
"""A realm's: safe for receivers, whose libraries take fewer levels than this router, and far above what is in use."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What a role may do with the URIs that a pattern covers. What is not allowed is denied."""

    uri: str
    match: Match = "exact"
    call: bool = False
    register: bool = False
    publish: bool = False
    subscribe: bool = False
    disclose_caller: bool = False
    disclose_publisher: bool = False


@dataclass(frozen=True, slots=True)
class AuthorizerOptions:
    """Who is asked what a role may do. ``name`` is for whoever runs it: the URI of a procedure, or another key.

    ``timeout``: seconds after which no answer is a refusal. ``remember_for``: seconds for which an answer that may be
    remembered is, 0 for as long as the realm's configuration stays. ``is_per_authid``: an answer that is remembered
    holds for one authid, not for all of the role.
    """

    name: str
    timeout: float = 10.0
    remember_for: float = 0.0
    is_per_authid: bool = False


@dataclass(frozen=True, slots=True)
class RoleOptions:
    """A role of a realm. ``allow_by_default`` decides where no permission covers a URI.

    ``trustlevel`` is told with each event and invocation that a session of the role causes. Where there is an
    ``authorizer``, it decides, and the permissions do not count.
    """

    name: str
    permissions: tuple[Permission, ...] = ()
    allow_by_default: bool = False
    trustlevel: int | None = None
    authorizer: AuthorizerOptions | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """A topic or pattern whose events are kept: ``limit`` of them at most, for ``max_age`` seconds (0: for ever).

    ``is_durable``: also outside the process, so that they survive a restart.
    """

    uri: str
    match: Match = "exact"
    limit: int = 100
    max_age: float = 0.0
    is_durable: bool = False


@dataclass(frozen=True, slots=True)
class RealmOptions:
    """A realm: its roles by name, its manners and limits. ``max_retained``: topics, 0 means no limit.

    ``loose_uris``: components may hold anything but white space, ``#`` and ``.``. ``strict_request_ids``: a session's
    request ids must count 1, 2, 3. ``timeouts_in_seconds``: the timeout of a CALL is in seconds, as Crossbar has it,
    not in milliseconds. ``max_call_timeout``: seconds after which any call ends. ``lenient_progress``: progressive
    results are taken from callees that did not announce them, or no call canceling.
    """

    name: str
    roles: Mapping[str, RoleOptions] = field(default_factory=dict)
    loose_uris: bool = False
    strict_request_ids: bool = False
    timeouts_in_seconds: bool = False
    lenient_progress: bool = False
    enable_meta_api: bool = True
    allow_disclose_me: bool = True
    max_call_timeout: float = 0.0
    max_retained: int = 10_000
    limits: Limits = DEFAULT_LIMITS
    history: tuple[HistoryOptions, ...] = ()


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """Everything the router is told. Times in seconds.

    ``goodbye_timeout``: how long the router waits for the answer to its GOODBYE.
    ``authentication_timeout``: how long an authenticator may take for each of its answers.
    ``challenge_timeout``: how long a client may take to answer a challenge.
    """

    realms: Mapping[str, RealmOptions] = field(default_factory=dict)
    goodbye_timeout: float = 5.0
    authentication_timeout: float = 10.0
    challenge_timeout: float = 30.0
    agent: str = "wampnode"


@dataclass(frozen=True, slots=True)
class AnonymousLogin:
    """Anonymous authentication of a transport: the role given, and a fixed authid if any.

    ``client_id`` is the authid of a client that is known by its cookie; the configuration says nothing of it, so it
    does not count when two are compared.
    """

    role: str = "anonymous"
    authid: str | None = None
    client_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What a path service says about the sessions that come through it.

    ``key`` names the service for as long as it is configured; its sessions are closed when it goes.
    ``hello_timeout``: seconds that a connection may stay without a session, 0 for ever.
    ``anonymous`` is None where nobody may join without credentials. ``realms`` are those that may be joined, None for
    all. ``authmethods`` are those that an authenticator decides on; ``anonymous`` among them comes before the login
    of that name. ``path`` is the URL path, for messages.
    """

    key: str
    anonymous: AnonymousLogin | None = None
    realms: frozenset[str] | None = None
    authmethods: frozenset[str] = frozenset()
    hello_timeout: float = 10.0
    limits: Limits = Limits()
    path: str = field(default="", compare=False)

    def __hash__(self) -> int:
        return hash(self.key)


LOCAL_SERVICE = ServiceOptions("local", hello_timeout=0)
"""The service of sessions inside the process. No configuration names it."""


def is_narrowed(before: ServiceOptions, after: ServiceOptions) -> bool:
    """Whether sessions of a service could not have come as they have. More methods take nothing from anybody."""
    rest = replace(before, authmethods=after.authmethods, limits=after.limits, hello_timeout=after.hello_timeout)
    return rest != after or bool(before.authmethods - after.authmethods)


def for_same_client(before: ServiceOptions, after: ServiceOptions) -> ServiceOptions:
    """Return ``after`` with the client id that ``before`` has, if any."""
    if before.anonymous is None or before.anonymous.client_id is None or after.anonymous is None:
        return after
    return replace(after, anonymous=replace(after.anonymous, client_id=before.anonymous.client_id))
