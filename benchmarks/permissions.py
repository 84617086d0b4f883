"""Measure the cost of a permission check whose decision is cached: ``python -m benchmarks.permissions``.

The check alone is the code of the dealer that finds the decision. A whole call consists of CALL, INVOCATION, YIELD and
RESULT in the router, without transports and serializers. Roles are compared whose permissions are configured in
different ways, with the same decision.
"""

from collections.abc import Callable
from statistics import median
from time import thread_time_ns

from wamp_transport.router.decisions import Permit
from wamp_transport.router.options import (
    AnonymousLogin,
    AuthorizerOptions,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.testing.memory import MemoryNode, take_effects
from wamp_transport.wamp.messages import Call, CallOptions, Yield, YieldOptions

PROCEDURE = "com.example.n000500.add"
CALLS = 5_000
ROUNDS = 31
RULES = tuple(Permission(f"com.example.n{number:06}.", "prefix", call=True) for number in range(1_000))
ROLES = {
    "everything allowed": RoleOptions("a", allow_by_default=True),
    "1,000 prefix rules": RoleOptions("b", RULES),
    "authorizer, answer kept": RoleOptions("c", authorizer=AuthorizerOptions("com.authorize", remember_for=300)),
    "the same, by authid": RoleOptions(
        "d", authorizer=AuthorizerOptions("com.authorize", remember_for=300, is_per_authid=True)
    ),
}
OPTIONS = RouterOptions(
    realms={
        "realm1": RealmOptions(
            "realm1",
            {role.name: role for role in (*ROLES.values(), RoleOptions("callee", allow_by_default=True))},
        )
    }
)

Work = Callable[[], None]


class Caller:
    """A caller with a role, and a callee, on the same router. ``check``, ``loop`` and ``call`` repeat their work."""

    def __init__(self, role: str) -> None:
        self.node = MemoryNode(OPTIONS)
        callee = self.node.join("realm1", service=ServiceOptions("callee", AnonymousLogin("callee")))
        callee.request([64, 1, {}, PROCEDURE])
        caller = self.node.join("realm1", service=ServiceOptions("caller", AnonymousLogin(role)))
        self.router = self.node.router
        self.caller, self.callee = (self.router.sessions[peer.session_id] for peer in (caller, callee))
        self.role = self.router.realms["realm1"].roles[role]
        self.request_id = self.invocation_id = 0
        caller.send([48, 1, {}, PROCEDURE])
        if self.node.questions:
            self.node.decide(Permit(True, cache=True))
        callee.send([70, 1, {}])
        self.request_id = self.invocation_id = 1
        take_effects(self.router)

    def check(self) -> None:
        """Find the decision, as the dealer does."""
        role, session, options = self.role, self.caller, CallOptions()
        for _ in range(CALLS):
            decision = role.calls.get(PROCEDURE) or role.check(session, "call", PROCEDURE, options)
            if not decision.allowed:
                raise SystemExit("it is not allowed")

    def loop(self) -> None:
        """Run the loop alone, to subtract its time."""
        for _ in range(CALLS):
            pass

    def call(self) -> None:
        """Make whole calls."""
        router, caller, callee = self.router, self.caller.id, self.callee.id
        for _ in range(CALLS):
            self.request_id += 1
            self.invocation_id += 1
            router.receive(caller, Call(self.request_id, CallOptions(), PROCEDURE))
            router.receive(callee, Yield(self.invocation_id, YieldOptions()))
            if len(take_effects(router)) != 2:
                raise SystemExit("no call came of it")


def nanoseconds(work: Work) -> float:
    """Return the CPU time of one repetition, in nanoseconds."""
    begin = thread_time_ns()
    work()
    return (thread_time_ns() - begin) / CALLS


def main() -> None:
    """Measure all roles and print the table."""
    callers = {name: Caller(role.name) for name, role in ROLES.items()}
    # Measure all roles in each round, so that other load on the machine affects them equally.
    checks: dict[str, list[float]] = {name: [] for name in callers}
    calls: dict[str, list[float]] = {name: [] for name in callers}
    for _ in range(ROUNDS):
        for name, caller in callers.items():
            checks[name].append(nanoseconds(caller.check) - nanoseconds(caller.loop))
            calls[name].append(nanoseconds(caller.call))
    first = next(iter(callers))
    print(f"{'ns of CPU time each':<28}{'check':>8}{'call':>8}   call, more than the first")
    for name in callers:
        more = median(one - other for one, other in zip(calls[name], calls[first], strict=True))
        print(f"{name:<28}{median(checks[name]):>8,.0f}{median(calls[name]):>8,.0f}{more:>10,.0f}")


if __name__ == "__main__":
    main()
