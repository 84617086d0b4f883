"""The options that all scenarios share."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Options:
    url: str
    realm: str = "realm1"
    serializer: str = "json"
    # None means the serializer's subprotocol (wamp.2.json or wamp.2.msgpack) or, for `echo`, no subprotocol.
    subprotocol: str | None = None
    # Seconds to wait for one reply, one join, or the end of a drain.
    timeout: float = 10.0
    warmup: float = 1.0
    duration: float = 5.0
    # The process whose memory and CPU time are reported, including its children.
    server_pid: int | None = None

    def with_server(self, url: str, server_pid: int | None) -> "Options":
        return replace(self, url=url, server_pid=server_pid)
