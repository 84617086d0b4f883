"""Limits on the number of connections of a transport, in total and per client address."""

from ipaddress import IPv6Address
from typing import Final

from .proxies import TrustedProxies, parsed

IPV6_NETWORK_MASK: Final = (1 << 128) - (1 << 64)
"""The network part of an IPv6 address. Clients can choose the other bits freely."""


class ConnectionLimiter:
    """A limiter that counts the open connections of a transport, and decides whether to refuse another one.

    Addresses are strings. The address of a peer on a Unix socket is None.

    ``max_connections`` and ``max_per_address`` (None for no limit) can change while connections are open. The limit per
    address does not apply to the addresses in ``exempt``.
    """

    def __init__(
        self, max_connections: int, max_per_address: int | None = None, exempt: TrustedProxies | None = None
    ) -> None:
        self.max_connections = max_connections
        self.max_per_address = max_per_address
        self.exempt = exempt or TrustedProxies()
        self.count = 0
        self.by_address: dict[str, int] = {}

    def refusal(self, address: str | None) -> str:
        """Return the reason to refuse another connection from ``address``; empty if it is accepted."""
        if self.count >= self.max_connections:
            return f"{self.max_connections} connections are open, the most that max_connections allows"
        return self.client_refusal(address)

    def client_refusal(self, address: str | None) -> str:
        """Return the reason to refuse another connection for the client at ``address``; empty if it is accepted.

        Unlike :meth:`refusal`, this method checks only the limit per address. Use it for a client behind a trusted
        proxy: the connection itself comes from the proxy and was already checked with the proxy's address.
        """
        limit = self.max_per_address
        if limit is None or address is None:
            return ""
        key = counting_key(address)
        if self.by_address.get(key, 0) < limit or self.exempt.trusts(address):
            return ""
        return f"{limit} connections from {key} are open, the most that max_connections_per_address allows"

    def acquire(self, address: str | None) -> None:
        """Count a new connection."""
        self.count += 1
        if address is not None:
            self.acquire_client(address)

    def release(self, address: str | None) -> None:
        """Stop counting a connection that has ended."""
        self.count -= 1
        if address is not None:
            self.release_client(address)

    def acquire_client(self, address: str) -> None:
        """Count an open connection toward the limit per address for the client at ``address``.

        The client can be behind a proxy. In this case, the connection itself comes from the proxy.
        """
        key = counting_key(address)
        self.by_address[key] = self.by_address.get(key, 0) + 1

    def release_client(self, address: str) -> None:
        """Stop counting a connection that :meth:`acquire_client` has counted for the client at ``address``."""
        key = counting_key(address)
        remaining = self.by_address[key] - 1
        if remaining:
            self.by_address[key] = remaining
        else:
            del self.by_address[key]  # keep no data of clients that are not connected


def counting_key(address: str) -> str:
    """Return the key under which an address is counted.

    For IPv6, this is the /64 network, because one client can use all addresses in such a network. Link-local and
    loopback addresses are counted individually.
    """
    if ":" not in address:
        return address
    found = parsed(address)
    if isinstance(found, IPv6Address) and not (found.is_link_local or found.is_loopback):
        return f"{IPv6Address(int(found) & IPV6_NETWORK_MASK)}/64"
    return address if found is None else str(found)
