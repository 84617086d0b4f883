"""Realms, their roles, and the permissions of roles."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from wamp_transport.config.limits import LimitsSection, RealmLimitsSection, limit
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
        "URI or pattern. Without `match` a final * means prefix, and * for a whole component means wildcard.",
        pattern=_LOOSE,
        expected="a URI without blanks and #",
    )
    match: Literal["exact", "prefix", "wildcard"] | None = setting(
        None,
        "How the URI matches: exact, prefix or wildcard (an empty component matches any). "
        "Null: as the stars in the URI say.",
    )
    allow: Allow = setting(Allow(), "Actions that are allowed.")
    disclose: Disclose = setting(Disclose(), "Disclosure of identities to receivers.")
    cache: bool = setting(
        False, "Accepted for compatibility with Crossbar. Static permissions are always cached, so it has no effect."
    )
    payload_types: Any = setting(
        None,
        "Types that payloads must have.",
        alias="validate",
        refused="checking payload types is not offered, and running without it would let any payload pass",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that each star is a whole component or the last character, and not combined with `match`."""
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
    permissions: tuple[PermissionSection, ...] | None = setting(
        None, "What the role may do. Where several cover a URI, exact wins over the longest prefix over wildcards."
    )
    allow_by_default: bool = setting(
        False, "Allow everything. Only if no permissions are given.", alias="allow-by-default"
    )
    trustlevel: int | None = setting(
        None,
        "Trust level of the role's sessions, from 0, shown to receivers of their calls and events. Null: none.",
        ge=0,
    )
    authorizer: str | None = setting(
        None,
        "Procedure that decides on every action instead of `permissions`. It is called with the session's details, the "
        "URI, the action and the options, and answers with true, false or a dictionary.",
        pattern=_PROCEDURE,
        expected="the URI of a procedure",
    )
    authorizer_function: str | None = setting(
        None,
        "Python function that decides instead of a procedure, by its dotted path. It takes the same arguments and "
        "gives the same answers; it may be a coroutine function.",
        pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)+$",
        expected="the dotted path of a function, such as shop.wamp.authorize",
    )
    authorizer_timeout: int = setting(
        10_000,
        "Time in milliseconds that the authorizer may take, from 1. After that the action fails.",
        unit="ms",
        ge=1,
    )
    authorizer_cache_time: int = setting(
        300,
        "Time in seconds for which an answer with `cache` true is remembered, from 0. 0: until the realm's "
        "configuration changes, as in Crossbar.",
        unit="s",
        ge=0,
    )
    authorizer_cache_per_authid: bool = setting(
        False, "Remember an answer only for the authid that it was given for, not for the whole role."
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the role is not reserved for the router, and report settings that have no effect."""
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
        "loose: URI components of anything but blanks, # and dots. strict: of a-z, 0-9 and _ only.",
    )
    event_dispatching_chunk_size: int = setting(
        100,
        "Receivers served at a time, from 1.",
        ge=1,
        ignored="events are sent in slices of the router's own choice",
    )
    enable_meta_api: bool = setting(
        True, "Offer the procedures and events of the meta API, to roles that may use them."
    )
    bridge_meta_api: bool = setting(
        False, "Offer the meta API across linked routers.", ignored="routers are not linked that way"
    )
    allow_disclose_me: bool = setting(
        True, "Honor a client's wish to be disclosed to receivers. False: such a request is an error."
    )
    dialect: Literal["crossbar", "specification"] | None = setting(
        None,
        "crossbar: the answer to GOODBYE repeats the client's reason, wamp.session.on_leave has the session id as its "
        "only argument, and event history has Crossbar's form: newest first, 10 events unless a limit is given, with "
        "the publisher's session, authid and authrole. specification: as specified. "
        "Null: crossbar in a file, specification elsewhere.",
    )
    strict_request_ids: bool = setting(
        False, "Require each session's request ids to count 1, 2, 3 and so on. Some clients do not."
    )
    timeouts_in_seconds: bool = setting(
        False, "Take the timeout of a call as seconds, as Crossbar does, instead of milliseconds."
    )
    strict_progress: bool = setting(
        False,
        "Require clients to announce progressive results, progressive calls and call canceling before they use or "
        "get these, as specified. Autobahn|JS and wampy.js do not announce them.",
    )
    lenient_progress: bool | None = setting(
        None, "The former name of `strict_progress`, with the opposite meaning. Use that one."
    )
    max_call_timeout: int = setting(
        0,
        "Time in milliseconds after which any call ends with an error, from 0. 0: calls may last indefinitely.",
        unit="ms",
        ge=0,
    )
    max_retained: int = setting(10_000, "Topics whose last event is retained, from 0. 0: no limit.", ge=0)
    max_retained_size: int = limit(64 * MIB, "Size of all retained events in bytes of memory", unit="bytes")
    max_retained_share: int = setting(
        50,
        "Percentage of `max_retained` and `max_retained_size` that one publisher (authid) may use, 1 to 100. The role "
        "trusted may use all.",
        unit="%",
        ge=1,
        le=100,
    )
    max_retained_age: int = setting(
        0, "Time in seconds after which a retained event is deleted, from 0. 0: never.", unit="s", ge=0
    )
    max_history_size: int = limit(
        64 * MIB,
        "Size of the events in all event histories in bytes of memory; beyond it the largest history loses its oldest "
        "events",
        unit="bytes",
    )
    max_testaments_size: int = limit(64 * MIB, "Size of all testaments in bytes of memory", unit="bytes")
    max_session_testaments_size: int = limit(MIB, "Size of one session's testaments in bytes of memory", unit="bytes")

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
    """An event history: the events of a topic or pattern are stored."""

    uri: str = setting(..., "Topic or pattern.", pattern=_LOOSE, expected="a URI without blanks and #")
    match: Literal["exact", "prefix", "wildcard"] = setting("exact", "How the URI matches.")
    limit: int | None = setting(None, "Events to keep, from 1. Null: the limit of the store.", ge=1)
    max_age: int = setting(0, "Time in seconds after which an event is dropped, from 0. 0: never.", unit="s", ge=0)

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the URI does not have too many components."""
        yield from _excess(given.get("uri"), given.get("match", "exact"))


class StoreSection(Section):
    """The event store of a realm."""

    type: Literal["memory", "database"] = setting(
        "memory", "memory: until the process ends. database: in the project's database, so that it survives."
    )
    limit: int = setting(100, "Events to keep of each topic or pattern, from 1.", ge=1)
    sync: bool = setting(
        False,
        "For type database: acknowledge a publication only after its event is written. Else events are written every "
        "250 ms, and the last ones are lost if the process is killed.",
    )
    event_history: tuple[HistorySection, ...] = setting(
        (), "Topics and patterns whose events are kept.", alias="event-history"
    )
    call_queue: Any = setting(
        None, "Queues for calls of busy callees.", alias="call-queue", ignored="calls are not queued", quiet=((),)
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
        "Name of the realm: 3 to 255 of letters, digits and _ - @ . with a letter first, or 0x and 40 hex digits.",
        pattern=r"^([A-Za-z][A-Za-z0-9_\-@.]{2,254}|0x[0-9a-fA-F]{40})$",
        expected="3 to 255 of letters, digits and _ - @ . with a letter first",
    )
    roles: tuple[RoleSection, ...] = setting((), "Roles that sessions may have. Without any, nothing is allowed.")
    options: RealmOptionsSection = setting(RealmOptionsSection(), "Options of the realm.")
    store: StoreSection | None = setting(None, "Event history.")
    stats: Any = setting(None, "Statistics.", ignored="statistics of sessions are not offered yet")
    inventory: Any = setting(None, "Catalogue of payload types.", ignored="payload types are not offered")
    rlinks: Any = setting(
        None,
        "Links to other routers.",
        ignored="links to other routers are not offered; nothing passes from or to them",
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
    """Return the URI and match policy for a URI with Crossbar's stars; None if a star is only part of a component."""
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

    Anonymous clients may do everything except with URIs that are reserved for the router.
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
    """Check that permissions, an authorizer procedure and an authorizer function are not given together.

    Report options that have no effect.
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
    """Yield findings about permissions that match no URI which the realm accepts.

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
