"""The test tools, used as a project uses them: clients, assertions, transactions, the clock."""

import asyncio
import threading
import time
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import connection, transaction

from tests.django.test_handlers import registry, shop  # noqa: F401 - fixtures
from tests.shop.models import Product
from wamp_transport import api
from wamp_transport.api import backends
from wamp_transport.handlers import Caller, Event, register, subscribe
from wamp_transport.model_events import publish_model_events, signal_receivers
from wamp_transport.models import UserRole
from wamp_transport.testing import (
    InMemoryRouter,
    NoEventReceived,
    StalledError,
    WampClient,
    active_router,
    assert_called,
    assert_not_called,
    assert_not_published,
    assert_published,
    run_on_commit,
)


@pytest.fixture
def router(registry):  # noqa: F811
    """A router without any handlers but those that the test declares."""
    with InMemoryRouter() as router:
        yield router


@pytest.fixture
def shop_client(shop):  # noqa: F811
    with InMemoryRouter():
        yield WampClient()


def message(function):
    """What an assertion says."""
    with pytest.raises(AssertionError) as caught:
        function()
    return str(caught.value).splitlines()


async def begun(router):
    """Until a call has begun."""
    async with asyncio.timeout(10):
        while not router.calls:
            await asyncio.to_thread(time.sleep, 0.001)


# --- handlers --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_handlers_run_in_the_transaction_of_the_test(shop_client):
    Product.objects.create(sku="tea", price="2.50")
    assert connection.in_atomic_block
    assert shop_client.call("com.shop.price", "tea", kwargs={"quantity": "2"}) == "5.00"
    assert shop_client.call("com.shop.async_price", "tea") == "2.50"
    assert shop_client.call("com.shop.all") == [{"sku": "tea", "price": "2.50"}]
    shop_client.publish("com.shop.added.ink", "1.10")
    assert Product.objects.get(sku="ink").price == Decimal("1.10")


@pytest.mark.django_db
def test_nobody_closes_the_connection_of_the_test(shop_client, monkeypatch):
    closed = []
    monkeypatch.setattr(connection, "close", lambda: closed.append(True))
    Product.objects.create(sku="tea", price="2.50")
    for procedure in ("com.shop.price", "com.shop.async_price"):
        assert shop_client.call(procedure, "tea") == "2.50"
    assert closed == []


@pytest.mark.django_db
def test_progressive_results_of_a_function(shop_client):
    Product.objects.create(sku="tea", price="2.50")
    Product.objects.create(sku="ink", price="1.50")
    assert list(shop_client.stream("com.shop.all")) == [
        {"sku": "ink", "price": "1.50"},
        {"sku": "tea", "price": "2.50"},
        None,
    ]


@pytest.mark.django_db
def test_arguments_are_validated(shop_client):
    with pytest.raises(api.InvalidArgument, match="quantity"):
        shop_client.call("com.shop.price", "tea", "many")


@pytest.mark.django_db
def test_client_is_the_user_it_was_made_for(shop_client):
    joe = User.objects.create_user("joe")
    client = WampClient(joe)
    assert client.call("com.shop.me") == {"authid": "joe", "user": "joe"}
    assert (client.session.authid, client.session.authrole) == ("joe", "user")
    with pytest.raises(api.NotAuthorized, match=r"shop\.delete_product"):
        client.call("com.shop.delete", "tea")
    joe.user_permissions.add(Permission.objects.get(codename="delete_product"))
    assert client.call("com.shop.delete", "tea") == 0
    assert shop_client.call("com.shop.me") == {"authid": "anonymous", "user": None}
    assert WampClient(authid="joe", role="guest").call("com.shop.me")["authid"] == "joe"


