"""Define the options of the core: realms, their roles and permissions, services, and limits.

The options are immutable. The package ``config`` builds them from a configuration file or the database. The core itself
does not depend on the schema of the configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

MIB: Final = 1024 * 1024

Match = Literal["exact", "prefix", "wildcard"]
Dialect = Literal["specification", "crossbar"]
Action = Literal["call", "register", "publish", "subscribe"]

ACTIONS: tuple[Action, ...] = ("call", "register", "publish", "subscribe")

TRUSTED = "trusted"
"""The role that may do everything. Only code in the router's process and operators can have it."""

OPERATOR = "operator"
"""The authentication method of the router's operators. It is available at every service."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a realm, a role or a service; 0 means no limit. The strictest limits apply to a session.

    - ``sessions``: simultaneous sessions of the realm, role or service
    - ``subscriptions``, ``registrations``, ``calls`` (in flight): of one session
    - ``uri_length``: characters of a topic, procedure or error URI
    - ``depth``: levels of nested lists and dictionaries; args and kwargs themselves are the first level
    - ``payload_size``: bytes of args and kwargs of one message, as received
    - ``calls_size``: bytes of all calls in flight of one session
    """

    sessions: int = 0
    subscriptions: int = 0
    registrations: int = 0
    calls: int = 0
    uri_length: int = 0
    depth: int = 0
    payload_size: int = 0
    calls_size: int = 0


DEFAULT_LIMITS = Limits(uri_length=1024, depth=100, calls_size=64 * MIB)
"""The default limits of a realm. The depth is safe for client libraries, which accept fewer levels than this router."""


@dataclass(frozen=True, slots=True)
class Permission:
    """The actions that a role may perform on the URIs that match a pattern. All other actions are denied."""

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
    """The dynamic authorizer of a role.

    - ``name``: a procedure URI, or another key that identifies the authorizer
    - ``timeout``: seconds after which a request is refused if the authorizer has not answered
    - ``remember_for``: seconds for which a cacheable answer is cached, 0 to cache it until the realm's configuration
      changes
    - ``is_per_authid``: whether a cached answer is valid only for sessions with the same authid, not for the whole role
    """

    name: str
    timeout: float = 10.0
    remember_for: float = 0.0
    is_per_authid: bool = False


@dataclass(frozen=True, slots=True)
class RoleOptions:
    """A role of a realm. ``allow_by_default`` applies to URIs that no permission covers.

    ``trustlevel`` is sent with the events and invocations that sessions of the role cause. If there is an
    ``authorizer``, it decides, and the permissions are not used.
    """

    name: str
    permissions: tuple[Permission, ...] = ()
    allow_by_default: bool = False
    trustlevel: int | None = None
    authorizer: AuthorizerOptions | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """A topic or pattern with event history: at most ``limit`` events, for ``max_age`` seconds (0 for no limit).

    ``is_durable`` is True if the events are also stored outside the process, so that they survive a restart.
    ``is_synced`` is True if a publication is acknowledged only after it was stored outside the process.
    """

    uri: str
    match: Match = "exact"
    limit: int = 100
    max_age: float = 0.0
    is_durable: bool = False
    is_synced: bool = False


