"""Handlers on a node: where they are put, when they are put there again, and what they are told of callers."""

import asyncio
import logging
import threading

import pytest

from wamp_transport.bootstrap import handlers as module
from wamp_transport.bootstrap.handlers import AppHandlers
from wamp_transport.handlers import Caller, Event, Invocation, register, subscribe
from wamp_transport.handlers.declarations import Registry
from wamp_transport.node.client_types import Result
from wamp_transport.node.local import join
from wamp_transport.node.node import Node
from wamp_transport.router.options import TRUSTED, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError
from wamp_transport.wamp.messages import PublishOptions

OPEN = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
ACKNOWLEDGE = PublishOptions(acknowledge=True)


def realms(*names):
    return RouterOptions(realms={name: RealmOptions(name, OPEN) for name in names})


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    fresh = Registry()
    for place in ("wamp_transport.handlers.declarations.REGISTRY", "wamp_transport.handlers.discovery.REGISTRY"):
        monkeypatch.setattr(place, fresh)
    return fresh


class Stage:
    """A node with the handlers, and clients."""

    def __init__(self, *names, threads=4):
        self.node = Node(realms(*names), asyncio.get_running_loop())
        self.handlers = AppHandlers(self.node, threads)
        self.realms = names

    async def client(self, realm="a", authrole="anonymous"):
        return await join(self.node, realm, authid="joe", authrole=authrole)

    async def settle(self, *names):
        self.node.configure(realms(*names))
        await self.handlers.register_handlers(names)


def play(scenario, *names, threads=4):
    """Run a scenario on a node with these realms."""

    async def whole():
        stage = Stage(*(names or ("a",)), threads=threads)
        await stage.handlers.start()
        await stage.handlers.register_handlers(stage.realms)
        try:
            return await asyncio.wait_for(scenario(stage), 10)
        finally:
            await stage.node.stop(1)
            stage.handlers.close()

    return asyncio.run(whole())


async def eventually(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.001)


async def fails(work):
    with pytest.raises(ApplicationError) as caught:
        await work
    return caught.value


def test_functions_methods_and_coroutines_are_called():
    @register("com.add")
    def add(a: int, b: int = 1):
        return a + b

    @register("com.aadd")
    async def aadd(a: int, b: int):
        return a + b

    class Shop:
        def __init__(self):
            self.sold = 0

        @register("com.sell")
        def sell(self, quantity: int):
            self.sold += quantity
            return self.sold

    @register("com.other")
    class Other:
        async def one(self):
            return 1

    async def scenario(stage):
        client = await stage.client()
        assert (await client.call("com.add", [2])).value == 3
        assert (await client.call("com.aadd", [2, "3"])).value == 5
        assert [(await client.call("com.sell", [2])).value for _ in range(2)] == [2, 4]
        assert (await client.call("com.other.one")).value == 1

    play(scenario)


@pytest.mark.expects_errors("is for realm 'b', which does not exist")
def test_handlers_are_in_the_realms_that_they_are_for(caplog):
    @register("com.everywhere")
    def everywhere(): ...

    @register("com.one", realm="b")
    def one(): ...

    async def scenario(stage):
        assert "one is for realm 'b', which does not exist" in caplog.text
        client = await stage.client("a")
        await client.call("com.everywhere")
        assert (await fails(client.call("com.one"))).uri == errors.NO_SUCH_PROCEDURE
        await stage.settle("a", "b")
        later = await stage.client("b")
        await later.call("com.one")
        await later.call("com.everywhere")
        await stage.settle("a")
        await later.wait_ended()
        await stage.settle("a", "b")
        await (await stage.client("b")).call("com.one")

    play(scenario, "a")


def test_without_handlers_there_is_no_session():
    async def scenario(stage):
        assert not stage.node.connections

    play(scenario)