@pytest.mark.expects_errors("failed with a call of")
@pytest.mark.django_db
def test_exception_of_a_handler_is_the_cause_of_the_error(shop_client):
    with pytest.raises(api.ApplicationError) as caught:
        shop_client.call("com.shop.price", "nothing")
    assert caught.value.uri == "wamp.error.runtime_error"
    assert isinstance(caught.value.__cause__, Product.DoesNotExist)
    (failure,) = shop_client.router.failures
    assert str(failure).startswith("tests.shop.live.wamp.price (com.shop.price): DoesNotExist")


@pytest.mark.expects_errors("failed with an event on")
def test_subscriber_that_fails_fails_the_test(router):
    @subscribe("com.shop.sold")
    def sold(sku: str) -> None:
        raise LookupError(sku)

    with pytest.raises(LookupError, match="tea"):
        WampClient().publish("com.shop.sold", "tea")
    WampClient(raises_failures=False).publish("com.shop.sold", "ink")
    assert [str(one.error) for one in router.failures] == ["tea", "ink"]


@pytest.mark.expects_errors("Not served:")
def test_handler_at_fault_is_told_on_first_use(router):
    @register("com.shop.bad", invoke="all")
    def bad() -> None: ...

    with pytest.raises(ImproperlyConfigured, match="invoke is 'all'"):
        WampClient().call("com.shop.bad")


def test_without_handlers_there_are_none(registry):  # noqa: F811
    register("com.shop.x")(lambda: 1)
    with InMemoryRouter(handlers=False), pytest.raises(api.NoSuchProcedure):
        WampClient().call("com.shop.x")


def test_handler_speaks_through_the_api(router):
    @register("com.shop.outer")
    def outer(number: int) -> int:
        api.publish("com.shop.called", number)
        return api.call("com.shop.inner", number) + 1

    @register("com.shop.inner")
    async def inner(number: int) -> int:
        return await api.acall("com.shop.innermost", number) + 1

    @register("com.shop.innermost")
    def innermost(caller: Caller, number: int) -> int:
        assert caller.authrole == "trusted"
        return number + 1

    assert WampClient().call("com.shop.outer", 1) == 4
    assert_published("com.shop.called", [1], {}, count=1)
    assert_called("com.shop.innermost", [1])


def test_functions_run_in_this_thread_and_no_other_is_left(router):
    before = threading.active_count()
    here = []

    @register("com.shop.sync")
    def sync() -> None:
        here.append(threading.get_ident())

    @register("com.shop.async")
    async def asynchronous() -> None:
        await asyncio.to_thread(sync)

    client = WampClient()
    client.call("com.shop.sync")
    client.call("com.shop.async")
    client.register("com.shop.own", lambda invocation: sync())
    api.call("com.shop.own")
    assert here == [threading.get_ident()] * 3
    assert threading.active_count() == before


# --- events ----------------------------------------------------------------------------------------------------------


def test_client_hears_what_code_publishes(router):
    client = WampClient()
    got = []
    subscription = client.subscribe("com.shop.", match="prefix", handler=got.append)
    api.publish("com.shop.order.paid", 17, kwargs={"total": Decimal("9.90")})
    event = client.receive()
    assert (event.topic, event.args, event.kwargs) == ("com.shop.order.paid", [17], {"total": "9.90"})
    assert client.events == [event] == got
    assert message(client.receive) == [
        "No event within 5 seconds.",
        "Received before:",
        "  1. com.shop.order.paid args [17] kwargs {'total': '9.90'}",
    ]
    assert router.clock.time == 5
    router.loop.run_on_loop(subscription.unsubscribe()).result()
    api.publish("com.shop.order.paid", 18)
    assert len(client.events) == 1


def test_event_that_comes_in_time_is_received(router):
    @register("com.shop.later")
    async def later() -> None:
        await asyncio.sleep(3)
        await api.apublish("com.shop.x", 1)

    client = WampClient()
    client.subscribe("com.shop.x")
    future = client.submit("com.shop.later")
    assert client.receive(timeout=4).args == [1]
    assert router.clock.time == 3
    assert future.result() is None
    with pytest.raises(NoEventReceived):
        client.receive(timeout=1)


