"""What remains in a router that nobody uses: a walk through all that it holds."""

from collections import deque
from collections.abc import Iterator
from types import MethodType
from typing import Any

from wamp_transport.router.broker import Broker
from wamp_transport.router.calls import Calls
from wamp_transport.router.deadlines import Deadline, Deadlines
from wamp_transport.router.dealer import Dealer
from wamp_transport.router.matching import PatternIndex, _Shape
from wamp_transport.router.pattern_registry import PatternRegistry
from wamp_transport.router.realm import Realm
from wamp_transport.router.records import Callee, CallRecord, Registration, Session, Subscription
from wamp_transport.router.router import Router
from wamp_transport.router.suspension import SuspendedMessages
from wamp_transport.router.tickets import Tickets

WALKED = (
    Broker,
    Calls,
    Deadlines,
    Dealer,
    MethodType,
    PatternIndex,
    PatternRegistry,
    Realm,
    Router,
    SuspendedMessages,
    Tickets,
    _Shape,
)
TRACES = (Session, Subscription, Registration, Callee, CallRecord, Deadline)
CONFIGURED = ("_options", "_handlers", "_on_deadline", "roles", "_roles", "_router_procedures")
"""What is in these is there by configuration; it is not looked into."""


def leftovers(router: Router) -> list[str]:
    """Where records of what has been are, and containers that are not empty. ``realms`` are walked, and what they own.

    Retained events stay; they hold no session.
    """
    found = []
    seen = set()
    waiting: list[tuple[str, Any]] = [("router", router)]
    while waiting:
        path, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, TRACES):
            found.append(f"{path}: {type(value).__name__}")
        elif isinstance(value, dict | list | set | deque):
            if value and path != "router.realms":
                found.append(f"{path}: {len(value)} left")
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(f"{path}[{key!r}]", part) for key, part in parts]
        elif isinstance(value, tuple):
            waiting += [(f"{path}[{place}]", part) for place, part in enumerate(value)]
        elif isinstance(value, WALKED):
            waiting += [(f"{path}.{name}", part) for name, part in attributes(value)]
    return found


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds, in slots or not."""
    if isinstance(value, MethodType):
        yield "__self__", value.__self__
        return
    names = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())}
    for name in sorted((names | getattr(value, "__dict__", {}).keys()).difference(CONFIGURED)):
        yield name, getattr(value, name, None)
