"""A realm: who is in it, the meta procedures, and the end of sessions."""

from collections.abc import Callable, Iterator
from typing import Any

from wamp_transport.router.options import RealmOptions

from .calls import Calls, Refused, describe
from .records import ANYTHING, Registration, Session, Subscription
from .rights import is_malformed, rule_for

META = (
    "wamp.session.count", "wamp.session.list", "wamp.session.get", "wamp.session.kill", "wamp.session.kill_by_authid",
    "wamp.session.kill_by_authrole", "wamp.session.kill_all", "wamp.session.add_testament",
    "wamp.session.flush_testaments", "wamp.registration.match", "wamp.registration.lookup", "wamp.registration.get",
    "wamp.registration.list_callees", "wamp.registration.remove_callee", "wamp.subscription.match",
    "wamp.subscription.get", "wamp.subscription.list_subscribers", "wamp.subscription.remove_subscriber",
)  # fmt: skip
"""The meta procedures that the machine calls. Arguments by name are given as one dictionary after the others."""


class Realm(Calls):
    def __init__(self, options: RealmOptions, now: Callable[[], float], chance: Callable[[], int]) -> None:
        super().__init__()
        self.options, self.now, self.chance = options, now, chance
        self.sessions: list[Session] = []
        self.leaving: list[Session] = []
        self.reviews: list[Iterator[None]] = []

    # --- the end of a session ---

    def detach(self, session: Session, *, is_quiet: bool = False) -> None:
        session.is_there = False
        self.sessions.remove(session)
        self.detach_calls(session)
        if not is_quiet:
            for topic, options, args in [*session.testaments["detached"], *session.testaments["destroyed"]]:
                if self.publish_fault(session, options, topic) is None:
                    self.deliver(session, 1, options, topic, args)
            identity = [] if self.options.dialect == "crossbar" else [session.authid, session.role]
            self.announce("wamp.session.on_leave", "", session.id, *identity)
        self.leaving.append(session)

    def leave(self, session: Session, reason: str, *, is_quiet: bool = False) -> None:
        """The router ends it."""
        session.receives([6, ANYTHING, reason])
        session.client.state, session.client.session = "leaving", None
        session.client.due = self.now() + 5
        self.detach(session, is_quiet=is_quiet)

    def work(self, steps: int) -> int:
        while steps and self.leaving:
            session = self.leaving[0]
            if session.registrations:
                self.drop_callee(session, session.registrations[0])
            elif session.subscriptions:
                self.drop_subscriber(session, session.subscriptions[0])
            else:
                self.leaving.pop(0)
                continue
            steps -= 1
        while steps and self.reviews:
            try:
                next(self.reviews[0])
            except StopIteration:
                self.reviews.pop(0)
            else:
                steps -= 1
        return steps

    def configure(self, options: RealmOptions) -> None:
        """What sessions hold is looked at again, a piece at each step of work."""
        self.options = options
        if not options.strict_request_ids:
            for session in self.sessions:
                session.last_request = None
        self.reviews = [self.review(session) for session in self.sessions]

    def review(self, session: Session) -> Iterator[None]:
        for registration in list(session.registrations):
            if registration in session.registrations:
                if not self.may_keep(session, "register", registration.procedure, registration.match):
                    self.revoke(session, registration, "wamp.error.not_authorized")
                yield
        for subscription in list(session.subscriptions):
            if subscription in session.subscriptions:
                if not self.may_keep(session, "subscribe", subscription.topic, subscription.match):
                    self.revoke_subscription(session, subscription, "wamp.error.not_authorized")
                yield

    def may_keep(self, session: Session, action: str, uri: str, match: str) -> bool:
        if not session.is_there:
            return True
        allowed = getattr(rule_for(self.options, session.role, uri, match), action)
        return allowed and not is_malformed(self.options, uri, match)

    def revoke_subscription(self, session: Session, subscription: Subscription, reason: str) -> None:
        if session.has("subscription_revocation"):
            session.receives([35, 0, {"subscription": subscription.id, "reason": reason}])
        self.drop_subscriber(session, subscription)

    # --- meta procedures ---

    def is_built_in(self, procedure: str) -> bool:
        return self.options.enable_meta_api and procedure in META

    def built_in(self, session: Session, procedure: str, args: list[Any], options: dict[str, Any]) -> Any:
        _, group, name = procedure.split(".")
        found = getattr(self, f"meta_{group}_{name}")
        return found(session, *args)

    def session_of(self, session_id: int) -> Session:
        for session in self.sessions:
            if session.id == session_id:
                return session
        raise Refused("wamp.error.no_such_session")

    def meta_session_count(self, caller: Session, roles: list[str] | None = None) -> int:
        return len(self.meta_session_list(caller, roles))

    def meta_session_list(self, caller: Session, roles: list[str] | None = None) -> list[int]:
        return [session.id for session in self.sessions if roles is None or session.role in roles]

    def meta_session_get(self, caller: Session, session_id: int) -> dict[str, Any]:
        return details_of(self.session_of(session_id))

    def meta_session_kill(self, caller: Session, session_id: int) -> None:
        if session_id == caller.id:
            raise Refused("wamp.error.no_such_session")
        self.leave(self.session_of(session_id), "wamp.close.killed")

    def kill(self, caller: Session, meant: list[Session], *, is_quiet: bool = False) -> list[int]:
        meant = [session for session in meant if session is not caller]
        for session in meant:
            self.leave(session, "wamp.close.killed", is_quiet=is_quiet)
        return [session.id for session in meant]

    def meta_session_kill_by_authid(self, caller: Session, authid: str) -> Any:
        return self.kill(caller, [session for session in self.sessions if session.authid == authid])

    def meta_session_kill_by_authrole(self, caller: Session, role: str) -> int:
        return len(self.kill(caller, [session for session in self.sessions if session.role == role]))

    def meta_session_kill_all(self, caller: Session) -> int:
        return len(self.kill(caller, self.sessions, is_quiet=True))

    def meta_session_add_testament(self, caller: Session, topic: str, args: list[Any], more: dict[str, Any]) -> None:
        scope = more.get("scope", "destroyed")
        options = {name: value for name, value in more["publish_options"].items() if name != "exclude_me"}
        if scope not in caller.testaments:
            raise Refused("wamp.error.testament_error")
        fault = self.publish_fault(caller, options, topic)
        if fault is not None:
            raise Refused(fault)
        caller.testaments[scope].append((topic, options, args))

    def meta_session_flush_testaments(self, caller: Session, more: dict[str, Any]) -> None:
        scope = more.get("scope", "destroyed")
        if scope not in caller.testaments:
            raise Refused("wamp.error.testament_error")
        caller.testaments[scope].clear()

    def meta_registration_match(self, caller: Session, procedure: str) -> Any:
        try:
            return self.registration_for(procedure).id
        except Refused:
            return None

    def meta_registration_lookup(self, caller: Session, procedure: str, options: dict[str, Any]) -> Any:
        key = (options.get("match", "exact"), procedure)
        found = (each for each in self.registrations if (each.match, each.procedure) == key and each.is_there)
        return next((each.id for each in found), None)

    def registration(self, registration_id: int) -> Registration:
        for registration in self.registrations:
            if registration.id.value == registration_id and registration.is_there:
                return registration
        raise Refused("wamp.error.no_such_registration")

    def meta_registration_get(self, caller: Session, registration_id: int) -> dict[str, Any]:
        return describe(self.registration(registration_id))

    def meta_registration_list_callees(self, caller: Session, registration_id: int) -> list[int]:
        callees = self.registration(registration_id).callees
        return [callee.session.id for callee in callees if callee.session.is_there]

    def meta_registration_remove_callee(self, caller: Session, registration_id: int, session_id: int) -> None:
        registration = self.registration(registration_id)
        for callee in registration.callees:
            if callee.session.id == session_id and callee.session.is_there:
                self.revoke(callee.session, registration, "wamp.error.unregistered")
                return
        raise Refused("wamp.error.no_such_session")

    def meta_subscription_match(self, caller: Session, topic: str) -> Any:
        return [subscription.id for subscription in self.covering(topic) if subscription.is_there] or None

    def subscription(self, subscription_id: int) -> Subscription:
        for subscription in self.subscriptions:
            if subscription.id.value == subscription_id and subscription.is_there:
                return subscription
        raise Refused("wamp.error.no_such_subscription")

    def meta_subscription_get(self, caller: Session, subscription_id: int) -> dict[str, Any]:
        subscription = self.subscription(subscription_id)
        return {
            "id": subscription.id, "created": ANYTHING, "uri": subscription.topic, "match": subscription.match,
        }  # fmt: skip

    def meta_subscription_list_subscribers(self, caller: Session, subscription_id: int) -> list[int]:
        return [session.id for session in self.subscription(subscription_id).subscribers if session.is_there]

    def meta_subscription_remove_subscriber(self, caller: Session, subscription_id: int, session_id: int) -> None:
        subscription = self.subscription(subscription_id)
        for session in subscription.subscribers:
            if session.id == session_id and session.is_there:
                self.revoke_subscription(session, subscription, "wamp.error.unregistered")
                return
        raise Refused("wamp.error.no_such_session")


def details_of(session: Session) -> dict[str, Any]:
    """What others learn of a session. The proofs of a login are for its client alone."""
    shown = {name: value for name, value in (session.authextra or {}).items() if name != "verifier"}
    return {
        "session": session.id, "authid": session.authid, "authrole": session.role, "authmethod": "anonymous",
        "authprovider": "static", "authextra": shown, "transport": ANYTHING,
    }  # fmt: skip
