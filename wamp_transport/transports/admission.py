"""How many connections a transport has, in all and by address, and whether one more may come."""

from .proxies import TrustedProxies


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
        limit = self.most_per_address
        if limit is None or address is None or self.by_address.get(address, 0) < limit or self.exempt.trusts(address):
            return ""
        return f"{limit} connections from {address} are open, the most that max_connections_per_address allows"

    def enter(self, address: str | None) -> None:
        """A connection has begun."""
        self.count += 1
        if address is not None:
            self.by_address[address] = self.by_address.get(address, 0) + 1

    def leave(self, address: str | None) -> None:
        """A connection that had entered has ended."""
        self.count -= 1
        if address is None:
            return
        left = self.by_address[address] - 1
        if left:
            self.by_address[address] = left
        else:
            del self.by_address[address]
