"""A session that comes back, with what hangs on it."""

import asyncio

import pytest

from wamp_transport.api import reconnecting_session as module
from wamp_transport.api.reconnecting_session import Lasting, Registration, Subscription
from wamp_transport.node.local import join
from wamp_transport.node.node import Node
from wamp_transport.router.options import RealmOptions, RouterOptions
from wamp_transport.wamp.errors import ApplicationError, TransportError
from wamp_transport.wamp.messages import RegisterOptions, SubscribeOptions


class Place:
    """A node, and the lasting session there. ``refusals`` says how often it cannot be reached."""

    def __init__(self):
        self.node = Node(RouterOptions(realms={"realm1": RealmOptions("realm1")}), asyncio.get_running_loop())
        self.opened = []
        self.refusals = 0
        self.lasting = Lasting(asyncio.get_running_loop(), self.connect)

    async def connect(self):
        if self.refusals:
            self.refusals -= 1
            raise TransportError("not there")
        self.opened.append(await join(self.node, "realm1", authid="django", authrole="trusted"))
        return self.opened[-1]

    def kill(self):
        self.node.leave(self.opened[-1].id, "wamp.close.killed", "")


def play(scenario, monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)

    async def whole():
        place = Place()
        try:
            await asyncio.wait_for(scenario(place), 10)
        finally:
            await place.lasting.close()
            await place.node.stop(1)

    asyncio.run(whole())


async def until(condition):
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0)


def test_session_is_opened_once_and_again_when_it_was_lost(monkeypatch):
    async def scenario(place):
        one, other = await asyncio.gather(place.lasting.session(), place.lasting.session())
        assert one is other
        place.kill()
        await one.wait_ended()
        assert await place.lasting.session() is not one
        assert len(place.opened) == 2

    play(scenario, monkeypatch)


def test_whoever_gives_up_does_not_take_the_session_from_others(monkeypatch):
    async def scenario(place):
        first, second = (asyncio.ensure_future(place.lasting.session()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).is_open

    play(scenario, monkeypatch)


def test_what_was_held_is_put_in_force_again(monkeypatch, caplog):
    async def scenario(place):
        registration = Registration(place.lasting, "com.x", lambda invocation: 7, RegisterOptions())
        subscription = Subscription(place.lasting, "com.y", print, SubscribeOptions())
        for held in (registration, subscription):
            await place.lasting.hold(held)
            assert held.is_active
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
    assert "comes back" in caplog.text
    assert "cannot come back yet: not there" in caplog.text


def test_what_cannot_be_put_in_force_is_not_held(monkeypatch):
    async def scenario(place):
        first = Registration(place.lasting, "com.x", print, RegisterOptions())
        await place.lasting.hold(first)
        other = await join(place.node, "realm1", authid="other", authrole="trusted")
        await other.register("com.taken", print)
        with pytest.raises(ApplicationError):
            await place.lasting.hold(Registration(place.lasting, "com.taken", print, RegisterOptions()))
        await other.leave()
        place.kill()
        await until(lambda: len(place.opened) == 2 and first.is_active)
        await (await place.lasting.session()).register("com.taken", print)

    play(scenario, monkeypatch)


def test_router_that_says_nothing_is_given_up_and_asked_again(monkeypatch):
    monkeypatch.setattr(module, "LONGEST_OPENING", 0.01)

    async def scenario(place):
        connect, place.lasting._connect = place.lasting._connect, asyncio.Event().wait
        for _ in range(2):
            with pytest.raises(TransportError, match="has not let a session join"):
                await place.lasting.session()
        place.lasting._connect = connect
        assert (await place.lasting.session()).is_open

    play(scenario, monkeypatch)
