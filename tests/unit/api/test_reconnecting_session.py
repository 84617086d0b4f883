"""A session that reconnects, with its subscriptions and registrations."""

import asyncio

import pytest

from wamp_transport.api import reconnecting_session as module
from wamp_transport.api.bridge import LoopBridge
from wamp_transport.api.reconnecting_session import ReconnectingSession, Registration, Subscription
from wamp_transport.node.local import join
from wamp_transport.node.node import Node
from wamp_transport.router.options import RealmOptions, RouterOptions
from wamp_transport.wamp.errors import ApplicationError, TransportError
from wamp_transport.wamp.messages import RegisterOptions, SubscribeOptions


class Place:
    """A node and a reconnecting session there. ``refusals`` says how often it cannot be reached."""

    def __init__(self):
        self.node = Node(RouterOptions(realms={"realm1": RealmOptions("realm1")}), asyncio.get_running_loop())
        self.opened = []
        self.refusals = 0
        self.session = ReconnectingSession(LoopBridge(asyncio.get_running_loop()), self.connect)

    async def connect(self):
        if self.refusals:
            self.refusals -= 1
            raise TransportError("not there")
        self.opened.append(await join(self.node, "realm1", authid="django", authrole="trusted"))
        return self.opened[-1]

    def kill(self):
        self.node.leave(self.opened[-1].id, "wamp.close.killed", "")


def play(scenario, monkeypatch):
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.001)

    async def whole():
        place = Place()
        try:
            await asyncio.wait_for(scenario(place), 10)
        finally:
            await place.session.close()
            await place.node.stop(1)

    asyncio.run(whole())


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0)


def test_session_is_opened_once_and_again_when_it_was_lost(monkeypatch):
    async def scenario(place):
        one, other = await asyncio.gather(place.session.session(), place.session.session())
        assert one is other
        place.kill()
        await one.wait_ended()
        assert await place.session.session() is not one
        assert len(place.opened) == 2

    play(scenario, monkeypatch)


def test_whoever_gives_up_does_not_take_the_session_from_others(monkeypatch):
    async def scenario(place):
        first, second = (asyncio.ensure_future(place.session.session()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).is_open

    play(scenario, monkeypatch)


def test_handlers_are_established_again_after_a_reconnect(monkeypatch, caplog):
    async def scenario(place):
        registration = Registration(place.session, "com.x", lambda invocation: 7, RegisterOptions())
        subscription = Subscription(place.session, "com.y", print, SubscribeOptions())
        for handler in (registration, subscription):
            await place.session.add(handler)
            assert handler.is_active
        place.refusals = 2
        place.kill()
        await until(lambda: len(place.opened) == 2 and registration.is_active and subscription.is_active)
        await registration.aunregister()
        await subscription.aunsubscribe()
        assert not registration.is_active
        place.kill()
        await place.opened[-1].wait_ended()
        assert not subscription.is_active

    play(scenario, monkeypatch)
    assert "reconnects" in caplog.text
    assert "cannot reconnect yet: not there" in caplog.text


def test_handler_that_cannot_be_established_is_discarded(monkeypatch):
    async def scenario(place):
        first = Registration(place.session, "com.x", print, RegisterOptions())
        await place.session.add(first)
        other = await join(place.node, "realm1", authid="other", authrole="trusted")
        await other.register("com.taken", print)
        with pytest.raises(ApplicationError):
            await place.session.add(Registration(place.session, "com.taken", print, RegisterOptions()))
        await other.leave()
        place.kill()
        await until(lambda: len(place.opened) == 2 and first.is_active)
        await (await place.session.session()).register("com.taken", print)

    play(scenario, monkeypatch)


@pytest.mark.expects_errors("com.x could not be established again; this is retried: ")
def test_handler_whose_name_is_taken_after_a_reconnect_is_established_later(monkeypatch, caplog):
    async def scenario(place):
        registration = Registration(place.session, "com.x", print, RegisterOptions())
        await place.session.add(registration)
        place.kill()
        other = await join(place.node, "realm1", authid="other", authrole="trusted")
        await other.register("com.x", print)
        await until(lambda: "com.x could not be established again" in caplog.text)
        assert not registration.is_active
        await other.leave()
        await until(lambda: registration.is_active)
        assert caplog.text.count("could not be established again") == 1

    play(scenario, monkeypatch)


@pytest.mark.expects_errors("could not be established again")
def test_withdrawn_handler_is_not_retried(monkeypatch, caplog):
    async def scenario(place):
        registration = Registration(place.session, "com.x", print, RegisterOptions())
        await place.session.add(registration)
        place.kill()
        other = await join(place.node, "realm1", authid="other", authrole="trusted")
        await other.register("com.x", print)
        await until(lambda: "com.x could not be established again" in caplog.text)
        await registration.aunregister()
        await until(lambda: len(place.session._tasks) == 1)  # only the task that waits for the end of the session
        assert not registration.is_active

    play(scenario, monkeypatch)


def test_router_that_says_nothing_is_given_up_and_asked_again(monkeypatch):
    monkeypatch.setattr(module, "MAX_OPENING_SECONDS", 0.01)

    async def scenario(place):
        connect, place.session._connect = place.session._connect, asyncio.Event().wait
        for _ in range(2):
            with pytest.raises(TransportError, match="has not let a session join"):
                await place.session.session()
        place.session._connect = connect
        assert (await place.session.session()).is_open

    play(scenario, monkeypatch)
