"""Django code at the router of its own process: from threads, from its loop, from another loop, in transactions."""

import asyncio
import datetime
import queue
import threading

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection, transaction

from tests.integration.servers import until
from wamp_transport import api
from wamp_transport.api import backends
from wamp_transport.node.local import join
from wamp_transport.node.node import Node
from wamp_transport.router.options import Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.stores.connections import close_at_thread_end

GUEST = RoleOptions("guest", (Permission("com.open.", "prefix", call=True, publish=True),))
REALM = RealmOptions("realm1", {"guest": GUEST})


class Serving:
    """A node on a loop in a thread, as in a process that serves."""

    def __init__(self, *realms):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.node = self.run(self._start(RouterOptions(realms={realm.name: realm for realm in realms})))

    async def _start(self, options):
        node = Node(options, self.loop)
        backends.serve(node, self.loop)
        return node

    def run(self, work):
        """What comes of a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def stop(self):
        backends.leave(self.node)
        self.run(self.node.stop(1))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def serving():
    """This process serves a realm."""
    serving = Serving(REALM)
    yield serving
    serving.stop()


@pytest.fixture
def heard(serving):
    """The args of the events below ``com.shop.``, as they come."""
    events = queue.Queue()
    api.subscribe("com.shop.", lambda event: events.put(event.args), match="prefix")
    return events


def add(invocation):
    return sum(invocation.args)


async def anywhere(serving, where, make):
    """What comes of a coroutine, on the loop of the node or on this one."""
    if where == "here":
        return await make()
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(make(), serving.loop))


# --- calls


def test_call_from_a_thread(serving):
    registration = api.register("com.shop.add", add)
    assert api.call("com.shop.add", 2, 3) == 5
    assert registration.is_active
    registration.unregister()
    assert not registration.is_active
    with pytest.raises(api.NoSuchProcedure):
        api.call("com.shop.add", 2, 3)


@pytest.mark.parametrize("where", ["here", "there"])
def test_coroutines_on_any_loop(serving, where):
    heard = []

    async def use():
        await api.aregister("com.shop.add", add)
        subscription = await api.asubscribe("com.shop.added", lambda event: heard.append(event.args))
        total = await api.acall("com.shop.add", 2, 3)
        assert await api.apublish("com.shop.added", total, options=api.PublishOptions(acknowledge=True))
        await asyncio.to_thread(until, lambda: heard, "the event heard")
        await subscription.aunsubscribe()
        return (await api.asession_info()).realm

    assert asyncio.run(asyncio.wait_for(anywhere(serving, where, use), 10)) == "realm1"
    assert heard == [[5]]


def test_results_of_several_values_come_whole(serving):
    api.register("com.shop.nothing", lambda invocation: api.Result())
    api.register("com.shop.many", lambda invocation: api.Result([1, 2], {"k": invocation.kwargs["k"]}))
    assert api.call("com.shop.nothing") is None
    assert api.call("com.shop.many", kwargs={"k": 3}) == api.Result([1, 2], {"k": 3}, {})


def test_errors_have_their_uri_args_and_kwargs(serving):
    def refuse(invocation):
        raise api.ApplicationError("com.shop.error.sold_out", "A1", left=0)

    def dislike(invocation):
        raise api.InvalidArgument("wamp.error.invalid_argument", 1, 2, 3)

    api.register("com.shop.buy", refuse)
    api.register("com.shop.dislike", dislike)
    with pytest.raises(api.ApplicationError) as caught:
        api.call("com.shop.buy")
    assert (caught.value.uri, caught.value.args, caught.value.kwargs) == (
        "com.shop.error.sold_out",
        ("A1",),
        {"left": 0},
    )
    with pytest.raises(api.InvalidArgument) as caught:
        api.call("com.shop.dislike")
    assert caught.value.args == (1, 2, 3)


def test_role_of_a_call_decides_what_it_may(serving):
    api.register("com.open.add", add)
    api.register("com.shop.add", add)
    assert api.call("com.open.add", 1, role="guest") == 1
    with pytest.raises(api.NotAuthorized):
        api.call("com.shop.add", 1, role="guest")
    with pytest.raises(api.SessionClosed, match="nobody"):
        api.call("com.open.add", 1, role="nobody")


def test_settings_say_who_django_code_is(serving, settings):
    settings.WAMP_TRANSPORT = {"API": {"REALM": "realm1", "ROLE": "guest", "AUTHID": "shop"}}
    details = api.session_info()
    assert (details.realm, details.authid, details.authrole, details.is_local) == ("realm1", "shop", "guest", True)
    assert api.session_info(role="trusted").authrole == "trusted"
    settings.WAMP_TRANSPORT = {}
    assert api.session_info().authid == "django"


def test_realm_must_be_named_where_there_are_several():
    serving = Serving(REALM, RealmOptions("realm2"))
    try:
        with pytest.raises(api.NotConfigured, match="There are realm1, realm2"):
            api.session_info()
        assert api.session_info(realm="realm2").realm == "realm2"
    finally:
        serving.stop()


# --- what takes long


@pytest.fixture
def endless(serving):
    """A procedure that never answers; set when it is cancelled."""
    begun, cancelled = threading.Event(), threading.Event()

    async def wait(invocation):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    api.register("com.shop.wait", wait)
    return begun, cancelled


def test_call_that_takes_too_long_is_canceled(endless):
    with pytest.raises(api.CallTimeout, match=r"within 0\.05 seconds") as caught:
        api.call("com.shop.wait", timeout=0.05)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.uri == "wamp.error.timeout"
    assert endless[1].wait(10)


def test_timeout_of_the_settings_holds(endless, settings):
    settings.WAMP_TRANSPORT = {"API": {"TIMEOUT": 0.05}}
    with pytest.raises(api.CallTimeout):
        api.call("com.shop.wait")


def test_submitted_call_is_canceled_with_its_future(serving, endless):
    begun, cancelled = endless
    future = api.submit("com.shop.wait")
    assert begun.wait(10)
    assert future.cancel()
    assert cancelled.wait(10)
    api.register("com.shop.add", add)
    assert api.submit("com.shop.add", 1, 2).result(10) == 3


def test_call_is_canceled_with_the_task_that_waits(endless):
    begun, cancelled = endless

    async def give_up():
        task = asyncio.ensure_future(api.acall("com.shop.wait"))
        assert await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert cancelled.wait(10)


async def count(invocation):
    for number in range(3):
        await invocation.progress([number])
    return "end"


def test_progressive_results_in_a_thread(serving):
    api.register("com.shop.count", count)
    assert list(api.stream("com.shop.count")) == [0, 1, 2, "end"]
    with pytest.raises(api.NoSuchProcedure):
        list(api.stream("com.shop.nothing"))


@pytest.mark.parametrize("where", ["here", "there"])
def test_progressive_results_on_any_loop(serving, where):
    api.register("com.shop.count", count)

    async def read():
        return [part async for part in api.astream("com.shop.count")]

    assert asyncio.run(anywhere(serving, where, read)) == [0, 1, 2, "end"]


@pytest.fixture
def forever(serving):
    """A procedure that sends one part and never ends; set when it is cancelled."""
    cancelled = threading.Event()

    async def forever(invocation):
        await invocation.progress([1])
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    api.register("com.shop.forever", forever)
    return cancelled


@pytest.mark.parametrize("where", ["here", "there"])
@pytest.mark.parametrize("how", ["cancel", "break"])
def test_stream_is_canceled_with_who_reads_it(serving, where, how, forever):

    async def read(begun):
        async for part in api.astream("com.shop.forever"):
            assert part == 1
            begun.set()
            if how == "break":
                break

    async def use():
        begun = asyncio.Event()
        reading = asyncio.ensure_future(read(begun))
        if how == "break":
            return await reading
        await begun.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(asyncio.wait_for(anywhere(serving, where, use), 10))
    assert forever.wait(10)


def test_stream_that_takes_too_long_is_canceled(forever):
    parts = api.stream("com.shop.forever", timeout=0.2)
    assert next(parts) == 1
    with pytest.raises(api.CallTimeout):
        next(parts)
    assert forever.wait(10)


def test_closed_stream_cancels_its_call(forever):
    parts = api.stream("com.shop.forever")
    assert next(parts) == 1
    parts.close()
    assert forever.wait(10)


@pytest.mark.parametrize("function", [
    lambda: api.publish("com.shop.x"),
    lambda: api.call("com.shop.x"),
    lambda: api.stream("com.shop.x"),
    lambda: api.subscribe("com.shop.x", print),
    lambda: api.register("com.shop.x", print),
    api.session_info,
])  # fmt: skip
def test_function_that_waits_is_refused_on_the_loop_itself(serving, function):
    async def use():
        function()

    with pytest.raises(SynchronousOnlyOperation, match=r"await api\.a"):
        serving.run(use())


def test_process_without_router_is_told_what_to_configure():
    with pytest.raises(api.NotConfigured, match="URL"):
        api.call("com.shop.x")


# --- events, handlers


def test_functions_run_in_threads_of_their_own_and_see_the_database(serving, heard):
    threads = queue.Queue()
    api.subscribe("com.shop.x", lambda event: threads.put(threading.current_thread().name))
    api.publish("com.shop.x", datetime.date(2026, 1, 2))
    assert threads.get(timeout=10).startswith("wamp-api")
    assert heard.get(timeout=10) == ["2026-01-02"]


def test_slow_function_gets_its_events_in_order(serving):
    got = queue.Queue()
    gate = threading.Event()

    def hear(event):
        if event.args == [0]:
            assert gate.wait(10)
        got.put(event.args[0])

    api.subscribe("com.shop.x", hear)
    for number in range(20):
        api.publish("com.shop.x", number)
    gate.set()
    assert [got.get(timeout=10) for _ in range(20)] == list(range(20))


def test_procedure_runs_as_often_as_it_is_called(serving):
    meeting = threading.Barrier(2, timeout=10)
    api.register("com.shop.meet", lambda invocation: meeting.wait())
    calls = [api.submit("com.shop.meet") for _ in range(2)]
    assert sorted(call.result(10) for call in calls) == [0, 1]


def test_exclude_me_leaves_out_the_process(serving, heard):
    api.publish("com.shop.x", 1, options=api.PublishOptions(exclude_me=True))
    api.publish("com.shop.x", 2)
    assert heard.get(timeout=10) == [2]


def test_value_that_cannot_be_sent_is_refused_at_once(serving):
    with pytest.raises(api.PayloadError, match="object"):
        api.publish("com.shop.x", object())


def test_unsubscribed_handler_hears_no_more(serving, heard):
    events = []
    subscription = api.subscribe("com.shop.x", lambda event: events.append(event.args))
    subscription.unsubscribe()
    api.publish("com.shop.x", 1)
    assert heard.get(timeout=10) == [1]
    assert events == []
    assert not subscription.is_active


def test_killed_session_comes_back_with_what_was_registered(serving, heard):
    registration = api.register("com.shop.add", add)
    first = api.session_info().id
    serving.run(kill(serving.node, first))
    until(lambda: registration.is_active and api.session_info().id != first, "the session is back")
    assert api.call("com.shop.add", 1, 2) == 3
    api.publish("com.shop.x", "back")
    assert heard.get(timeout=10) == ["back"]


async def kill(node, session_id):
    killer = await join(node, "realm1", authid="killer", authrole="trusted")
    await killer.call("wamp.session.kill", [session_id])
    await killer.leave()


# --- transactions


@pytest.mark.django_db(transaction=True)
def test_event_waits_for_the_commit(heard):
    with transaction.atomic():
        User.objects.create(username="eva")
        values = [1]
        api.publish("com.shop.x", values)
        values.append(2)
        api.publish("com.shop.x", "at once", on_commit=False)
        assert heard.get(timeout=10) == ["at once"]
        assert heard.empty()
    assert heard.get(timeout=10) == [[1]]


@pytest.mark.django_db(transaction=True)
def test_after_a_rollback_nothing_was_sent(heard):
    def fail():
        with transaction.atomic():
            api.publish("com.shop.x", "never")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    api.publish("com.shop.x", "later")
    assert heard.get(timeout=10) == ["later"]


@pytest.mark.django_db
def test_capture_on_commit_callbacks_lets_tests_see_it(heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        api.publish("com.shop.x", 1)
        assert heard.empty()
    assert len(callbacks) == 1
    assert heard.get(timeout=10) == [1]


@pytest.mark.django_db
def test_failure_after_the_commit_is_logged_and_harms_no_other(django_capture_on_commit_callbacks, caplog):
    done = []
    with django_capture_on_commit_callbacks(execute=True):
        api.publish("com.shop.x", 1)
        transaction.on_commit(lambda: done.append(True))
    assert done
    assert "WAMP_TRANSPORT" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_coroutine_called_in_a_transaction_waits_for_its_commit(heard):
    async def publish(value, **options):
        await api.apublish("com.shop.x", value, **options)

    with transaction.atomic():
        async_to_sync(publish)("later")
        async_to_sync(publish)("at once", on_commit=False)
        assert heard.get(timeout=10) == ["at once"]
        assert connection.run_on_commit
    assert heard.get(timeout=10) == ["later"]


@pytest.mark.django_db(transaction=True)
def test_sync_code_called_by_a_coroutine_waits_for_its_commit(serving, heard):
    def save():
        with transaction.atomic():
            User.objects.create(username="eva")
            api.publish("com.shop.x", "saved")
            assert heard.empty()
        connection.close()
        close_at_thread_end()  # closes SQLite in memory, which Django keeps open

    async def use():
        await sync_to_async(save)()
        await api.apublish("com.shop.x", "then")

    asyncio.run(use())
    assert heard.get(timeout=10) == ["saved"]
    assert heard.get(timeout=10) == ["then"]
