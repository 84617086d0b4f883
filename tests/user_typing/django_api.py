"""The functions of ``wamp_transport.api`` as a typed project uses them."""

from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Future
from typing import Any, assert_type

from wamp_transport import api


def on_order(event: api.Event) -> None:
    assert_type(event.topic, str)
    assert_type(event.kwargs, dict[str, Any])


def price(invocation: api.Invocation) -> int:
    return len(invocation.args)


async def aprice(invocation: api.Invocation) -> api.Result:
    await invocation.progress([1])
    return api.Result([1], {"k": 2})


def sync() -> None:
    assert_type(api.publish("com.x", 1, kwargs={"k": 2}, options=api.PublishOptions(acknowledge=True)), int | None)
    assert_type(api.call("com.x", 1, timeout=None), Any)
    assert_type(api.submit("com.x", 1, timeout=0.5), Future[Any])
    assert_type(api.stream("com.x"), Generator[Any, None, None])
    assert_type(api.subscribe("com.x", on_order, match="prefix"), api.Subscription)
    assert_type(api.register("com.x", price, options=api.RegisterOptions(invoke="roundrobin")), api.Registration)
    assert_type(api.session_info(realm="realm1", role="trusted"), api.SessionInfo)


async def asynchronous() -> None:
    assert_type(await api.apublish("com.x", on_commit=False, using="other"), int | None)
    assert_type(await api.acall("com.x"), Any)
    assert_type(api.astream("com.x"), AsyncGenerator[Any, None])
    subscription = await api.asubscribe("com.x", on_order)
    assert_type(await subscription.aunsubscribe(), None)
    registration = await api.aregister("com.x", aprice)
    assert_type(registration.is_active, bool)


async def session() -> None:
    clerk = api.Session(realm="realm1", role="clerk", timeout=5)
    assert_type(clerk.call("com.x"), Any)
    assert_type(await clerk.acall("com.x"), Any)
    assert_type(await clerk.asession_info(), api.SessionInfo)


def errors() -> None:
    try:
        api.call("com.x")
    except api.CallTimeout as error:
        assert_type(error.uri, str)
        assert_type(error.kwargs, dict[str, Any])


def leave() -> None:
    parts = api.stream("com.x")
    assert_type(next(parts), Any)
    parts.close()