def test_events_of_one_client_reach_another(router):
    alice, bob = WampClient(authid="alice"), WampClient(authid="bob")
    alice.subscribe("com.chat")
    bob.publish("com.chat", "hello")
    assert alice.receive().args == ["hello"]
    assert_not_published("com.chat")


# --- assertions ------------------------------------------------------------------------------------------------------


def test_assertion_on_publications_says_what_there_was(router):
    assert message(lambda: assert_published("com.shop.x")) == [
        "com.shop.x was not published.",
        "Nothing was published.",
    ]
    api.publish("com.shop.x", 1, kwargs={"a": (1, 2)})
    api.publish("com.shop.x", 2)
    assert message(lambda: assert_published("com.shop.x", args=[3])) == [
        "com.shop.x with args [3] was not published.",
        "What was published:",
        "  1. com.shop.x args [1] kwargs {'a': [1, 2]}",
        "  2. com.shop.x args [2] kwargs {}",
    ]
    assert message(lambda: assert_published("com.shop.x", count=1))[0] == "com.shop.x was published twice, not once."
    assert message(lambda: assert_not_published("com.shop.x", args=[2]))[0] == (
        "com.shop.x with args [2] was published once."
    )
    assert message(lambda: assert_published("com.y.", match="prefix"))[0] == (
        "'com.y.' (match='prefix') was not published."
    )
    assert message(lambda: assert_published("com.shop.x", kwargs={"a": 1}))[0] == (
        "com.shop.x with kwargs {'a': 1} was not published."
    )


def test_tests_see_what_a_browser_would(router):
    client = WampClient()
    client.subscribe("com.shop.stock")
    api.publish("com.shop.stock", {1: "tea", None: range(2)}, kwargs={"names": map(str.upper, ["ink"])})
    event = client.receive()
    assert (event.args, event.kwargs) == ([{"1": "tea", "null": [0, 1]}], {"names": ["INK"]})
    assert_published("com.shop.stock", [{1: "tea", None: [0, 1]}], {"names": ["INK"]})
    with pytest.raises(api.PayloadError, match=r"^kwargs\['a'\]\[1\] is nan"):
        api.publish("com.shop.stock", kwargs={"a": [1, float("nan")]})


def test_calls_are_recorded_as_they_are_received(router):
    register("com.shop.total")(lambda prices: {1: sum(prices)})
    assert api.call("com.shop.total", map(int, ["1", "2"])) == {"1": 3}
    assert_called("com.shop.total", [[1, 2]])


def test_assertion_on_publications_gives_what_fits(router):
    api.publish("com.shop.order.paid", Decimal("1.50"), kwargs={"tags": ("a", "b")})
    api.publish("com.shop.order.sent")
    (paid,) = assert_published("com.shop.order.paid", [Decimal("1.50")], {"tags": ("a", "b")}, count=1)
    assert paid.args == ["1.50"]
    assert (paid.realm, paid.role) == ("realm1", "trusted")
    assert len(assert_published("com.shop.order.", match="prefix", count=2)) == 2
    assert len(assert_published("com.shop..paid", match="wildcard")) == 1
    assert_not_published("com.shop.order.paid", [2])
    router.recording.forget()
    assert_not_published("com.shop.", match="prefix")


def test_publication_that_the_router_refuses_is_none(router):
    config = {"version": 2, "workers": [{"type": "router", "realms": [{"name": "shop", "roles": [{"name": "guest"}]}]}]}
    with InMemoryRouter(config) as inner:
        api.publish("com.shop.x", 1, role="guest")
        assert message(lambda: assert_published("com.shop.x"))[2] == (
            "  1. com.shop.x args [1] kwargs {} (refused: wamp.error.not_authorized)"
        )
        assert inner.publications[0].refused
    assert router.publications == []


