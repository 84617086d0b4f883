import asyncio
import threading

import pytest
from pydantic import TypeAdapter

from wamp_transport.bootstrap.authentication import Authentication, Busy, Threads, _made
from wamp_transport.bootstrap.cookie_logins import CookieLogins
from wamp_transport.bootstrap.cookies import CookieStores
from wamp_transport.bootstrap.identity.identities import Identities
from wamp_transport.config.configuration import PathService
from wamp_transport.config.websocket import WebSocketService
from wamp_transport.node.local import ServiceSessions
from wamp_transport.router.answers import Admit, Challenge, Deny, Skip
from wamp_transport.router.effects import Authenticate
from wamp_transport.wamp.messages import Authenticate as AuthenticateMessage
from wamp_transport.wamp.messages import Hello, HelloDetails

SALTED = {"secret": "x", "salt": "s", "iterations": 5_000_000, "keylen": 32, "role": "user"}


def service(auth):
    settings = TypeAdapter(WebSocketService).validate_python(
        {"type": "websocket", "auth": auth}, context={"environ": {}}
    )
    return {"a/ws": PathService("a/ws", ("ws",), "websocket", settings)}


@pytest.fixture
def authentication():
    made = Authentication(CookieLogins(CookieStores()), ServiceSessions(), Identities("node"))
    yield made
    made.close()


def request(method, signature=None, pending=None, key="a/ws"):
    message = None if signature is None else AuthenticateMessage(signature, {})
    hello = Hello("realm1", HelloDetails(authid="joe"))
    return Authenticate(1, 7, key, method, hello, {}, message, pending)


def ask(authentication, *arguments, **options):
    return asyncio.run(authentication.authenticate(request(*arguments, **options)))


def test_steps_of_a_method_are_taken(authentication):
    authentication.configure(
        service({"ticket": {"type": "static", "principals": {"joe": {"ticket": "x", "role": "u"}}}})
    )
    assert ask(authentication, "ticket") == Challenge("ticket", {})
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
    assert isinstance(challenge, Challenge)
    assert turns > 100


def test_queue_of_slow_work_ends():
    gate, threads = threading.Event(), Threads("test", 1, longest=1)

    async def fill():
        waiting = [asyncio.ensure_future(threads.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await threads.run(gate.wait)
        gate.set()
        assert await asyncio.gather(*waiting) == [True, True]
        assert await threads.run(lambda: 5) == 5

    asyncio.run(fill())
    threads.close()


def test_what_waits_too_long_is_given_up_and_never_begun():
    gate, begun, threads = threading.Event(), [], Threads("test", 1, longest_wait=0.05)

    async def fill():
        first = asyncio.ensure_future(threads.run(gate.wait))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await threads.run(lambda: begun.append("late"))
        assert not first.done()
        gate.set()
        assert await first
        assert await threads.run(lambda: 5) == 5

    asyncio.run(fill())
    threads.close()
    assert begun == []


def test_who_gives_up_by_itself_is_not_told_to_come_later():
    gate, threads = threading.Event(), Threads("test", 1)

    async def leave():
        first, second = (asyncio.ensure_future(threads.run(gate.wait)) for _ in range(2))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.set()
        assert await first

    asyncio.run(leave())
    threads.close()


def test_too_many_logins_are_told_to_come_later(authentication, monkeypatch):
    authentication.configure(service({"wampcra": {"type": "static", "users": {"joe": SALTED}}}))
    monkeypatch.setattr(authentication._hashing, "_longest", 0)
    assert ask(authentication, "wampcra").reason == "wamp.error.unavailable"


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
    assert _made(f"{__name__}.create_anything", {"a": 1})() == ({"a": 1}, None)
