import asyncio
import contextvars
import logging

import pytest

from tests.unit.node.conftest import OPEN, Recorder
from wamp_transport.node import local, requests
from wamp_transport.node.client_types import Result
from wamp_transport.node.connection import MessageEncoder
from wamp_transport.router.options import (
    TRUSTED,
    AuthorizerOptions,
    Limits,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
)
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError, PayloadError, SessionClosed
from wamp_transport.wamp.messages import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions

ACKNOWLEDGE = PublishOptions(acknowledge=True)


def limited(**options):
    """A realm with a role that may do little."""
    roles = {
        "anonymous": RoleOptions("anonymous", allow_by_default=True),
        "guest": RoleOptions("guest", (Permission("com.open.", "prefix", call=True, subscribe=True),)),
    }
    return RouterOptions(realms={"realm1": RealmOptions("realm1", roles, **options)})


@pytest.fixture
def run(loop):
    """Runs a coroutine on the loop of the node, until it is done."""

    def run(work):
        return loop.run_until_complete(asyncio.wait_for(work, 10))

    yield run
    loop.run_until_complete(asyncio.sleep(0))
    tasks = asyncio.all_tasks(loop)
    assert not tasks


@pytest.fixture
def joined(node, run):
    """Opens a session inside the process."""
    opened = []

    def joined(authrole=TRUSTED, authid="me", **options):
        opened.append(run(local.join(node, "realm1", authid=authid, authrole=authrole, **options)))
        return opened[-1]

    yield joined
    for session in opened:
        run(session.leave())


