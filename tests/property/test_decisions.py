"""Sessions, decisions that come in any order, and edits of the rules, against a naive model.

Held always: a session's messages have effect in the order sent; nothing is done without a right at the time of its
decision; what a session holds after an edit its role still allows; nothing remains when all have gone.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wamp_transport.router.decisions import Deny, Permit
from wamp_transport.router.effects import AuthorizationRequest
from wamp_transport.router.options import (
    AnonymousLogin,
    AuthorizerOptions,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.testing.memory import MemoryNode, MemoryPeer

from ..effort import examples

TOPICS = ("com.a", "com.b", "com.c")
ROLES = ("first", "second")
WATCH = ServiceOptions("watch", AnonymousLogin("watcher"))
SERVICES = {name: ServiceOptions(name, AnonymousLogin(name)) for name in ROLES}

topics = st.sampled_from(TOPICS)
roles = st.sampled_from(ROLES)
rules = st.one_of(
    st.sampled_from(("com.one", "com.two")), st.frozensets(st.tuples(st.sampled_from(("publish", "subscribe")), topics))
)
"""An authorizer's name, or what is allowed."""


class Sender:
    """A session as the model sees it: ``sent`` are its messages that have not had their effect yet.

    ``is_asking``: the authorizer was asked about the first of them.
    """

    def __init__(self, peer: MemoryPeer, role: str) -> None:
        self.peer = peer
        self.role = role
        self.sent: list[tuple[int, str, str]] = []
        self.topics: dict[int, str] = {}
        self.last = 0
        self.is_asking = False


