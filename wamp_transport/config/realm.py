"""Realms, their roles, and the permissions of roles."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from wamp_transport.config.limits import SESSIONS, LimitsSection, RealmLimitsSection, limit
from wamp_transport.config.report import Location, short
from wamp_transport.config.section import Finding, Section, identifier, setting
from wamp_transport.router.options import MIB, AuthorizerOptions, HistoryOptions, Match, Permission, RoleOptions
from wamp_transport.router.permissions import Rules
from wamp_transport.wamp.uris import component_excess, is_uri

_LOOSE = r"^[^\s#]*$"
_PROCEDURE = r"^[^\s#.:]+(\.[^\s#.:]+)*$"

MATCHES: Final[tuple[Match, ...]] = ("exact", "prefix", "wildcard")

FUNCTION_PREFIX: Final = "function:"
"""The prefix that marks an authorizer as a Python function. A URI with a colon is not accepted as an authorizer."""


class Allow(Section):
    """Actions that are allowed. Everything else is denied."""

    may_call: bool = setting(False, "May call procedures.", alias="call")
    may_register: bool = setting(False, "May register procedures.", alias="register")
    may_publish: bool = setting(False, "May publish to topics.", alias="publish")
    may_subscribe: bool = setting(False, "May subscribe to topics.", alias="subscribe")


class Disclose(Section):
    """Whether the identities of callers and publishers are disclosed to receivers."""

    caller: bool = setting(False, "Disclose the caller to the callee.")
    publisher: bool = setting(False, "Disclose the publisher to subscribers.")


class PermissionSection(Section):
    """The permissions of a role for the URIs that match a pattern."""

    uri: str = setting(
        ...,
        "URI or pattern. Without `match`, an asterisk at the end means prefix, and asterisks in place of whole "
        "components mean wildcard.",
        pattern=_LOOSE,
        expected="a URI that contains no blanks and no #",
    )
    match: Literal["exact", "prefix", "wildcard"] | None = setting(
        None,
        "Match policy: exact, prefix or wildcard (an empty component matches any). "
        "Null: determined by the asterisks in the URI.",
    )
    allow: Allow = setting(Allow(), "Actions that are allowed.")
    disclose: Disclose = setting(Disclose(), "Disclosure of identities to receivers.")
    cache: bool = setting(
        False,
        "Accepted for compatibility with Crossbar. It has no effect, because static permissions are always cached.",
    )
    payload_types: Any = setting(
        None,
        "Types that payloads must have.",
        alias="validate",
        refused="checking payload types is not offered, and running without it would let any payload pass",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the pattern does not have too many components, and that its asterisks are valid."""
        uri, match = given.get("uri"), given.get("match")
        yield from _excess(*(_covered(given) or ("", "exact")))
        if not isinstance(uri, str) or "*" not in uri:
            return
        if match is not None:
            yield Finding(("uri",), "a star has no meaning if `match` is given", "remove one of them", level="ignored")
        elif pattern_of(uri) is None:
            yield Finding(
                ("uri",),
                f'expected each * to be a whole component or the last character, found "{short(uri)}"',
                'such as "com.example.*" (prefix) or "com.*.created" (wildcard)',
            )

    def permission(self) -> Permission:
        """Build the router's Permission."""
        uri, match = (self.uri, self.match) if self.match else pattern_of(self.uri) or (self.uri, "exact")
        return Permission(
            uri=uri,
            match=match,
            call=self.allow.may_call,
            register=self.allow.may_register,
            publish=self.allow.may_publish,
            subscribe=self.allow.may_subscribe,
            disclose_caller=self.disclose.caller,
            disclose_publisher=self.disclose.publisher,
        )


