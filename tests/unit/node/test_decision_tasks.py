import asyncio
import logging

import pytest

from tests.unit.node.conftest import Recorder
from wamp_transport.node.decision_tasks import DENY_ALL, DecisionTasks
from wamp_transport.node.node import Node
from wamp_transport.router.decisions import Admit, Deny, Permit
from wamp_transport.router.effects import AuthenticationRequest, AuthorizationRequest
from wamp_transport.router.options import (
    AnonymousLogin,
    AuthorizerOptions,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.wamp.messages import Hello, HelloDetails

LOGIN = AuthenticationRequest(1, 7, "service", "ticket", Hello("realm1", HelloDetails()), {})
ACTION = AuthorizationRequest(2, 7, "realm1", {}, "com.a", "call", "com.x", "exact", None)
ADMIT = Admit("realm1", "alice", "dynamic", "ticket", "static")


class Scripted:
    """An authenticator and authorizer that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = []
        self.answers = {}
        self.cancelled = []

    async def _answer(self, request):
        self.asked.append(request)
        self.answers[request.ticket] = asyncio.get_running_loop().create_future()
        try:
            return await self.answers[request.ticket]
        except asyncio.CancelledError:
            self.cancelled.append(request.ticket)
            raise

    authenticate = authorize = _answer


class Asked:
    def __init__(self, loop, script):
        self.loop = loop
        self.script = script
        self.decided = []
        self.deciding = DecisionTasks(loop, script, script, lambda *decided: self.decided.append(decided))

    def turn(self, turns=3):
        async def pause():
            for _ in range(turns):
                await asyncio.sleep(0)

        self.loop.run_until_complete(pause())


@pytest.fixture
def asked(loop):
    return Asked(loop, Scripted())


@pytest.mark.parametrize(("request_", "answer"), [(LOGIN, ADMIT), (ACTION, Permit(True))])
def test_answer_is_told(asked, request_, answer):
    asked.deciding.start(request_)
    asked.turn()
    assert asked.script.asked == [request_]
    assert not asked.decided
    asked.script.answers[request_.ticket].set_result(answer)
    asked.turn()
    assert asked.decided == [(request_.ticket, answer)]
    assert len(asked.deciding) == 0


@pytest.mark.expects_errors("failed for session")
@pytest.mark.parametrize(
    ("request_", "reason"),
    [(LOGIN, "wamp.error.authentication_failed"), (ACTION, "wamp.error.authorization_failed")],
)
def test_exception_is_logged_and_a_refusal(asked, caplog, request_, reason):
    asked.deciding.start(request_)
    asked.turn()
    asked.script.answers[request_.ticket].set_exception(ZeroDivisionError("secret detail"))
    with caplog.at_level(logging.ERROR):
        asked.turn()
    ((_, answer),) = asked.decided
    assert answer.reason == reason
    assert "secret detail" not in answer.message
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("has_begun", [False, True])
def test_withdrawn_question_is_cancelled(asked, has_begun):
    asked.deciding.start(ACTION)
    if has_begun:
        asked.turn()
    asked.deciding.cancel(ACTION.ticket)
    asked.deciding.cancel(ACTION.ticket)
    asked.turn()
    assert not asked.decided
    assert asked.script.cancelled == ([ACTION.ticket] if has_begun else [])
    assert len(asked.deciding) == 0


def test_nobody_says_no(loop):
    assert isinstance(loop.run_until_complete(DENY_ALL.authenticate(LOGIN)), Deny)
    assert isinstance(loop.run_until_complete(DENY_ALL.authorize(ACTION)), Deny)


# --- with a node -----------------------------------------------------------------------------------------------------

SERVICE = ServiceOptions("service", AnonymousLogin("dynamic"), authmethods=frozenset({"ticket"}))
OPTIONS = RouterOptions(
    realms={
        "realm1": RealmOptions("realm1", {"dynamic": RoleOptions("dynamic", authorizer=AuthorizerOptions("com.a"))})
    }
)
HELLO = b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["%s"]}]'


@pytest.fixture
def served(asked, loop, encoder):
    asked.node = Node(OPTIONS, loop, asked.script, asked.script)
    asked.connection = asked.node.connect(SERVICE, encoder, Recorder())
    return asked


def test_node_lets_its_authenticator_decide(served):
    served.connection.receive(HELLO % b"ticket")
    served.turn()
    (request,) = served.script.asked
    served.script.answers[request.ticket].set_result(ADMIT)
    served.turn()
    assert served.connection.transport.written[0].startswith(b"[2,")


def test_node_lets_its_authorizer_decide_and_reads_no_further_meanwhile(served):
    served.connection.receive(HELLO % b"anonymous")
    for number in range(1, 105):
        served.connection.receive(b'[48,%d,{},"com.x"]' % number)
    assert served.connection.transport.pauses == [True]
    for _ in range(104):
        served.turn()
        served.script.answers[served.script.asked[-1].ticket].set_result(Permit(True))
    served.turn()
    assert served.connection.transport.pauses == [True, False]
    answers = served.connection.transport.written[1:]
    assert [each.split(b",")[2] for each in answers] == [b"%d" % number for number in range(1, 105)]


def test_lost_connection_cancels_the_question(served):
    served.connection.receive(HELLO % b"ticket")
    served.turn()
    served.connection.lost()
    served.turn()
    assert served.script.cancelled == [served.script.asked[0].ticket]


def test_connection_that_is_lost_while_it_is_not_read_leaves_nothing(served):
    served.connection.receive(HELLO % b"anonymous")
    for number in range(1, 105):
        served.connection.receive(b'[48,%d,{},"com.x"]' % number)
    served.connection.lost()
    served.turn()
    assert served.connection.transport.pauses[0] is True
    assert not served.node.connections