@pytest.mark.expects_errors("com.mine is not registered in realm 'a', for")
def test_procedure_of_another_is_told_once_and_taken_when_it_is_free(caplog):
    @register("com.mine")
    def mine():
        return "mine"

    async def scenario(stage):
        await stage.settle()
        stage.node.configure(realms("a"))
        client = await stage.client()
        other = await client.register("com.mine", lambda _: "theirs")
        await stage.handlers.register_handlers(["a"])
        await stage.handlers.register_handlers()
        assert caplog.text.count("com.mine is not registered in realm 'a'") == 1
        assert "already" in caplog.text
        await other.unregister()
        await stage.handlers.register_handlers()
        assert (await client.call("com.mine")).value == "mine"

    play(scenario)


def test_session_that_was_killed_comes_back(monkeypatch):
    monkeypatch.setattr(module, "CHECK_INTERVAL_SECONDS", 0.001)

    @register("com.mine")
    def mine():
        return "mine"

    async def scenario(stage):
        trusted = await stage.client(authrole=TRUSTED)
        following = asyncio.ensure_future(stage.handlers.run())
        returned = asyncio.Event()
        await trusted.subscribe("wamp.registration.on_create", lambda _: returned.set())
        await trusted.call("wamp.session.kill_by_authid", [module.SESSION_AUTHID])
        await returned.wait()
        assert (await trusted.call("com.mine")).value == "mine"
        following.cancel()

    play(scenario)


def test_events_are_heard_in_order_with_their_details():
    heard = []

    @subscribe("com.order.", match="prefix")
    def on_order(event: Event, caller: Caller, number: int):
        heard.append((event.topic, number, caller.authid))

    @subscribe("com.order.new")
    async def on_new(number: int):
        heard.append(number)

    async def scenario(stage):
        client = await stage.client()
        for number in range(20):
            await client.publish("com.order.paid", [number], options=ACKNOWLEDGE)
        await client.publish("com.order.new", ["77"], options=PublishOptions(disclose_me=True))
        await eventually(lambda: len(heard) == 22)
        in_order = [("com.order.paid", number, None) for number in range(20)] + [("com.order.new", 77, "joe")]
        assert [one for one in heard if one != 77] == in_order

    play(scenario)


@pytest.mark.expects_errors("failed with an event on")
def test_events_that_do_not_fit_and_handlers_that_fail_are_logged(caplog):
    @subscribe("com.order")
    def on_order(number: int):
        raise ZeroDivisionError(number)

    async def scenario(stage):
        client = await stage.client()
        await client.publish("com.order", ["x"])
        await client.publish("com.order", [5])
        await eventually(
            lambda: "ZeroDivisionError: 5" in caplog.text and "has refused an event on com.order" in caplog.text
        )
        assert "parameter 'number'" in caplog.text

    play(scenario)


