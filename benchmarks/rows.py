"""The rows of the comparison with other routers: the load, the figure that is compared, and the targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CPU = "server_cpu_us_each"


@dataclass(frozen=True)
class Bare:
    """A load for the bare server, which exchanges the same frames without WAMP.

    The figure of this load, multiplied by ``times``, is compared with the figure of the row.
    """

    load: str
    options: Mapping[str, Any]
    path: str = "/echo"
    times: float = 1


@dataclass(frozen=True)
class Row:
    """A row of the table.

    ``targets`` contains, for each other server, the factor by which its figure must exceed ours. ``load`` is a scenario
    of the load generator, a load of :mod:`benchmarks.driver` with a slash before its name, or ``start``. If
    ``is_fresh`` is true, the servers are started again for each round.
    """

    key: str
    title: str
    load: str
    options: Mapping[str, Any]
    targets: Mapping[str, float]
    figure: str = CPU
    unit: str = "µs CPU"
    rate: str = "calls_per_s"
    bare: Bare | None = None
    is_fresh: bool = False
    websocket: Mapping[str, Any] = field(default_factory=dict)


RPC = {"depth": 64, "payload": 64}


def echoed(size: int, depth: int = 32, connections: int = 2) -> Bare:
    """Return the load of a bare server that corresponds to calls. A call has four frames, an echo has two."""
    return Bare("echo", {"payload": size, "depth": depth, "connections": connections}, times=2)


def rpc(key: str, title: str, targets: tuple[float, float], *, bare: int = 0, **options: Any) -> Row:
    """Return a row of calls. ``bare`` is the message size for the bare server; 0 for no comparison with it."""
    named = dict(zip(("crossbar", "xconn"), targets, strict=True))
    return Row(key, title, "rpc", RPC | options, named, bare=echoed(bare) if bare else None)


def pubsub(serializer: str, subscribers: int, targets: tuple[float, float]) -> Row:
    """Return a row of acknowledged publications to one topic."""
    bare = Bare("/to-all", {"subscribers": subscribers, "payload": 110, "window": 16}, path="/all")
    return Row(
        f"pubsub-{subscribers}-{serializer}",
        f"events to {subscribers:,} subscribers, {NAMES[serializer]}",
        "pubsub",
        {"subscribers": subscribers, "serializer": serializer},
        dict(zip(("crossbar", "xconn"), targets, strict=True)),
        rate="events_per_s",
        bare=bare if serializer == "json" else None,
    )


NO_TARGETS = (1, 1)
"""Factors for rows that only show how a figure depends on the load: not slower than the others."""

NAMES = {"json": "JSON", "msgpack": "MessagePack"}

ROWS: tuple[Row, ...] = (
    rpc("rpc-json", "calls, JSON, 64 outstanding", (10, 2.2), bare=110),
    rpc("rpc-msgpack", "calls, MessagePack", (8, 2), serializer="msgpack"),
    rpc("rpc-json-8", "calls, JSON, 8 outstanding", NO_TARGETS, depth=8),
    rpc("rpc-json-1", "calls, JSON, one at a time", NO_TARGETS, depth=1),
    rpc("rpc-json-4k", "calls, JSON, 4 KiB", (7, 2), bare=4096 + 46, payload=4096),
    rpc("rpc-json-64k", "calls, JSON, 64 KiB", (7, 2), bare=65536 + 46, payload=65536, depth=16),
    rpc("rpc-20", "calls, JSON, 20 callers, 4 callees", (10, 2.2), callers=20, callees=4, depth=8),
    *(pubsub(serializer, 10, (10, 6)) for serializer in NAMES),
    *(pubsub(serializer, count, (10, 8)) for count in (100, 1000) for serializer in NAMES),
    Row(
        "pubsub-10-one", "events to 10 subscribers, JSON, one publication at a time", "pubsub",
        {"subscribers": 10, "serializer": "json", "window": 1}, {"crossbar": 1, "xconn": 1}, rate="events_per_s",
    ),
    Row(
        "latency", "a call at a time, JSON, p50", "rpc-latency", {"payload": 64},
        {"crossbar": 1 / 0.45, "xconn": 1 / 0.8}, figure="latency_ms.p50", unit="ms",
    ),
    Row(
        "joins", "sessions opened, 16 at once", "connect", {"sessions": 1000}, {"crossbar": 3, "xconn": 1.3},
        rate="sessions_per_s",
    ),
    Row(
        "idle", "memory of an idle session", "idle", {"sessions": 2000}, {"crossbar": 1 / 0.7, "xconn": 1 / 0.95},
        figure="bytes_per_session", unit="bytes", rate="", is_fresh=True,
    ),
    Row("mixed", "calls, JSON caller, MessagePack callee", "/mixed", RPC, {"crossbar": 7}),
    Row(
        "deflate", "calls, JSON, permessage-deflate", "/deflate", RPC, {"crossbar": 3},
        websocket={"compression": {"deflate": {}}},
    ),
    Row(
        "start", "start to the first session served", "start", {}, {"crossbar": 1 / 0.5}, figure="seconds", unit="s",
        rate="", is_fresh=True,
    ),
)  # fmt: skip

QUICK = ("rpc-json", "rpc-json-4k", "pubsub-10-json", "pubsub-100-json")
"""The rows of ``--quick``, which compares only our router and the bare server, and takes two minutes."""

BARE_LIMIT = 1.6
"""The highest permitted ratio of our CPU time to that of the bare server."""