@dataclass(frozen=True, slots=True)
class RealmOptions:
    """The options of a realm, with its roles by name.

    - ``loose_uris``: URI components may contain all characters but white space, ``#`` and ``.``
    - ``strict_request_ids``: the request ids of a session must be 1, 2, 3, ...
    - ``timeouts_in_seconds``: the timeout of a CALL is in seconds, as with Crossbar, not in milliseconds
    - ``strict_progress``: only clients that announced progressive results and progressive calls may use them
    - ``dialect``: with ``crossbar``, the router deviates from the specification in the same way as Crossbar: the answer
      to GOODBYE repeats the client's reason, ``wamp.session.on_leave`` has one argument, and ``get_events`` returns
      events in Crossbar's format
    - ``max_call_timeout``: seconds after which any call ends, 0 for no limit
    - ``max_retained``: number of topics with retained events, 0 for no limit
    - ``max_retained_size``: bytes of all retained events, 0 for no limit
    - ``max_retained_share``: percentage of these two limits that one publisher may use
    - ``max_retained_age``: seconds after which a retained event is deleted, 0 for never
    - ``max_history_size``: bytes of the events in all event histories together, 0 for no limit
    - ``max_testaments_size``, ``max_session_testaments_size``: bytes of all testaments, and of those of one session, 0
      for no limit
    """

    name: str
    roles: Mapping[str, RoleOptions] = field(default_factory=dict)
    loose_uris: bool = True
    strict_request_ids: bool = False
    timeouts_in_seconds: bool = False
    strict_progress: bool = False
    dialect: Dialect = "specification"
    enable_meta_api: bool = True
    allow_disclose_me: bool = True
    max_call_timeout: float = 0.0
    max_retained: int = 10_000
    max_retained_size: int = 64 * MIB
    max_retained_share: int = 50
    max_retained_age: float = 0.0
    max_history_size: int = 64 * MIB
    max_testaments_size: int = 64 * MIB
    max_session_testaments_size: int = MIB
    limits: Limits = DEFAULT_LIMITS
    history: tuple[HistoryOptions, ...] = ()


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """The options of a router. Times are in seconds.

    - ``goodbye_timeout``: maximum time for a client's answer to GOODBYE
    - ``authentication_timeout``: maximum time for each answer of an authenticator
    - ``challenge_timeout``: maximum time for a client's answer to a challenge
    """

    realms: Mapping[str, RealmOptions] = field(default_factory=dict)
    goodbye_timeout: float = 5.0
    authentication_timeout: float = 10.0
    challenge_timeout: float = 30.0
    agent: str = "wampnode"


@dataclass(frozen=True, slots=True)
class AnonymousLogin:
    """The role and, optionally, the fixed authid of anonymous clients of a service.

    ``client_id`` is the authid of a client that was recognized by its cookie. Comparisons ignore it, because it is not
    part of the configuration.
    """

    role: str = "anonymous"
    authid: str | None = None
    client_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """The options of a service for its sessions. A service accepts clients at one path.

    - ``key``: identifies the service in later configurations; when the service is removed, its sessions are closed
    - ``anonymous``: None if nobody may join without credentials
    - ``realms``: the realms that clients may join, None for all
    - ``authmethods``: the methods that an authenticator decides on; if ``anonymous`` is one of them, it takes
      precedence over the anonymous login
    - ``hello_timeout``: seconds that a connection may stay without a session, 0 for no limit
    - ``path``: the URL path, to name the service in messages
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
"""The service of sessions inside the process. It does not appear in the configuration."""


def is_narrowed(before: ServiceOptions, after: ServiceOptions) -> bool:
    """Return whether the sessions of a service must end, because its new options could refuse some of them.

    The sessions stay open if authentication methods, realms or an anonymous login were added, or if the limits or the
    HELLO timeout changed. They must end after any other change.
    """
    widened = replace(
        before,
        anonymous=before.anonymous or after.anonymous,
        realms=after.realms,
        authmethods=after.authmethods,
        limits=after.limits,
        hello_timeout=after.hello_timeout,
    )
    lost_realms = after.realms is not None and (before.realms is None or not before.realms <= after.realms)
    return widened != after or lost_realms or not before.authmethods <= after.authmethods


def for_same_client(before: ServiceOptions, after: ServiceOptions) -> ServiceOptions:
    """Return the new options ``after`` of a service, adapted to a client that has the options ``before``.

    If the client was recognized by its cookie, the result contains its client id.
    """
    if before.anonymous is None or before.anonymous.client_id is None or after.anonymous is None:
        return after
    return replace(after, anonymous=replace(after.anonymous, client_id=before.anonymous.client_id))
