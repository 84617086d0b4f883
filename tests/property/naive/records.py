"""What the naive router knows: peers, sessions, subscriptions, registrations and calls."""

from typing import Any


class Unknown:
    """A value that the real router chooses, or that is not compared. It is fixed by the first look at it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.value: Any = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.value}>"


class Anything:
    """Equal to everything: text for people."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "..."


ANYTHING = Anything()


def agrees(expected: Any, found: Any) -> bool:
    """Whether ``found`` is what was expected; unknown values in it are known afterwards."""
    if isinstance(expected, Unknown):
        if expected.value is None:
            expected.value = found
        return bool(expected.value == found)
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(expected) == len(found)
            and all(map(agrees, expected, found))
        )  # fmt: skip
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and expected.keys() == found.keys()
            and all(agrees(value, found[key]) for key, value in expected.items())
        )
    return bool(expected == found) and isinstance(found, bool) == isinstance(expected, bool)


class Client:
    """A peer: ``state`` is open (no session), joined, leaving (the router said GOODBYE) or closed."""

    def __init__(self, peer: Any, number: int) -> None:
        self.peer = peer
        self.number = number
        self.state = "closed"
        self.session: Session | None = None
        self.due = 0.0
        self.expected: list[list[Any]] = []

    def __repr__(self) -> str:
        return f"client{self.number}"


class Session:
    """One session, there or leaving."""

    authextra: dict[str, Any] | None = None

    def __init__(self, client: Client, session_id: int, realm: Any, role: str, authid: str, features: set[str]) -> None:
        self.client, self.id, self.realm = client, session_id, realm
        self.role, self.authid, self.features = role, authid, features
        self.is_there = True
        self.subscriptions: list[Subscription] = []
        self.registrations: list[Registration] = []
        self.calls: dict[int, OpenCall] = {}
        self.invocations: dict[int, OpenCall] = {}
        self.last_invocation = 0
        self.last_request: int | None = None
        self.streams: set[int] = set()
        self.testaments: dict[str, list[tuple[str, dict[str, Any], list[Any]]]] = {"detached": [], "destroyed": []}

    def receives(self, message: list[Any]) -> None:
        """Unless it has left."""
        if self.is_there:
            self.client.expected.append(message)

    def has(self, feature: str) -> bool:
        return feature in self.features


class Subscription:
    def __init__(self, match: str, topic: str) -> None:
        self.match, self.topic = match, topic
        self.id = Unknown("subscription")
        self.subscribers: list[Session] = []

    @property
    def is_there(self) -> bool:
        return any(session.is_there for session in self.subscribers)


class Callee:
    def __init__(self, session: Session, number: int, options: dict[str, Any]) -> None:
        self.session, self.number = session, number
        self.concurrency = options.get("concurrency", 0)
        self.discloses = options.get("disclose_caller") is True
        self.keeps_time = options.get("forward_timeout") is True and session.has("call_timeout")
        self.wants_timeout = options.get("forward_timeout") is True


class Registration:
    def __init__(self, match: str, procedure: str, invoke: str) -> None:
        self.match, self.procedure, self.invoke = match, procedure, invoke
        self.id = Unknown("registration")
        self.callees: list[Callee] = []
        self.last = 0

    @property
    def is_there(self) -> bool:
        return any(callee.session.is_there for callee in self.callees)

    def in_flight(self, callee: Callee) -> int:
        return sum(call.callee is callee for call in callee.session.invocations.values())


class OpenCall:
    """A call that is not answered. ``options`` and ``args`` are those of its first part."""

    def __init__(self, caller: Session, request_id: int, procedure: str, options: dict[str, Any], args: list[Any]):
        self.caller, self.request_id, self.procedure = caller, request_id, procedure
        self.options, self.args = options, args
        self.registration: Registration
        self.callee: Callee
        self.invocation_id = 0
        self.details: dict[str, Any] = {}
        self.tried: list[Session] = []
        self.is_streaming = options.get("progress") is True
        self.wants_progress = self.is_killed = self.is_disclosed = False
        self.timeout = 0.0
        self.due: tuple[float, int] | None = None