class Decisions(RuleBasedStateMachine):
    """One machine drives several sessions of two roles whose rules change."""

    @initialize()
    def start(self) -> None:
        self.rules: dict[str, Any] = {"first": "com.one", "second": frozenset()}
        self.remembered: dict[tuple[str, str, str], bool] = {}
        self.node = MemoryNode(self.options())
        self.watcher = self.node.join("realm1", service=WATCH)
        self.watcher.request([32, 1, {"match": "prefix"}, ""])
        self.senders: list[Sender] = []
        self.stale: list[AuthorizationRequest] = []

    def options(self) -> RouterOptions:
        made = {"watcher": RoleOptions("watcher", allow_by_default=True)}
        for name, rights in self.rules.items():
            if isinstance(rights, str):
                made[name] = RoleOptions(name, authorizer=AuthorizerOptions(rights, timeout=5))
            else:
                permissions = tuple(
                    Permission(topic, publish=("publish", topic) in rights, subscribe=("subscribe", topic) in rights)
                    for topic in TOPICS
                )
                made[name] = RoleOptions(name, permissions)
        return RouterOptions(realms={"realm1": RealmOptions("realm1", made, enable_meta_api=False)})

    # --- the model ---------------------------------------------------------------------------------------------------

    def right(self, sender: Sender, action: str, topic: str) -> bool | None:
        """Whether a session may; None where its authorizer must be asked."""
        rights = self.rules[sender.role]
        if isinstance(rights, str):
            return self.remembered.get((sender.role, action, topic))
        return (action, topic) in rights

    def settle(self, sender: Sender, answer: bool | None = None) -> None:
        """What has its effect now: up to the first message that has to be asked about. ``answer`` is for the first."""
        while sender.sent:
            request, action, topic = sender.sent[0]
            # What an authorizer says to others meanwhile is not for who has asked already.
            is_asking = sender.is_asking and isinstance(self.rules[sender.role], str)
            allowed = answer if answer is not None or is_asking else self.right(sender, action, topic)
            answer = None
            sender.is_asking = allowed is None
            if allowed is None:
                break
            sender.sent.pop(0)
            self.expect(sender, request, action, topic, allowed=allowed)
        waits = [each for each in self.node.questions if each.session_id == sender.peer.session_id]
        assert [(each.action, each.uri) for each in waits] == [each[1:] for each in sender.sent[:1]]
        assert not sender.peer.inbox

    def expect(self, sender: Sender, request: int, action: str, topic: str, *, allowed: bool) -> None:
        answer = sender.peer.receive()
        while answer[0] == 36:
            answer = sender.peer.receive()
        if not allowed:
            assert (answer[0], answer[2]) == (8, request)
            return
        assert answer[:2] == [17 if action == "publish" else 33, request]
        if action == "publish":
            event = self.watcher.receive()
            assert (event[3]["topic"], event[4]) == (topic, [sender.peer.session_id, request])
        else:
            sender.topics[answer[2]] = topic

    def drop_events(self) -> None:
        """Events are not what this is about, except those that the watcher gets."""
        for sender in self.senders:
            sender.peer.inbox = type(sender.peer.inbox)(
                data for data in sender.peer.inbox if not data.startswith(b"[36,")
            )

    def others_settle(self) -> None:
        for sender in self.senders:
            self.settle(sender)

    # --- what happens ------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.senders) < 4)
    @rule(role=roles)
    def join(self, role: str) -> None:
        peer = self.node.connect("json", SERVICES[role])
        peer.join("realm1", roles={"publisher": {}, "subscriber": {"features": {"subscription_revocation": True}}})
        self.senders.append(Sender(peer, role))

    @precondition(lambda self: self.senders)
    @rule(data=st.data(), action=st.sampled_from(("publish", "subscribe")), topic=topics)
    def send(self, data: st.DataObject, action: str, topic: str) -> None:
        sender = data.draw(st.sampled_from(self.senders))
        sender.last += 1
        is_waiting = bool(sender.sent)
        sender.sent.append((sender.last, action, topic))
        if action == "publish":
            payload = [sender.peer.session_id, sender.last]
            sender.peer.send([16, sender.last, {"acknowledge": True}, topic, payload])
        else:
            sender.peer.send([32, sender.last, {}, topic])
        self.drop_events()
        if is_waiting:
            assert not sender.peer.inbox
        self.settle(sender)

    @precondition(lambda self: self.node.questions)
    @rule(data=st.data(), answer=st.sampled_from((Permit(True), Permit(False), Permit(True, cache=True), Deny())))
    def decide(self, data: st.DataObject, answer: Permit | Deny) -> None:
        question = data.draw(st.sampled_from(self.node.questions))
        self.stale.append(question)
        sender = next(each for each in self.senders if each.peer.session_id == question.session_id)
        allowed = isinstance(answer, Permit) and answer.allow
        if isinstance(answer, Permit) and answer.cache:
            self.remembered[sender.role, question.action, question.uri] = allowed
        self.node.decide(answer, question)
        self.drop_events()
        self.settle(sender, allowed)

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def decide_again(self, data: st.DataObject) -> None:
        """An answer that nobody waits for changes nothing: the invariants say so."""
        question = data.draw(st.sampled_from(self.stale))
        self.node.decide(Permit(True, cache=True), question)
        self.others_settle()

    @precondition(lambda self: self.node.questions)
    @rule()
    def let_time_pass(self) -> None:
        """All questions that are open are refused, and those that come of it are not."""
        asked = list(self.node.questions)
        self.stale += asked
        self.node.pass_time(5.1)
        self.drop_events()
        for question in asked:
            sender = next(each for each in self.senders if each.peer.session_id == question.session_id)
            self.settle(sender, answer=False)

    @rule(role=roles, rights=rules)
    def edit(self, role: str, rights: Any) -> None:
        if self.rules[role] == rights:
            return
        before, self.rules[role] = self.rules[role], rights
        self.stale += self.node.questions
        self.remembered.clear()
        self.node.configure(self.options())
        self.drop_events()
        for sender in self.senders:
            self.take_revocations(sender, before if sender.role == role else self.rules[sender.role])
            self.settle(sender)

    def take_revocations(self, sender: Sender, before: Any) -> None:
        """What was held and is no longer allowed has gone, no more than that; what comes besides is for later."""
        rights = self.rules[sender.role]
        lost = {
            key
            for key, topic in sender.topics.items()
            if (rights != before if isinstance(rights, str) else ("subscribe", topic) not in rights)
        }
        rest: list[bytes] = []
        revoked = set()
        while sender.peer.inbox:
            data = sender.peer.receive_bytes()
            if data.startswith(b"[35,0,"):
                revoked.add(int(data.split(b'"subscription":')[1].split(b",")[0].rstrip(b"}]")))
            else:
                rest.append(data)
        assert revoked == lost
        for key in revoked:
            del sender.topics[key]
        sender.peer.inbox.extend(rest)

    @precondition(lambda self: self.senders)
    @rule(data=st.data(), way=st.sampled_from(("lost", "killed", "aborts")))
    def leave(self, data: st.DataObject, way: str) -> None:
        sender = data.draw(st.sampled_from(self.senders))
        self.senders.remove(sender)
        self.stale += [each for each in self.node.questions if each.session_id == sender.peer.session_id]
        if way == "lost":
            sender.peer.lose()
        elif way == "killed":
            self.node.leave(sender.peer, "wamp.close.killed")
            sender.peer.send([6, {}, "wamp.close.goodbye_and_out"])
        else:
            sender.peer.send([3, {}, "wamp.close.normal"])
        assert sender.peer.session_id not in self.node.router.sessions
        self.others_settle()

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def nothing_was_done_that_the_model_does_not_know(self) -> None:
        assert not self.watcher.inbox

    @invariant()
    def sessions_hold_what_the_model_says(self) -> None:
        for sender in self.senders:
            session = self.node.router.sessions[sender.peer.session_id]
            assert {key: each.topic for key, each in session.subscriptions.items()} == sender.topics
            assert (session.state == "suspended") is bool(sender.sent)

    def teardown(self) -> None:
        if not hasattr(self, "node"):
            return
        for sender in self.senders:
            sender.peer.lose()
        assert not self.node.questions
        assert self.node.router.next_deadline() is None
        assert not self.node.router._tickets._open
        self.watcher.lose()
        assert not self.node.router.sessions
        assert not self.node.router.realms["realm1"].broker.subscriptions


TestDecisions = Decisions.TestCase
TestDecisions.settings = settings(max_examples=examples(8), stateful_step_count=30, deadline=None)