def test_assertion_on_calls(router):
    WampClient().register("com.pay.charge", lambda invocation: {"paid": invocation.args[0]})
    assert message(lambda: assert_called("com.pay.charge")) == ["com.pay.charge was not called.", "Nothing was called."]
    assert api.call("com.pay.charge", 5) == {"paid": 5}
    with pytest.raises(api.NoSuchProcedure):
        api.call("com.pay.refund", 5)
    assert list(api.stream("com.pay.charge", 6)) == [{"paid": 6}]
    charge, refund, _ = router.calls
    assert charge.result is not None
    assert charge.result.value == {"paid": 5}
    assert isinstance(refund.error, api.NoSuchProcedure)
    assert_called("com.pay.charge", [5], {}, count=1)
    assert_not_called("com.pay.charge", [7])
    assert (
        message(lambda: assert_not_called("com.pay.charge", [6]))[0] == "com.pay.charge with args [6] was called once."
    )


# --- transactions ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_publication_waits_for_the_commit(router):
    api.publish("com.shop.x", 1)
    assert message(lambda: assert_published("com.shop.x")) == [
        "com.shop.x was not published.",
        "Nothing was published.",
        "Waiting for the commit of a transaction (wrap the code in run_on_commit() to send it):",
        "  1. com.shop.x args [1] kwargs {}",
    ]
    with run_on_commit():
        api.publish("com.shop.x", 2)
        api.publish("com.shop.x", 3, on_commit=False)
        assert [one.args for one in router.publications] == [[3]]
    assert [one.args for one in router.publications] == [[3], [2]]


@pytest.mark.django_db
def test_whatever_waits_for_the_commit_is_told(router):
    transaction.on_commit(lambda: api.publish("com.shop.x"))
    assert message(lambda: assert_published("com.shop.x"))[-1] == "  1. 1 other callback"
    with run_on_commit():
        transaction.on_commit(lambda: api.publish("com.shop.x"))
    assert_published("com.shop.x", count=1)


@pytest.mark.django_db
def test_events_of_models_are_publications(router):
    declared = publish_model_events(Product, "com.shop.product", fields=["sku"])
    try:
        with run_on_commit():
            tea = Product.objects.create(sku="tea", price="2.50")
        assert_published("com.shop.product.created", [tea.pk], {"sku": "tea"}, count=1)
    finally:
        signal_receivers.remove_publisher(declared)


@pytest.mark.django_db
def test_handler_has_transactions_of_its_own(router):
    @register("com.shop.save")
    def save(name: str) -> None:
        with transaction.atomic():
            User.objects.create(username=name)
            api.publish("com.shop.saved", name)
            assert_not_published("com.shop.saved")

    @register("com.shop.asave")
    async def asave(name: str) -> None:
        await User.objects.acreate(username=name)
        await api.apublish("com.shop.saved", name)

    @register("com.shop.fail")
    def fail(name: str) -> None:
        with transaction.atomic():
            api.publish("com.shop.saved", name)
            raise api.ApplicationError("com.shop.error")

    client = WampClient()
    with run_on_commit():
        client.call("com.shop.save", "eva")
        client.call("com.shop.asave", "adam")
        with pytest.raises(api.ApplicationError):
            client.call("com.shop.fail", "cain")
        assert [one.args for one in router.publications] == [["eva"], ["adam"]]
    assert len(router.publications) == 2
    assert User.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_real_commits_need_no_help(router):
    with transaction.atomic():
        api.publish("com.shop.x", 1)
        assert_not_published("com.shop.x")
    assert_published("com.shop.x", [1])


# --- the clock -------------------------------------------------------------------------------------------------------


def test_call_that_takes_too_long_ends_at_once(router):
    cancelled = []

    async def slow(invocation):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(router.clock.time)
            raise

    WampClient().register("com.slow", slow)
    with pytest.raises(api.CallTimeout):
        api.call("com.slow", timeout=5)
    assert cancelled == [5]
    with pytest.raises(api.CallTimeout):
        WampClient().call("com.slow")
    assert router.clock.time == 35