@pytest.mark.expects_errors("failed with a call of")
@pytest.mark.parametrize("is_debug", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
def test_exceptions_are_errors_with_details_for_developers_only(settings, caplog, is_debug, is_async):
    settings.DEBUG = is_debug

    if is_async:

        @register("com.fail")
        async def fail():
            raise ZeroDivisionError("secret")
    else:

        @register("com.fail")
        def fail():
            raise ZeroDivisionError("secret")

    async def scenario(stage):
        error = await fails((await stage.client()).call("com.fail"))
        assert error.uri == errors.RUNTIME_ERROR
        assert ("secret" in str(error)) is is_debug
        assert ("traceback" in error.kwargs) is is_debug
        record = next(one for one in caplog.records if one.levelno == logging.ERROR)
        assert "failed with a call of com.fail" in record.message
        assert record.exc_info[0] is ZeroDivisionError

    play(scenario)


@pytest.mark.expects_errors("The handler of com.fail failed")
def test_errors_that_are_meant_reach_the_caller():
    from django.core.exceptions import PermissionDenied, ValidationError

    outcomes = {
        "own": ApplicationError("com.shop.empty", 1, a=2),
        "denied": PermissionDenied(),
        "invalid": ValidationError("too short"),
        "unsayable": object(),
    }

    @register("com.fail")
    def fail(which: str):
        outcome = outcomes[which]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def scenario(stage):
        client = await stage.client()
        own = await fails(client.call("com.fail", ["own"]))
        assert (own.uri, own.args, own.kwargs) == ("com.shop.empty", (1,), {"a": 2})
        assert (await fails(client.call("com.fail", ["denied"]))).uri == errors.NOT_AUTHORIZED
        invalid = await fails(client.call("com.fail", ["invalid"]))
        assert (invalid.uri, invalid.args) == (errors.INVALID_ARGUMENT, ("too short",))
        unsayable = await fails(client.call("com.fail", ["unsayable"]))
        assert (unsayable.uri, unsayable.args) == (
            errors.INVALID_PAYLOAD,
            ("result: a value of type object cannot be sent",),
        )

    play(scenario)


def test_details_and_caller_are_given():
    @register("com.who", match="prefix")
    def who(caller: Caller, details: Invocation):
        return [caller.session, caller.authid, caller.authrole, details.procedure]

    async def scenario(stage):
        client = await stage.client()
        assert (await client.call("com.who.am_i")).value == [client.id, "joe", "anonymous", "com.who.am_i"]

    play(scenario)


@pytest.mark.parametrize("is_async", [True, False])
def test_parts_are_sent_to_who_wants_them_and_collected_for_others(is_async):
    if is_async:

        @register("com.count")
        async def count(end: int):
            for number in range(end):
                yield number
    else:

        @register("com.count")
        def count(end: int):
            yield from range(end)

    async def scenario(stage):
        client = await stage.client()
        parts = [part async for part in client.stream("com.count", [3])]
        assert [part.value for part in parts] == [0, 1, 2, None]
        assert (await client.call("com.count", [3])).value == [0, 1, 2]

    play(scenario)


def test_generator_may_return_the_result():
    @register("com.sum")
    def add(end: int):
        for number in range(end):
            yield Result([number], {"of": end})
        return sum(range(end))

    async def scenario(stage):
        client = await stage.client()
        parts = [part async for part in client.stream("com.sum", [4])]
        assert parts[-1].value == 6
        assert parts[0].kwargs == {"of": 4}
        assert (await client.call("com.sum", [4])).value == 6

    play(scenario)


def test_cancelled_call_ends_coroutines_and_generators():
    ended = []
    begun = threading.Event()

    @register("com.wait")
    async def wait():
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("coroutine")

    @register("com.count")
    def count():
        try:
            while True:
                begun.set()
                yield 1
        finally:
            ended.append("generator")

    async def scenario(stage):
        client = await stage.client()
        for procedure, said in (("com.wait", "coroutine"), ("com.count", "generator")):
            begun.clear()
            call = asyncio.ensure_future(client.call(procedure))
            await eventually(begun.is_set)
            call.cancel()
            await eventually(lambda said=said: said in ended)

    play(scenario)


def test_slow_procedure_delays_no_other():
    go_on = threading.Event()

    @register("com.slow")
    def slow():
        assert go_on.wait(10)

    @register("com.quick")
    def quick():
        return threading.current_thread().name

    async def scenario(stage):
        client = await stage.client()
        waiting = [asyncio.ensure_future(client.call("com.slow")) for _ in range(20)]
        try:
            assert (await client.call("com.quick")).value.startswith("wamp-handler")
            running = [one for one in threading.enumerate() if one.name.startswith("wamp-handler")]
            assert len(running) <= 4
        finally:
            go_on.set()
        await asyncio.gather(*waiting)

    play(scenario, threads=4)


@pytest.mark.expects_errors("Not served:")
def test_handlers_at_fault_are_logged_and_the_others_served(caplog):
    @register("com..wrong")
    def wrong(): ...

    class Shop:
        def __init__(self, number): ...

        @register("com.method")
        def method(self): ...

    @register("com.right")
    def right():
        return 1

    async def scenario(stage):
        assert "Not served" in caplog.text
        assert "'com..wrong' is not a valid URI" in caplog.text
        assert "Shop cannot be instantiated without arguments" in caplog.text
        assert (await (await stage.client()).call("com.right")).value == 1

    play(scenario)
