"""The limits that can be set for realms, roles and services, and the limits for failed logins."""

from typing import Any

from wamp_transport.config.section import Section, setting
from wamp_transport.router.options import DEFAULT_LIMITS, Limits


def limit(default: int, help: str, unit: str = "") -> Any:
    """Declare an attribute for a limit. The value 0 means that there is no limit."""
    return setting(default, f"{help}, from 0. 0: no limit.", unit=unit, ge=0)


CALLS_SIZE = "Size of one session's calls in flight together in bytes of memory"
URI_LENGTH = "Length of a topic, procedure or error URI in characters"
DEPTH = "Lists and dictionaries inside each other in the args or kwargs of a message"


class LimitsSection(Section):
    """Limits for sessions. If a session's realm, role and service set different values, the strictest applies."""

    max_sessions: int = limit(0, "Sessions at the same time: of the realm, of the role, or through the service")
    max_subscriptions: int = limit(0, "Subscriptions of one session")
    max_registrations: int = limit(0, "Registrations of one session")
    max_calls: int = limit(0, "Calls of one session in flight")
    max_calls_size: int = limit(0, CALLS_SIZE, unit="bytes")
    max_uri_length: int = limit(0, URI_LENGTH)
    max_depth: int = limit(0, DEPTH)
    max_payload_size: int = limit(0, "Size of the args and kwargs of one message in bytes, as received", unit="bytes")

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

    The defaults protect receivers from very long URIs and deeply nested payloads, and the router's memory.
    """

    max_calls_size: int = limit(DEFAULT_LIMITS.calls_size, CALLS_SIZE, unit="bytes")
    max_uri_length: int = limit(DEFAULT_LIMITS.uri_length, URI_LENGTH)
    max_depth: int = limit(DEFAULT_LIMITS.depth, DEPTH)


class Lockout(Section):
    """Limits for failed logins. Django's cache stores the counts, so processes with the same cache share them."""

    failures_per_address: int = setting(
        30,
        "Failed logins from one address (of IPv6: one /64 network) within `period`. Further ones are then "
        "refused. 0: no limit. Name your proxies in `trusted_proxies`, or all clients have the same address.",
        ge=0,
    )
    failures_per_authid: int = setting(
        10,
        "Failed logins with one authid and method within `period`, whatever the realm. Further ones are then refused. "
        "An address from which such a login has succeeded is counted on its own. 0: no limit.",
        ge=0,
    )
    period: int = setting(
        300_000,
        "Time in milliseconds, from 1000, after the first failure until failures are forgotten.",
        unit="ms",
        ge=1000,
        le=2**31 - 1,
    )

    @property
    def counts(self) -> bool:
        """Whether any limit is set."""
        return bool(self.failures_per_address or self.failures_per_authid)