def test_clock_is_advanced_by_the_test(router):
    ticks = []

    async def tick(invocation):
        for _ in range(3):
            await asyncio.sleep(10)
            ticks.append(router.clock.time)

    WampClient().register("com.tick", tick)
    future = api.submit("com.tick", timeout=None)
    router.clock.advance(9.5)
    assert (ticks, router.clock.next_due) == ([], 0.5)
    router.clock.advance(0.5)
    assert ticks == [10]
    router.clock.advance(100)
    assert ticks == [10, 20, 30]
    assert (router.clock.time, future.done()) == (110, True)
    with pytest.raises(ValueError, match="back"):
        router.clock.advance(-1)


def test_clock_that_must_not_jump_fails_who_waits_for_it(router):
    async def slow(invocation):
        await asyncio.sleep(3)
        return "done"

    WampClient().register("com.slow", slow)
    router.clock.auto_advance = False
    with pytest.raises(StalledError, match="due in 3 seconds"):
        api.call("com.slow")
    future = api.submit("com.slow")
    router.clock.advance(3)
    assert future.result() == "done"


def test_wait_for_what_cannot_come_fails(router):
    async def never(invocation):
        await asyncio.Event().wait()

    WampClient().register("com.never", never)
    with pytest.raises(StalledError, match="No timer is running"):
        api.call("com.never", timeout=None)


def test_cancelled_future_cancels_the_call(router):
    cancelled = []

    async def forever(invocation):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    WampClient().register("com.forever", forever)
    future = api.submit("com.forever")
    assert future.cancel()
    assert cancelled == [True]


# --- coroutines ------------------------------------------------------------------------------------------------------


def test_coroutines_do_the_same(router):
    @register("com.shop.double")
    def double(number: int) -> int:
        return 2 * number

    async def count(invocation):
        await invocation.progress([1])
        return 2

    async def use():
        client = WampClient()
        await client.asubscribe("com.shop.x")
        await client.aregister("com.shop.count", count)
        assert await client.acall("com.shop.double", 2) == 4
        assert await asyncio.gather(*(api.acall("com.shop.double", one) for one in range(5))) == [0, 2, 4, 6, 8]
        await api.apublish("com.shop.x", 1)
        await client.apublish("com.shop.x", 2, options=api.PublishOptions(exclude_me=False))
        assert (await client.areceive()).args == [1]
        assert (await client.areceive()).args == [2]
        with pytest.raises(NoEventReceived):
            await client.areceive()
        assert [part async for part in client.astream("com.shop.count")] == [1, 2]
        assert [part async for part in api.astream("com.shop.count")] == [1, 2]
        assert_published("com.shop.x", [1], count=1)
        assert (await client.asession()).realm == "realm1"
        with pytest.raises(SynchronousOnlyOperation, match="await"):
            client.call("com.shop.double", 2)
        with pytest.raises(SynchronousOnlyOperation, match="await"):
            api.call("com.shop.double", 2)
        await client.aleave()

    asyncio.run(use())


def test_clock_jumps_for_a_coroutine_that_is_alone(router):
    async def slow(invocation):
        await asyncio.sleep(3600)

    async def alone():
        await WampClient().aregister("com.slow", slow)
        with pytest.raises(api.CallTimeout):
            await api.acall("com.slow")

    async def together():
        task = asyncio.create_task(api.acall("com.slow"))
        await router.arun_until_idle()
        await begun(router)
        await router.clock.aadvance(31)
        with pytest.raises(api.CallTimeout):
            await task

    asyncio.run(alone())
    assert router.clock.time == 30
    asyncio.run(together())


def test_cancelled_task_cancels_its_call(router):
    cancelled = []

    async def forever(invocation):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def use():
        await WampClient().aregister("com.forever", forever)
        task = asyncio.create_task(api.acall("com.forever", timeout=None))
        await begun(router)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(use())
    assert cancelled == [True]


