import asyncio

import pytest
from pydantic import TypeAdapter

from wamp_transport.bootstrap.authentication import Authentication, _create_authenticator
from wamp_transport.bootstrap.cookie_logins import CookieLogins
from wamp_transport.bootstrap.cookies import CookieStores
from wamp_transport.bootstrap.identity.identity_services import IdentityServices
from wamp_transport.config.configuration import PathService
from wamp_transport.config.websocket import WebSocketService
from wamp_transport.node.local import ServiceSessions
from wamp_transport.router.decisions import Admit, ChallengePeer, Deny, Skip
from wamp_transport.router.effects import AuthenticationRequest
from wamp_transport.wamp.messages import Authenticate, Hello, HelloDetails

SALTED = {"secret": "x", "salt": "s", "iterations": 5_000_000, "keylen": 32, "role": "user"}


def service(auth):
    settings = TypeAdapter(WebSocketService).validate_python(
        {"type": "websocket", "auth": auth}, context={"environ": {}}
    )
    return {"a/ws": PathService("a/ws", ("ws",), "websocket", settings)}


@pytest.fixture
def authentication():
    made = Authentication(CookieLogins(CookieStores()), ServiceSessions(), IdentityServices("node"))
    yield made
    made.close()


def request(method, signature=None, pending=None, key="a/ws"):
    message = None if signature is None else Authenticate(signature, {})
    hello = Hello("realm1", HelloDetails(authid="joe"))
    return AuthenticationRequest(1, 7, key, method, hello, {}, message, pending)


def ask(authentication, *arguments, **options):
    return asyncio.run(authentication.authenticate(request(*arguments, **options)))


def test_steps_of_a_method_are_taken(authentication):
    authentication.configure(
        service({"ticket": {"type": "static", "principals": {"joe": {"ticket": "x", "role": "u"}}}})
    )
    assert ask(authentication, "ticket") == ChallengePeer("ticket", {})
    assert ask(authentication, "ticket", "x") == Admit("realm1", "joe", "u", "ticket", "static", None)
    assert ask(authentication, "ticket", "y") == Deny()


def test_method_that_is_no_more_gives_way_and_a_service_that_is_no_more_denies(authentication):
    authentication.configure(service({"ticket": {"type": "dynamic", "authenticator": "a.b"}}))
    assert ask(authentication, "wampcra") == Skip()
    assert ask(authentication, "cookie") == Skip()
    assert ask(authentication, "ticket", key="b/ws").reason == "wamp.error.authentication_failed"


def test_service_that_stays_the_same_keeps_what_it_has(authentication):
    auth = {"ticket": {"type": "static", "principals": {}}}
    authentication.configure(service(auth))
    first = authentication._services["a/ws"]
    authentication.configure(service(auth))
    assert authentication._services["a/ws"] is first
    authentication.configure(service({**auth, "anonymous": {"type": "static"}}))
    assert authentication._services["a/ws"] is not first


def test_secret_that_was_changed_is_another_service(authentication):
    def tickets(ticket):
        return service({"ticket": {"type": "static", "principals": {"joe": {"ticket": ticket, "role": "u"}}}})

    authentication.configure(tickets("x"))
    authentication.configure(tickets("y"))
    assert ask(authentication, "ticket", "x") == Deny()
    assert isinstance(ask(authentication, "ticket", "y"), Admit)


@pytest.mark.long
def test_slow_hash_leaves_the_loop_alone(authentication):
    authentication.configure(service({"wampcra": {"type": "static", "users": {"joe": SALTED}}}))

    async def others_go_on():
        login = asyncio.ensure_future(authentication.authenticate(request("wampcra")))
        turns = 0
        while not login.done():
            await asyncio.sleep(0)
            turns += 1
        return login.result(), turns

    challenge, turns = asyncio.run(others_go_on())
    assert isinstance(challenge, ChallengePeer)
    assert turns > 100


def test_too_many_logins_are_told_to_come_later(authentication, monkeypatch):
    authentication.configure(service({"wampcra": {"type": "static", "users": {"joe": SALTED}}}))
    monkeypatch.setattr(authentication._hashing, "max_queued", -authentication._hashing.size)
    assert ask(authentication, "wampcra").reason == "wamp.error.unavailable"


@pytest.mark.expects_errors("Logins with ")
@pytest.mark.parametrize("name", ["nowhere.create", "json.nothing", "json.dumps", f"{__name__}.create_nothing"])
def test_function_that_cannot_be_made_is_told_and_lets_nobody_in(authentication, caplog, name):
    authentication.configure(service({"ticket": {"type": "function", "create": name}}))
    assert name in caplog.text
    assert ask(authentication, "ticket", "x").reason == "wamp.error.authentication_failed"


def create_nothing(config, controller):
    return None


def create_anything(config, controller):
    return lambda *_: (config, controller)


def test_function_is_made_with_its_parameters():
    assert _create_authenticator(f"{__name__}.create_anything", {"a": 1})() == ({"a": 1}, None)