class RoleSection(LimitsSection):
    """A role of a realm and its permissions."""

    id: str | None = identifier()
    name: str = setting(..., "Name of the role.", pattern=r"^\S+$", expected="the name of a role, without blanks")
    max_sessions: int = limit(0, f"{SESSIONS} role")
    permissions: tuple[PermissionSection, ...] | None = setting(
        None,
        "Permissions of the role. If several match a URI, an exact match takes precedence, then the longest prefix, "
        "then wildcards.",
    )
    allow_by_default: bool = setting(
        False, "Allow everything. It has no effect if `permissions` are given.", alias="allow-by-default"
    )
    trustlevel: int | None = setting(
        None,
        "Trust level of the role's sessions. It is sent to the receivers of their calls and events. Null: none.",
        ge=0,
    )
    authorizer: str | None = setting(
        None,
        "Procedure that decides on every action instead of `permissions`. It is called with the session's details, the "
        "URI, the action and the options, and returns true, false or a dictionary.",
        pattern=_PROCEDURE,
        expected="the URI of a procedure",
    )
    authorizer_function: str | None = setting(
        None,
        "Dotted path of a Python function that decides instead of a procedure. It takes the same arguments and returns "
        "the same values. It can be a coroutine function.",
        pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)+$",
        expected="the dotted path of a function (such as shop.wamp.authorize)",
    )
    authorizer_timeout: int = setting(
        10_000,
        "Maximum time in milliseconds until the authorizer answers. If it is exceeded, the action fails.",
        unit="ms",
        ge=1,
    )
    authorizer_cache_time: int = setting(
        300,
        "Time in seconds for which an answer that contains `cache: true` is cached. 0: until the realm's configuration "
        "changes, as in Crossbar.",
        unit="s",
        ge=0,
    )
    authorizer_cache_per_authid: bool = setting(
        False, "Cache an answer only for the authid of the session that it was given for, not for the whole role."
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the role is not reserved for the router. Report settings that conflict or have no effect."""
        if given.get("name") == "trusted":
            yield Finding(("name",), "role trusted is the router's own and cannot be defined")
        yield from _authorizer_findings(given)
        permissions = given.get("permissions")
        if given.get("allow-by-default") is True and isinstance(permissions, tuple):
            yield Finding(("allow-by-default",), "has no effect if `permissions` are given", level="ignored")
        seen: dict[Any, int] = {}
        for index, entry in enumerate(permissions if isinstance(permissions, tuple) else ()):
            key = _covered(entry)
            if key is not None and key in seen:
                yield Finding(
                    ("permissions", seen[key]),
                    f"has no effect, as permissions[{index}] is for the same URIs and comes later",
                    level="ignored",
                )
            seen[key] = index
        yield from _unreachable(permissions if isinstance(permissions, tuple) else ())

    def role_options(self) -> RoleOptions:
        """Build the router's RoleOptions.

        If several permissions have the same pattern, the last one applies. ``allow-by-default`` applies only if there
        are no permissions.
        """
        permissions = {(one.uri, one.match): one for one in (entry.permission() for entry in self.permissions or ())}
        return RoleOptions(
            name=self.name,
            permissions=tuple(permissions.values()),
            allow_by_default=self.allow_by_default and self.permissions is None,
            trustlevel=self.trustlevel,
            authorizer=self.authorizer_options(),
            limits=self.limits(),
        )

    def authorizer_options(self) -> AuthorizerOptions | None:
        """Build the router's AuthorizerOptions; None if the role has no authorizer."""
        name = self.authorizer or (self.authorizer_function and FUNCTION_PREFIX + self.authorizer_function)
        if not name:
            return None
        timeout, seconds = self.authorizer_timeout / 1000, self.authorizer_cache_time
        return AuthorizerOptions(name, timeout, seconds, self.authorizer_cache_per_authid)


class RealmOptionsSection(RealmLimitsSection):
    """Options of a realm."""

    uri_check: Literal["strict", "loose"] = setting(
        "loose",
        "loose: URI components may contain any characters except blanks, # and dots. strict: only a-z, 0-9 and _.",
    )
    event_dispatching_chunk_size: int = setting(
        100,
        "Number of receivers to which an event is sent at a time.",
        ge=1,
        ignored="the router itself decides to how many receivers it sends an event at a time",
    )
    enable_meta_api: bool = setting(
        True, "Offer the procedures and events of the meta API to roles that are permitted to use them."
    )
    bridge_meta_api: bool = setting(
        False, "Offer the meta API across linked routers.", ignored="links to other routers are not offered"
    )
    allow_disclose_me: bool = setting(
        True, "Disclose clients to receivers if they request it with `disclose_me`. False: such a request is an error."
    )
    dialect: Literal["crossbar", "specification"] | None = setting(
        None,
        "crossbar: the answer to GOODBYE repeats the client's reason, wamp.session.on_leave has the session id as its "
        "only argument, and event history has Crossbar's form: newest first, 10 events unless a limit is given, with "
        "the publisher's session, authid and authrole. specification: as in the WAMP specification. "
        "Null: crossbar if the configuration is a file, specification otherwise.",
    )
    strict_request_ids: bool = setting(
        False,
        "Require that each session numbers its requests 1, 2, 3 and so on. Some clients do not number requests this "
        "way.",
    )
    timeouts_in_seconds: bool = setting(
        False, "Interpret the timeout of a call in seconds, as Crossbar does, instead of milliseconds."
    )
    strict_progress: bool = setting(
        False,
        "Require clients to announce progressive results, progressive calls and call canceling before they use or "
        "receive them, as in the specification. Autobahn|JS and wampy.js do not announce them.",
    )
    lenient_progress: bool | None = setting(
        None, "The former name of `strict_progress`, with the opposite meaning. Use `strict_progress` instead."
    )
    max_call_timeout: int = setting(
        0,
        "Maximum duration of any call in milliseconds. Longer calls end with an error. 0: no limit.",
        unit="ms",
        ge=0,
    )
    max_retained: int = limit(10_000, "Maximum number of topics with retained events")
    max_retained_size: int = limit(64 * MIB, "Maximum size of all retained events, in bytes of memory", unit="bytes")
    max_retained_share: int = setting(
        50,
        "Percentage of `max_retained` and `max_retained_size` that one publisher (authid) may use. Sessions with the "
        "role trusted may use all of the space.",
        unit="%",
        ge=1,
        le=100,
    )
    max_retained_age: int = setting(
        0, "Maximum age of a retained event in seconds. Older events are deleted. 0: no limit.", unit="s", ge=0
    )
    max_history_size: int = limit(
        64 * MIB,
        "Maximum size of the events in all event histories, in bytes of memory. If it is exceeded, the oldest events "
        "of the largest history are deleted",
        unit="bytes",
    )
    max_testaments_size: int = limit(64 * MIB, "Maximum size of all testaments, in bytes of memory", unit="bytes")
    max_session_testaments_size: int = limit(
        MIB, "Maximum size of one session's testaments, in bytes of memory", unit="bytes"
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Report the use of an option's former name."""
        lenient = given.get("lenient_progress")
        if not isinstance(lenient, bool):
            return
        if "strict_progress" in given:
            yield Finding(("lenient_progress",), "has no effect if `strict_progress` is given", level="ignored")
        else:
            hint = "remove it, as this is the default now" if lenient else "write `strict_progress: true`"
            yield Finding(("lenient_progress",), "is the former name of an option", hint, "ignored")

    @property
    def is_progress_strict(self) -> bool:
        """Whether clients must announce progressive results, progressive calls and call canceling.

        The former option ``lenient_progress`` applies if ``strict_progress`` is not given.
        """
        if self.lenient_progress is None or "strict_progress" in self.model_fields_set:
            return self.strict_progress
        return not self.lenient_progress


class HistorySection(Section):
    """An event history, which stores the events of a topic or pattern."""

    uri: str = setting(
        ...,
        "A topic or pattern whose events are stored.",
        pattern=_LOOSE,
        expected="a URI that contains no blanks and no #",
    )
    match: Literal["exact", "prefix", "wildcard"] = setting("exact", "Match policy of the URI.")
    limit: int | None = setting(None, "Maximum number of stored events. Null: the limit of the store.", ge=1)
    max_age: int = setting(
        0, "Maximum age of an event in seconds. Older events are deleted. 0: no limit.", unit="s", ge=0
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the URI does not have too many components."""
        yield from _excess(given.get("uri"), given.get("match", "exact"))


class StoreSection(Section):
    """The event store of a realm."""

    type: Literal["memory", "database"] = setting(
        "memory",
        "memory: events are lost when the process ends. database: events are stored in the project's database and "
        "survive a restart.",
    )
    limit: int = setting(100, "Maximum number of stored events of each topic or pattern in `event-history`.", ge=1)
    sync: bool = setting(
        False,
        "For type database: acknowledge a publication only after its event has been written. Otherwise events are "
        "written every 250 ms, and the last ones are lost if the process is killed.",
    )
    event_history: tuple[HistorySection, ...] = setting(
        (), "Topics and patterns whose events are stored.", alias="event-history"
    )
    call_queue: Any = setting(
        None, "Queues for calls to busy callees.", alias="call-queue", ignored="calls are not queued", quiet=((),)
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Report an option that has no effect."""
        if given.get("sync") is True and given.get("type", "memory") == "memory":
            yield Finding(("sync",), "has no effect on events in memory", "set `type` to database", "ignored")

    def history_options(self) -> tuple[HistoryOptions, ...]:
        """Build the router's HistoryOptions."""
        return tuple(
            HistoryOptions(
                entry.uri,
                entry.match,
                entry.limit or self.limit,
                entry.max_age,
                is_durable=self.type == "database",
                is_synced=self.type == "database" and self.sync,
            )
            for entry in self.event_history
        )


class RealmSection(Section):
    """A realm. Sessions communicate only within their realm."""

    id: str | None = identifier()
    name: str = setting(
        ...,
        "Name of the realm: 3 to 255 letters, digits or the characters _ - @ . ; the first is a letter. "
        "Also possible: 0x and 40 hex digits.",
        pattern=r"^([A-Za-z][A-Za-z0-9_\-@.]{2,254}|0x[0-9a-fA-F]{40})$",
        expected="3 to 255 letters, digits or the characters _ - @ . (the first is a letter)",
    )
    roles: tuple[RoleSection, ...] = setting((), "Roles that sessions can have. Without roles, nothing is allowed.")
    options: RealmOptionsSection = setting(RealmOptionsSection(), "Options of the realm.")
    store: StoreSection | None = setting(None, "Event history.")
    stats: Any = setting(None, "Statistics.", ignored="statistics of sessions are not offered yet")
    inventory: Any = setting(None, "Catalog of payload types.", ignored="payload types are not offered")
    rlinks: Any = setting(
        None,
        "Links to other routers.",
        ignored="links to other routers are not offered; no messages are exchanged with them",
        quiet=((),),
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that role names are unique, and that the realm accepts the URIs in permissions."""
        roles = given.get("roles")
        options = given.get("options")
        loose = not (isinstance(options, dict) and options.get("uri_check") == "strict")
        seen: dict[str, int] = {}
        for index, role in enumerate(roles if isinstance(roles, tuple) else ()):
            yield from _in_vain(role, loose, ("roles", index, "permissions"))
            name = role.get("name") if isinstance(role, dict) else None
            if not isinstance(name, str):
                continue
            if name in seen:
                yield Finding(("roles", index, "name"), f'role "{short(name)}" is already used by roles[{seen[name]}]')
            seen.setdefault(name, index)


def pattern_of(uri: str) -> tuple[str, Match] | None:
    """Return the URI and match policy for a URI with Crossbar's asterisks; None if the asterisks are invalid.

    A single asterisk at the end means prefix. Otherwise, each asterisk must be a whole component.
    """
    if "*" not in uri:
        return uri, "exact"
    if uri.count("*") == 1 and uri.endswith("*"):
        return uri[:-1], "prefix"
    components = uri.split(".")
    if any("*" in component and component != "*" for component in components):
        return None
    return re.sub(r"\*", "", uri), "wildcard"


def open_realm() -> dict[str, Any]:
    """Return the realm for examples and development.

    Anonymous clients may do everything, except use URIs that are reserved for the router.
    """
    everything = {"call": True, "register": True, "publish": True, "subscribe": True}
    nothing = dict.fromkeys(everything, False)
    return {
        "name": "realm1",
        "roles": [
            {
                "name": "anonymous",
                "permissions": [
                    {"uri": "", "match": "prefix", "allow": everything},
                    {"uri": "wamp.", "match": "prefix", "allow": nothing},
                ],
            }
        ],
    }


def _authorizer_findings(given: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that at most one of these is given: permissions, an authorizer procedure, and an authorizer function.

    Also report options that have no effect.
    """
    named = [name for name in ("authorizer", "authorizer_function") if given.get(name) is not None]
    if len(named) > 1:
        yield Finding(("authorizer_function",), "cannot be given together with `authorizer`", "leave out one of them")
    if named and given.get("permissions"):
        yield Finding((named[0],), "cannot be given together with `permissions`", "leave out one of them")
    if named and given.get("allow-by-default") is True:
        yield Finding(("allow-by-default",), "has no effect if an authorizer decides", level="ignored")
    for name in ("authorizer_timeout", "authorizer_cache_time", "authorizer_cache_per_authid"):
        if name in given and not named:
            yield Finding((name,), "has no effect without an authorizer", level="ignored")


def _excess(uri: object, match: object) -> Iterator[Finding]:
    """Yield a finding if the URI or pattern has too many components."""
    if isinstance(uri, str) and isinstance(match, str) and (excess := component_excess(uri, match)):
        yield Finding(("uri",), excess)


def _in_vain(role: object, loose: bool, location: Location) -> Iterator[Finding]:
    """Yield findings about permissions that never apply, because the realm does not accept their URI or pattern.

    ``loose`` is True if the realm's option ``uri_check`` is ``loose``. ``location`` is the location of the role's
    permissions.
    """
    permissions = role.get("permissions") if isinstance(role, dict) else None
    for index, entry in enumerate(permissions if isinstance(permissions, tuple) else ()):
        uri, match = _covered(entry) or ("", "prefix")
        if match in ("exact", "prefix", "wildcard") and not is_uri(uri, match, loose=loose):
            rule = "loose" if loose else "strict"
            helps = not loose and is_uri(uri, match, loose=True)
            hint = '`options.uri_check` "loose" would accept it' if helps else ""
            yield Finding(
                (*location, index, "uri"), f"covers no URI, as this realm's `uri_check` is {rule}", hint, "ignored"
            )


def _unreachable(permissions: Sequence[Any]) -> Iterator[Finding]:
    """Yield a finding for each permission that never applies, or that allows an action which is always refused."""
    patterns: list[tuple[str, Match] | None] = []
    actions = []
    for entry in permissions:
        uri, match = _covered(entry) or ("", "")
        kind = next((one for one in MATCHES if one == match), None)
        patterns.append((uri, kind) if kind is not None else None)
        allow = entry.get("allow") if isinstance(entry, dict) else None
        given = allow if isinstance(allow, dict) else {}
        actions.append(frozenset(name for name, value in given.items() if value is True))
    yield from find_unreachable(patterns, actions)


def find_unreachable(
    patterns: Sequence[tuple[str, Match] | None], actions: Sequence[frozenset[str]]
) -> Iterator[Finding]:
    """Yield a finding for each rule of a role that never applies, or that allows an action which is always refused.

    Locations are relative to the role. ``patterns`` contains the URI and match policy of each rule, or None for an
    invalid rule. ``actions`` contains the actions that each rule allows.
    """
    places = {pattern: index for index, pattern in enumerate(patterns) if pattern is not None}
    rules = Rules(Permission(*pattern) for pattern in places if pattern[1] == "prefix")
    for (uri, match), index in places.items():
        above = rules.find_all(uri, "wildcard") if match == "wildcard" else []
        if above:
            prefix = above[0].uri
            text = f'has no effect, as permissions[{places[prefix, "prefix"]}] (prefix "{prefix}") covers all of it'
            hint = "prefixes come before wildcards: narrow the prefix, or name the URIs"
            yield Finding(("permissions", index), text, hint, "ignored")
        useless = actions[index] & {"register", "publish"}
        if uri.startswith("wamp.") and useless:
            named = " and ".join(sorted(useless))
            text = f"{named} has no effect here: URIs that start with wamp. belong to the router"
            yield Finding(("permissions", index, "allow"), text, level="ignored")


def _covered(entry: object) -> tuple[str, str] | None:
    if not isinstance(entry, dict):
        return None
    uri, match = entry.get("uri"), entry.get("match")
    if not isinstance(uri, str):
        return None
    return (uri, match) if isinstance(match, str) else pattern_of(uri)