def test_router_of_a_coroutine(registry):  # noqa: F811
    async def use():
        async with InMemoryRouter():
            await api.apublish("com.shop.x", 1)
            assert_published("com.shop.x", [1])

    asyncio.run(use())


# --- threads ---------------------------------------------------------------------------------------------------------


def test_threads_of_the_code_under_test_may_call(router):
    @register("com.shop.double")
    def double(number: int) -> int:
        return 2 * number

    results = []
    threads = [
        threading.Thread(target=lambda one=one: results.append(api.call("com.shop.double", one))) for one in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(results) == [2 * one for one in range(8)]


def test_threads_that_all_wait_let_time_pass(router):
    meeting = threading.Barrier(2, timeout=10)

    @register("com.shop.ask")
    def ask() -> str:
        meeting.wait()
        try:
            api.call("com.shop.never", timeout=7)
        except api.CallTimeout:
            return "nobody answers"

    @register("com.shop.never")
    async def never() -> None:
        await asyncio.Event().wait()

    results = []
    clients = [WampClient(), WampClient()]
    threads = [threading.Thread(target=lambda one=one: results.append(one.call("com.shop.ask"))) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == ["nobody answers"] * 2


# --- where it speaks to ----------------------------------------------------------------------------------------------


def test_router_is_gone_after_the_test(registry):  # noqa: F811
    with InMemoryRouter() as outer:
        with InMemoryRouter() as inner:
            assert active_router() is inner
            api.publish("com.shop.x")
        assert active_router() is outer
        assert outer.publications == []
        subscription = api.subscribe("com.shop.x", print)
    with pytest.raises(api.NotConfigured):
        backends.current_backend()
    with pytest.raises(RuntimeError, match="WampTestMixin"):
        active_router()
    with pytest.raises(api.TransportError):
        subscription.unsubscribe()


def test_setting_names_the_realm(registry, settings):  # noqa: F811
    settings.WAMP_TRANSPORT = {"API": {"REALM": "shop"}}

    @register("com.shop.there", realm="other")
    def there() -> str:
        return "other"

    with InMemoryRouter():
        assert WampClient().session.realm == "shop"
        assert WampClient(realm="other").call("com.shop.there") == "other"
        assert api.call("com.shop.there", realm="other") == "other"
        with pytest.raises(api.NoSuchProcedure):
            WampClient().call("com.shop.there")


@pytest.mark.django_db
def test_configuration_decides_on_roles_and_permissions(registry):  # noqa: F811
    register("com.shop.x")(lambda: "done")
    rule = {"uri": "com.shop.", "match": "prefix", "allow": {"call": True}}
    roles = [{"name": "anonymous"}, {"name": "clerk", "permissions": [rule]}]
    config = {"version": 2, "workers": [{"type": "router", "realms": [{"name": "shop", "roles": roles}]}]}
    joe = User.objects.create_user("joe")
    with InMemoryRouter(config):
        with pytest.raises(api.NotAuthorized):
            WampClient().call("com.shop.x")
        assert WampClient(role="clerk").call("com.shop.x") == "done"
        with pytest.raises(ValueError, match="'joe' has no role in realm 'shop'"):
            WampClient(joe).call("com.shop.x")
        with pytest.raises(api.SessionClosed, match="nobody"):
            WampClient(role="nobody").call("com.shop.x")
        UserRole.objects.create(kind="everybody", role="clerk", order=1)
        assert WampClient(joe).call("com.shop.x") == "done"


def test_events_carry_what_the_router_says(router):
    client = WampClient()
    heard: list[Event] = []
    api.subscribe("com.shop.x", heard.append)
    client.publish("com.shop.x", 1, options=api.PublishOptions(disclose_me=True))
    assert heard[0].details["publisher_authid"] == "anonymous"
