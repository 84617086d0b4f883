"""The limits that can be set for realms, roles and services, and the limits for failed logins."""

from typing import Any

from wamp_transport.config.section import Section, setting
from wamp_transport.router.options import DEFAULT_LIMITS, Limits


def limit(default: int, help: str, unit: str = "") -> Any:
    """Declare an attribute for a limit. The value 0 means that there is no limit."""
    return setting(default, f"{help}. 0: no limit.", unit=unit, ge=0)


SESSIONS = "Maximum number of simultaneous sessions of this"
CALLS_SIZE = "Maximum total size of one session's calls in flight, in bytes of memory"
URI_LENGTH = "Maximum length of a topic, procedure or error URI in characters"
DEPTH = "Maximum nesting depth of lists and dictionaries in the args or kwargs of a message"


class LimitsSection(Section):
    """Limits for sessions. If a session's realm, role and service set different values, the strictest applies."""

    max_sessions: int = limit(0, f"{SESSIONS} realm, role or service")
    max_subscriptions: int = limit(0, "Maximum number of subscriptions of one session")
    max_registrations: int = limit(0, "Maximum number of registrations of one session")
    max_calls: int = limit(0, "Maximum number of one session's calls in flight")
    max_calls_size: int = limit(0, CALLS_SIZE, unit="bytes")
    max_uri_length: int = limit(0, URI_LENGTH)
    max_depth: int = limit(0, DEPTH)
    max_payload_size: int = limit(
        0, "Maximum size of the args and kwargs of one message in bytes, as received", unit="bytes"
    )

    def limits(self) -> Limits:
        """Build the router's Limits."""
        return Limits(
            sessions=self.max_sessions,
            subscriptions=self.max_subscriptions,
            registrations=self.max_registrations,
            calls=self.max_calls,
            calls_size=self.max_calls_size,
            uri_length=self.max_uri_length,
            depth=self.max_depth,
            payload_size=self.max_payload_size,
        )


class RealmLimitsSection(LimitsSection):
    """The limits of a realm.

    The defaults protect receivers from very long URIs and deeply nested payloads, and limit the memory for open calls.
    """

    max_sessions: int = limit(0, f"{SESSIONS} realm")
    max_calls_size: int = limit(DEFAULT_LIMITS.calls_size, CALLS_SIZE, unit="bytes")
    max_uri_length: int = limit(DEFAULT_LIMITS.uri_length, URI_LENGTH)
    max_depth: int = limit(DEFAULT_LIMITS.depth, DEPTH)


class Lockout(Section):
    """Limits for failed logins. Django's cache stores the counts, so processes with the same cache share them."""

    failures_per_address: int = setting(
        30,
        "Maximum number of failed logins from one address (for IPv6, from one /64 network) within `period`. Further "
        "logins are then refused. 0: no limit. List your proxies in `trusted_proxies`; otherwise all clients behind a "
        "proxy have the same address.",
        ge=0,
    )
    failures_per_authid: int = setting(
        10,
        "Maximum number of failed logins with one authid and method within `period`, in all realms together. Further "
        "logins are then refused. An address from which such a login has succeeded is counted separately. 0: no limit.",
        ge=0,
    )
    period: int = setting(
        300_000,
        "Time in milliseconds from the first failed login until the failures are forgotten.",
        unit="ms",
        ge=1000,
        le=2**31 - 1,
    )

    @property
    def counts(self) -> bool:
        """Whether failed logins must be counted, because at least one limit is set."""
        return bool(self.failures_per_address or self.failures_per_authid)
