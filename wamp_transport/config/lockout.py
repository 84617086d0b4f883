"""How many failed logins a service takes before it makes people wait."""

from wamp_transport.config.section import Section, setting


class Lockout(Section):
    """Failed logins are counted in Django's cache: for all processes where they share it, else for each."""

    failures_per_address: int = setting(
        30,
        "Failed logins from one address (of IPv6: one /64 network) within `period`; then no login from there is "
        "tried. 0: no limit. Behind a proxy name it in `trusted_proxies`, or all clients are one address.",
        ge=0,
    )
    failures_per_authid: int = setting(
        10,
        "Failed logins under one authid within `period`, whatever the realm; then none under it is tried. 0: no limit.",
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
        """Whether there is anything to count."""
        return bool(self.failures_per_address or self.failures_per_authid)
