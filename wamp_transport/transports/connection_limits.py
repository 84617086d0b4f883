"""How many connections a transport has, in all and by address, and whether one more may come."""

from ipaddress import IPv6Address
from typing import Final

from .proxies import TrustedProxies, parsed

NETWORK: Final = (1 << 128) - (1 << 64)
"""The part of an IPv6 address that a client cannot choose as it likes."""


class Admission:
    """The count of a transport's connections. Addresses are text; None stands for a Unix socket.

    ``most`` and ``most_per_address`` may change while connections are open; None for the latter means no limit.
    """

    def __init__(self, most: int, most_per_address: int | None = None, exempt: TrustedProxies | None = None) -> None:
        self.most = most
        self.most_per_address = most_per_address
        self.exempt = exempt or TrustedProxies()
        self.count = 0
        self.by_address: dict[str, int] = {}

    def refusal(self, address: str | None) -> str:
        """Why one more connection from ``address`` cannot be taken; empty where it can."""
        if self.count >= self.most:
            return f"{self.most} connections are open, the most that max_connections allows"
        return self.client_refusal(address)

    def client_refusal(self, address: str | None) -> str:
        """Why a connection that is open cannot be for a client at ``address``, behind a proxy; empty where it can."""
        limit = self.most_per_address
        if limit is None or address is None:
            return ""
        place = counted_as(address)
        if self.by_address.get(place, 0) < limit or self.exempt.trusts(address):
            return ""
        return f"{limit} connections from {place} are open, the most that max_connections_per_address allows"

    def enter(self, address: str | None) -> None:
        """A connection has begun."""
        self.count += 1
        if address is not None:
            self.enter_client(address)

    def leave(self, address: str | None) -> None:
        """A connection that had entered has ended."""
        self.count -= 1
        if address is not None:
            self.leave_client(address)

    def enter_client(self, address: str) -> None:
        """A connection, counted already, is now for a client at ``address``."""
        place = counted_as(address)
        self.by_address[place] = self.by_address.get(place, 0) + 1

    def leave_client(self, address: str) -> None:
        """A connection is no longer for the client that had entered."""
        place = counted_as(address)
        left = self.by_address[place] - 1
        if left:
            self.by_address[place] = left
        else:
            del self.by_address[place]


def counted_as(address: str) -> str:
    """What an address counts as: itself; of IPv6 its network of 64 bits, as a client has all of that to choose from."""
    if ":" not in address:
        return address
    found = parsed(address)
    if isinstance(found, IPv6Address) and not (found.is_link_local or found.is_loopback):
        return f"{IPv6Address(int(found) & NETWORK)}/64"
    return address if found is None else str(found)
