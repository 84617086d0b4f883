import asyncio

import pytest

from wamp_transport.node import local
from wamp_transport.node.dynamic_authorizer import DynamicAuthorizer, InvalidAnswer, arguments_of, permit_from
from wamp_transport.node.local import ServiceSessions
from wamp_transport.node.node import Node
from wamp_transport.router.decisions import Permit
from wamp_transport.router.effects import AuthorizationRequest
from wamp_transport.router.options import TRUSTED, AuthorizerOptions, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError
from wamp_transport.wamp.messages import PublishOptions, SubscribeOptions

ROLES = {
    "asked": RoleOptions("asked", authorizer=AuthorizerOptions("com.authorize", timeout=5)),
    "function": RoleOptions("function", authorizer=AuthorizerOptions("function:shop.authorize", timeout=5)),
}
OPTIONS = RouterOptions(realms={"realm1": RealmOptions("realm1", ROLES)})
ACKNOWLEDGE = PublishOptions(acknowledge=True)


class World:
    """A node with authorizers, and sessions on it. ``answer`` is what they answer, or raise."""

    def __init__(self, loop):
        self.loop = loop
        self.asked = []
        self.answer = True
        sessions = ServiceSessions()
        self.node = sessions.node = Node(OPTIONS, loop, authorizer=DynamicAuthorizer(sessions, self.run_function))
        self.server = self.run(local.join(self.node, "realm1", authid="server", authrole=TRUSTED))

    def run(self, work):
        return self.loop.run_until_complete(asyncio.wait_for(work, 10))

    async def run_function(self, path, *arguments):
        self.asked.append([path, *arguments])
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def procedure(self, invocation):
        assert invocation.details["caller_authrole"] == TRUSTED
        return await self.run_function(invocation.procedure, *invocation.args)

    def join(self, role):
        return self.run(local.join(self.node, "realm1", authid="me", authrole=role, authextra={"x": 1}))

    def refusal(self, work):
        with pytest.raises(ApplicationError) as caught:
            self.run(work)
        return caught.value.uri


@pytest.fixture
def here(loop):
    here = World(loop)
    here.run(here.server.register("com.authorize", here.procedure))
    yield here
    here.run(here.node.stop(1))


@pytest.mark.parametrize(("role", "name"), [("asked", "com.authorize"), ("function", "shop.authorize")])
def test_authorizer_is_asked_and_decides(here, role, name):
    session = here.join(role)
    assert here.run(session.publish("com.x", options=ACKNOWLEDGE))
    about = {
        "session": session.id,
        "authid": "me",
        "authrole": role,
        "authmethod": "local",
        "authprovider": "local",
        "authextra": {"x": 1},
        "transport": {"type": "local"},
    }
    assert here.asked == [[name, about, "com.x", "publish", {"acknowledge": True}]]
    here.answer = False
    assert here.refusal(session.publish("com.x", options=ACKNOWLEDGE)) == errors.NOT_AUTHORIZED
    here.answer = {"allow": True, "cache": True}
    pattern = SubscribeOptions(match="prefix")
    here.run(session.subscribe("com.", print, options=pattern))
    here.answer = False
    here.run(session.subscribe("com.", print, options=pattern))
    assert [asked[3:] for asked in here.asked] == [["publish", {"acknowledge": True}]] * 2 + [
        ["subscribe", {"match": "prefix"}]
    ]


@pytest.mark.expects_errors(".authorize")
@pytest.mark.parametrize("answer", [
    None, "yes", {"cache": True}, {"allow": True, "validate": {"call": "x"}}, ApplicationError("com.error", "secret"),
    ZeroDivisionError("secret"),
])  # fmt: skip
@pytest.mark.parametrize("role", ["asked", "function"])
def test_what_is_no_answer_allows_nothing_and_is_logged(here, caplog, answer, role):
    session = here.join(role)
    here.answer = answer
    with pytest.raises(ApplicationError) as caught:
        here.run(session.call("wamp.session.count"))
    assert caught.value.uri == errors.AUTHORIZATION_FAILED
    assert "secret" not in str(caught.value)
    assert f"of role {role} in realm realm1 failed, so session {session.id} may not call" in caplog.text


@pytest.mark.expects_errors("Authorizer com.authorize of role asked in realm realm1 failed")
def test_authorizer_that_nobody_has_registered_allows_nothing(here, caplog):
    here.run(here.server.leave())
    session = here.join("asked")
    assert here.refusal(session.register("com.authorize", print)) == errors.AUTHORIZATION_FAILED
    assert "no_such_procedure" in caplog.text


@pytest.mark.expects_errors("The authorizer function:shop.authorize did not answer in time for session")
def test_authorizer_that_does_not_answer_in_time_allows_nothing(loop, here, caplog):
    session = here.join("function")
    begun = asyncio.Event()

    async def forever(path, *arguments):
        begun.set()
        await asyncio.Event().wait()

    async def subscribe():
        here.node._decision_tasks._authorizer._run_function = forever
        task = asyncio.ensure_future(session.subscribe("com.x", print))
        await begun.wait()
        loop.now += 6
        await task

    assert here.refusal(subscribe()) == errors.AUTHORIZATION_FAILED
    assert "did not answer in time" in caplog.text


@pytest.mark.parametrize(("answer", "expected"), [
    (True, Permit(True)),
    (False, Permit(False)),
    ({"allow": True}, Permit(True)),
    ({"allow": True, "cache": True, "disclose": True}, Permit(True, True, True)),
    ({"allow": False, "cache": True, "validate": None}, Permit(False, False, True)),
])  # fmt: skip
def test_answers_are_decisions(answer, expected):
    assert permit_from(answer) == expected


@pytest.mark.parametrize(("answer", "words"), [
    (None, "NoneType"),
    (1, "got int"),
    ("true", "got str"),
    ([True], "got list"),
    ({}, "'allow' is missing"),
    ({"cache": True}, "'allow' is missing"),
    ({"allow": 1}, "'allow' must be true or false, not int"),
    ({"allow": None}, "'allow' must be"),
    ({"allow": True, "disclose": "yes"}, "'disclose' must be"),
    ({"allow": True, "cache": None}, "'cache' must be"),
    ({"allow": True, "validate": {"call": "x"}}, "'validate'"),
    ({"allow": True, "role": "x"}, "unknown key 'role'"),
    ({"allow": True, 1: 2}, "unknown key 1"),
])  # fmt: skip
def test_invalid_answer_is_reported_without_its_values(answer, words):
    with pytest.raises(InvalidAnswer, match=words):
        permit_from(answer)


def test_arguments_are_values_of_their_own():
    transport = {"type": "websocket"}
    session = {"session": 2, "transport": transport}
    options = PublishOptions(exclude=[3], acknowledge=True)
    request = AuthorizationRequest(1, 2, "realm1", session, "com.a", "publish", "com.x", "exact", options)
    asked = arguments_of(request)
    assert asked == [
        {"session": 2, "transport": transport}, "com.x", "publish", {"exclude": [3], "acknowledge": True}
    ]  # fmt: skip
    asked[0]["transport"]["type"] = "changed"
    assert transport == {"type": "websocket"}


def test_pattern_is_in_the_options():
    request = AuthorizationRequest(
        1, 2, "realm1", {}, "com.a", "subscribe", "com.", "prefix", SubscribeOptions(match="prefix")
    )
    assert arguments_of(request)[3] == {"match": "prefix"}