async def until(condition):
    """Let the loop turn until something holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to that")


def add(invocation):
    return sum(invocation.args)


# --- joining and leaving


def test_session_is_one_of_the_realm(node, joined, run):
    session = joined(authextra={"x": 1})
    assert session.is_open
    assert (session.authid, session.authrole, session.realm) == ("me", TRUSTED, "realm1")
    details = run(session.call("wamp.session.get", [session.id])).value
    assert details == {
        "session": session.id,
        "authid": "me",
        "authrole": TRUSTED,
        "authmethod": "local",
        "authprovider": "local",
        "authextra": {"x": 1},
        "transport": {"type": "local"},
    }
    details["transport"]["type"] = "changed"
    assert run(session.call("wamp.session.get", [session.id])).value["transport"] == {"type": "local"}


@pytest.mark.parametrize(("realm", "role", "reason"), [
    ("nowhere", TRUSTED, errors.NO_SUCH_REALM),
    ("realm1", "nobody", errors.NO_SUCH_ROLE),
])  # fmt: skip
def test_join_is_refused_where_there_is_no_such_realm_or_role(node, run, realm, role, reason):
    with pytest.raises(SessionClosed) as refused:
        run(local.join(node, realm, authid="me", authrole=role))
    assert refused.value.reason == reason
    assert not node.connections


def test_full_realm_lets_none_but_trusted_in(node, joined, run):
    node.configure(limited(limits=Limits(sessions=1)))
    joined("guest")
    with pytest.raises(SessionClosed, match="no room"):
        run(local.join(node, "realm1", authid="me", authrole="guest"))
    assert joined().is_open


def test_leaving_goes_after_what_was_sent(node, joined, run):
    heard = []
    listener, session = joined(), joined()
    run(listener.subscribe("com.x", lambda event: heard.append(event.args)))
    run(listener.subscribe("wamp.session.on_leave", lambda event: heard.append(event.args)))

    async def publish_and_leave():
        await session.publish("com.x", [1])
        await session.leave()

    run(publish_and_leave())
    run(until(lambda: len(heard) == 2))
    assert heard == [[1], [session.id, "me", TRUSTED]]
    assert not session.is_open
    assert len(node.connections) == 1
    with pytest.raises(SessionClosed):
        run(session.publish("com.x"))
    run(session.leave())


def test_killed_session_ends_with_the_reason(node, joined, run):
    session, other = joined(), joined()

    async def forever(invocation):
        await asyncio.Event().wait()

    registration = run(other.register("com.forever", forever))
    subscription = run(session.subscribe("com.x", print))

    async def kill():
        call = asyncio.ensure_future(session.call("com.forever"))
        await until(lambda: node.router.sessions[other.id].invocations)
        await other.call("wamp.session.kill", [session.id], {"reason": "com.enough", "message": "go"})
        with pytest.raises(SessionClosed, match="go"):
            await call
        return await session.wait_ended()

    assert run(kill()).reason == "com.enough"
    assert not subscription.is_active
    assert registration.is_active
    run(until(lambda: len(node.connections) == 1 and not node._leaving))


def test_node_that_stops_ends_sessions(node, joined, run):
    session = joined()
    run(node.stop(5))
    assert run(session.wait_ended()).reason == errors.CLOSE_SYSTEM_SHUTDOWN
    assert not node.connections


def test_trusted_session_stays_when_the_realm_changes_and_goes_with_it(node, joined, run):
    session, guest = joined(), joined("anonymous")
    node.configure(RouterOptions(realms={"realm1": RealmOptions("realm1")}))
    assert run(guest.wait_ended()).reason == errors.NO_SUCH_ROLE
    assert run(session.call("wamp.session.count")).value == 1
    node.configure(RouterOptions())
    assert run(session.wait_ended()).reason == errors.CLOSE_REALM


# --- calls


def test_call_between_sessions(joined, run):
    callee, caller = joined(), joined()
    run(callee.register("com.add", add))
    result = run(caller.call("com.add", [2, 3]))
    assert result == Result([5])
    assert result.value == 5
    assert Result().value is None


def test_caller_is_told_who_calls(joined, run):
    callee, caller = joined("anonymous"), joined(authid="boss")
    run(callee.register("com.who", lambda invocation: Result([], invocation.details, {})))
    told = run(caller.call("com.who")).kwargs
    assert told == {"caller": caller.id, "caller_authid": "boss", "caller_authrole": TRUSTED}


def test_call_across_a_transport(node, joined, run):
    connection = node.connect(OPEN, MessageEncoder(SERIALIZERS["json"]), Recorder())
    connection.receive(b'[1,"realm1",{"roles":{"caller":{},"callee":{}}}]')
    connection.receive(b'[64,1,{},"com.remote"]')
    session = joined()
    run(session.register("com.local", lambda invocation: Result([invocation.args[0] + b"!"], {"k": (1,)})))
    connection.transport.written.clear()
    connection.receive(b'[48,2,{},"com.local",["\\u0000aGk="]]')
    run(until(lambda: connection.transport.written))
    assert connection.transport.written == [b'[50,2,{},["\\u0000aGkh"],{"k":[1]}]']
    connection.transport.written.clear()

    async def call():
        answer = asyncio.ensure_future(session.call("com.remote", [b"hi", 2**80]))
        await until(lambda: connection.transport.written)
        assert connection.transport.written[0].endswith(b'["\\u0000aGk=",1208925819614629174706176]]')
        connection.receive(b'[70,1,{},["\\u0000aGk="]]')
        return (await answer).value

    assert run(call()) == b"hi"


@pytest.mark.parametrize("is_async", [False, True])
def test_application_error_is_the_answer(joined, run, is_async):
    def fail(invocation):
        raise ApplicationError("com.error.broken", "so", [1], why={"a": 1})

    async def fail_later(invocation):
        fail(invocation)

    session = joined()
    run(session.register("com.fail", fail_later if is_async else fail))
    with pytest.raises(ApplicationError, match=r"com\.error\.broken: so") as caught:
        run(session.call("com.fail"))
    assert (caught.value.uri, caught.value.args, caught.value.kwargs) == (
        "com.error.broken", ("so", [1]), {"why": {"a": 1}}
    )  # fmt: skip


@pytest.mark.expects_errors("The handler of com.fail failed")
@pytest.mark.parametrize("is_async", [False, True])
def test_other_exceptions_are_logged_and_not_told(joined, run, caplog, is_async):
    def fail(invocation):
        raise ZeroDivisionError("secret")

    async def fail_later(invocation):
        fail(invocation)

    session = joined()
    run(session.register("com.fail", fail_later if is_async else fail))
    with pytest.raises(ApplicationError) as caught:
        run(session.call("com.fail"))
    assert caught.value.uri == errors.INTERNAL_ERROR
    assert "secret" not in str(caught.value)
    assert "secret" in caplog.text


@pytest.mark.expects_errors("The handler of com.x failed")
@pytest.mark.parametrize("outcome", [object(), ApplicationError("com.error", object())])
def test_answer_that_cannot_be_sent_is_an_error(joined, run, caplog, outcome):
    def answer(invocation):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    session = joined()
    run(session.register("com.x", answer))
    with pytest.raises(ApplicationError):
        run(session.call("com.x"))
    assert "object cannot be sent" in caplog.text


def test_call_of_what_is_not_there_or_not_allowed_fails(node, joined, run):
    node.configure(limited())
    guest = joined("guest")
    with pytest.raises(ApplicationError, match="no_such_procedure"):
        run(guest.call("com.open.x"))
    with pytest.raises(ApplicationError, match="not_authorized"):
        run(guest.call("com.closed.x"))
    with pytest.raises(ApplicationError, match="not_authorized"):
        run(guest.register("com.open.x", add))


def test_call_that_takes_too_long_is_canceled(loop, joined, run):
    seen = []

    async def wait(invocation):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("canceled")
            raise

    session = joined()
    run(session.register("com.wait", wait))

    async def call():
        answer = asyncio.ensure_future(session.call("com.wait", timeout=2.5))
        await until(lambda: len(session._handler_runner))
        loop.now += 3
        with pytest.raises(ApplicationError, match=r"no result within 2.5 seconds") as caught:
            await answer
        assert caught.value.uri == errors.TIMEOUT
        await until(lambda: seen)

    run(call())


def test_call_is_canceled_with_the_task_that_waits(joined, run):
    started, seen = [], []

    async def wait(invocation):
        started.append(invocation)
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("canceled")

    session = joined()
    run(session.register("com.wait", wait))

    async def call():
        answer = asyncio.ensure_future(session.call("com.wait"))
        await until(lambda: started)
        answer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answer
        await until(lambda: seen)

    run(call())
    assert not session._requests


def test_progressive_results_come_one_by_one(joined, run):
    async def count(invocation):
        for number in range(invocation.args[0]):
            await invocation.progress([number])
        return "done"

    session = joined()
    run(session.register("com.count", count))

    async def collect():
        return [(part.value, part.details) async for part in session.stream("com.count", [2])]

    assert run(collect()) == [(0, {"progress": True}), (1, {"progress": True}), ("done", {})]
    assert run(session.call("com.count", [2])).value == "done"


def test_stream_that_fails_raises_after_its_parts(joined, run):
    async def fail(invocation):
        await invocation.progress([1])
        raise ApplicationError("com.error")

    session = joined()
    run(session.register("com.fail", fail))

    async def collect():
        stream = session.stream("com.fail")
        assert (await anext(stream)).value == 1
        with pytest.raises(ApplicationError, match=r"com\.error"):
            await anext(stream)

    run(collect())


def test_closed_stream_cancels_its_call(joined, run):
    ended = []

    async def forever(invocation):
        try:
            while True:
                await invocation.progress([1])
                await asyncio.sleep(0)
        finally:
            ended.append(True)

    session = joined()
    run(session.register("com.forever", forever))

    async def read_one():
        stream = session.stream("com.forever")
        async for part in stream:
            assert part.value == 1
            break
        await stream.aclose()
        await until(lambda: ended)

    run(read_one())


def test_stream_that_is_not_read_ends(joined, run, monkeypatch):
    monkeypatch.setattr(requests, "MAX_QUEUED_RESULTS", 3)

    async def many(invocation):
        for _ in range(10):
            await invocation.progress([1])

    session = joined()
    run(session.register("com.many", many))

    async def read_late():
        stream = session.stream("com.many")
        await anext(stream)
        await until(lambda: not session._requests)
        with pytest.raises(ApplicationError, match="slow_consumer"):
            [part async for part in stream]

    run(read_late())


# --- events


def test_event_goes_to_functions_and_coroutine_functions(joined, run):
    heard = []

    async def hear(event):
        await asyncio.sleep(0)
        heard.append(("later", event))

    publisher, subscriber = joined("anonymous"), joined()
    run(subscriber.subscribe("com.x", lambda event: heard.append(("now", event))))
    run(subscriber.subscribe("com.x", hear))
    run(subscriber.subscribe("com.", lambda event: heard.append(("pattern", event)),
                             options=SubscribeOptions(match="prefix")))  # fmt: skip
    publication = run(publisher.publish("com.x", ["hi"], {"k": 1}, options=ACKNOWLEDGE))
    assert publication > 0
    assert run(publisher.publish("com.y")) is None
    run(until(lambda: len(heard) == 4))
    assert [(how, event.topic, event.args, event.kwargs) for how, event in heard if event.topic == "com.x"] == [
        ("now", "com.x", ["hi"], {"k": 1}),
        ("pattern", "com.x", ["hi"], {"k": 1}),
        ("later", "com.x", ["hi"], {"k": 1}),
    ]
    assert {event.details.get("topic") for how, event in heard if how == "pattern"} == {"com.x", "com.y"}


def test_handlers_share_no_values(joined, run):
    heard = []

    def hear(event):
        event.args[0].append("mine")
        heard.append(event.args[0])

    publisher, one, two = joined(), joined(), joined()
    for session in (one, one, two):
        run(session.subscribe("com.x", hear))
    given = ["theirs"]
    run(publisher.publish("com.x", [given], options=PublishOptions(retain=True, acknowledge=True)))
    given.append("changed later")
    run(until(lambda: len(heard) == 3))
    assert heard == [["theirs", "mine"]] * 3
    late = joined()
    run(late.subscribe("com.x", hear, options=SubscribeOptions(get_retained=True)))
    run(until(lambda: len(heard) == 4))
    assert heard[3] == ["theirs", "mine"]


def test_value_that_cannot_be_sent_is_refused_at_once(joined, run):
    session = joined()
    with pytest.raises(PayloadError, match="object cannot be sent"):
        run(session.publish("com.x", [object()]))
    with pytest.raises(PayloadError):
        run(session.call("com.x", [], {"k": object()}))
    assert session.is_open


@pytest.mark.expects_errors("The handler of com.x failed")
@pytest.mark.parametrize("is_async", [False, True])
def test_handler_that_fails_harms_no_other(joined, run, caplog, is_async):
    heard = []

    def fail(event):
        raise ZeroDivisionError

    async def fail_later(event):
        raise ZeroDivisionError

    session, publisher = joined(), joined()
    run(session.subscribe("com.x", fail_later if is_async else fail))
    run(session.subscribe("com.x", heard.append))
    run(publisher.publish("com.x"))
    run(until(lambda: heard and not len(session._handler_runner)))
    assert "The handler of com.x failed" in caplog.text


def test_last_handler_takes_the_subscription_along(node, joined, run):
    session = joined()
    one, two = (run(session.subscribe("com.x", print)) for _ in range(2))
    assert one.id == two.id
    run(one.unsubscribe())
    run(one.unsubscribe())
    assert node.router.sessions[session.id].subscriptions
    run(two.unsubscribe())
    assert not node.router.sessions[session.id].subscriptions


def test_registration_is_given_up(joined, run):
    session = joined()
    registration = run(session.register("com.add", add))
    run(registration.unregister())
    run(registration.unregister())
    with pytest.raises(ApplicationError, match="no_such_procedure"):
        run(session.call("com.add"))


def test_registering_again_replaces_the_handler(joined, run):
    session = joined()
    shared = RegisterOptions(invoke="roundrobin")
    old = run(session.register("com.x", lambda invocation: "old", options=shared))
    run(session.register("com.x", lambda invocation: "new", options=shared))
    assert not old.is_active
    run(old.unregister())
    assert run(session.call("com.x")).value == "new"


def test_invocation_on_its_way_while_unregistering_is_refused(joined, run):
    session, caller = joined(), joined()
    registration = run(session.register("com.add", add))

    async def race():
        call = asyncio.ensure_future(caller.call("com.add", [1]))
        leaving = asyncio.ensure_future(registration.unregister())
        await leaving
        with pytest.raises(ApplicationError, match="unavailable"):
            await call

    run(race())


def test_revoked_rights_make_inactive(node, joined, run):
    node.configure(limited())
    session = joined("anonymous")
    subscription = run(session.subscribe("com.x", print))
    registration = run(session.register("com.x", add))
    nothing = RoleOptions("anonymous")
    node.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", {"anonymous": nothing})}))
    run(until(lambda: not subscription.is_active and not registration.is_active))
    run(subscription.unsubscribe())
    run(registration.unregister())
    assert session.is_open


def test_subscription_that_nobody_waits_for_is_given_up(node, joined, run):
    session = joined()

    async def give_up():
        for work in (session.subscribe("com.x", print), session.register("com.x", add)):
            task = asyncio.ensure_future(work)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        held = node.router.sessions[session.id]
        await until(lambda: not held.subscriptions and not held.registrations)

    run(give_up())


def test_handler_does_not_see_the_context_of_the_sender(joined, run):
    who = contextvars.ContextVar("who", default="nobody")
    seen = []
    subscriber, publisher = joined(), joined()
    run(subscriber.subscribe("com.x", lambda event: seen.append(who.get())))

    async def publish():
        who.set("publisher")
        await publisher.publish("com.x")
        await until(lambda: seen)

    run(publish())
    assert seen == ["nobody"]


# --- limits


def test_session_that_falls_behind_is_left_out_until_it_catches_up(node, joined, run, caplog):
    caplog.set_level(logging.WARNING)
    release, heard = [], []

    async def hear(event):
        gate = asyncio.Event()
        release.append(gate)
        await gate.wait()
        heard.append(event.args[0])

    slow, publisher = joined(max_queued=4), joined()
    run(slow.subscribe("com.x", hear))
    run(slow.register("com.add", add))

    async def flood():
        for number in range(6):
            await publisher.publish("com.x", [number])
        assert node.outbound.events_dropped == 2
        with pytest.raises(ApplicationError, match="unavailable"):
            await publisher.call("com.add", [1])
        await until(lambda: len(release) == 4)
        for gate in release:
            gate.set()
        await until(lambda: not slow._is_congested)
        await publisher.publish("com.x", [6])
        await until(lambda: len(release) == 5)
        release[4].set()
        await until(lambda: len(heard) == 5)

    run(flood())
    assert heard == [0, 1, 2, 3, 6]
    assert "is congested" in caplog.text


def test_function_that_hears_much_at_once_is_left_out_for_a_turn(joined, run):
    heard = []
    slow, publisher = joined(max_queued=4), joined()
    run(slow.subscribe("com.x", lambda event: heard.append(event.args[0])))

    async def flood():
        for number in range(6):
            await publisher.publish("com.x", [number])
        await until(lambda: not slow._is_congested)
        await publisher.publish("com.x", [6])
        await until(lambda: len(heard) == 5)

    run(flood())
    assert heard == [0, 1, 2, 3, 6]


def test_session_waits_while_the_router_reads_no_further(node, joined, run):
    session = joined()

    async def publish():
        session._inbox.pause()
        waiting = asyncio.ensure_future(session.publish("com.x", options=ACKNOWLEDGE))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
        session._inbox.resume()
        return await waiting

    assert run(publish())


def test_others_have_their_turn_while_one_publishes_much(joined, run):
    session = joined()
    turns = []

    async def other():
        while len(turns) < 3:
            turns.append(None)
            await asyncio.sleep(0)

    async def publish():
        task = asyncio.ensure_future(other())
        for _ in range(4 * requests.REQUESTS_PER_TURN):
            await session.publish("com.x")
        assert task.done()

    run(publish())


def test_request_ids_count_without_gaps(node, joined, run):
    node.configure(limited(strict_request_ids=True))
    session = joined("guest")
    run(session.subscribe("com.open.x", print))
    with pytest.raises(ApplicationError):
        run(session.call("com.open.y", options=CallOptions(disclose_me=True)))
    run(session.subscribe("com.open.z", print))
    assert session.is_open


def test_messages_are_held_while_an_authorizer_decides(node, joined, run):
    roles = {"asked": RoleOptions("asked", authorizer=AuthorizerOptions("com.authorizer"))}
    node.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
    session = joined("asked")
    with pytest.raises(ApplicationError, match="this router has no authorizer"):
        run(session.publish("com.x", options=ACKNOWLEDGE))
