"""The context of meta procedures, and a function that calls one with Python values."""

from collections.abc import Callable
from typing import Any

import pytest

from wamp_transport.router.broker import Broker
from wamp_transport.router.dealer import Dealer
from wamp_transport.router.effects import Effect
from wamp_transport.router.environment import Environment
from wamp_transport.router.meta.arguments import Arguments
from wamp_transport.router.meta.context import Context, LargeResult
from wamp_transport.router.meta.procedures import PROCEDURES
from wamp_transport.router.options import RealmOptions
from wamp_transport.router.permissions import Role
from wamp_transport.router.records import Session
from wamp_transport.router.testaments import Testaments
from wamp_transport.wamp.errors import RequestRefused
from wamp_transport.wamp.messages import Register, RegisterOptions, Subscribe, SubscribeOptions


@pytest.fixture
def left() -> list[tuple[Any, ...]]:
    """The sessions that were ended: id, reason, message; and True if quietly."""
    return []


@pytest.fixture
def context(
    roles: dict[str, Role],
    outbox: list[Effect],
    environment: Environment,
    announce: Callable[..., None],
    left: list[tuple[Any, ...]],
) -> Context:
    """A realm without sessions."""
    broker = Broker("realm1", roles, outbox, environment, announce)
    dealer = Dealer("realm1", roles, outbox, environment, announce, {})
    broker.configure(RealmOptions("realm1"))

    def leave(*arguments: Any, **named: Any) -> None:
        left.append((*arguments, *named.values()))

    return Context({}, broker, dealer, Testaments(), environment, leave)


@pytest.fixture
def join(context: Context, new_session: Callable[..., Session]) -> Callable[..., Session]:
    """Makes a session of the realm."""

    def join(*arguments: Any, **features: Any) -> Session:
        session = new_session(*arguments, **features)
        context.sessions[session.id] = session
        return session

    return join


@pytest.fixture
def caller(join: Callable[..., Session]) -> Session:
    """The caller of the procedures."""
    return join()


@pytest.fixture
def ask(context: Context, caller: Session) -> Callable[..., Any]:
    """Calls a procedure by its URI without ``wamp.``."""

    def ask(uri: str, *args: Any, **kwargs: Any) -> Any:
        result = PROCEDURES[f"wamp.{uri}"](context, caller, Arguments(args, kwargs))
        return result.compute() if isinstance(result, LargeResult) else result

    return ask


@pytest.fixture
def refused(ask: Callable[..., Any]) -> Callable[..., str]:
    """The error that a call is refused with, without ``wamp.error.``."""

    def refused(*args: Any, **kwargs: Any) -> str:
        with pytest.raises(RequestRefused) as caught:
            ask(*args, **kwargs)
        return caught.value.uri.removeprefix("wamp.error.")

    return refused


@pytest.fixture
def subscribe(context: Context, outbox: list[Effect]) -> Callable[..., int]:
    """Subscribes a session; the id of the subscription."""

    def subscribe(session: Session, topic: str, match: Any = None) -> int:
        context.broker.on_subscribe(session, Subscribe(1, SubscribeOptions(match=match), topic))
        outbox.clear()
        return context.broker.lookup(match or "exact", topic).id

    return subscribe


@pytest.fixture
def register(context: Context, outbox: list[Effect]) -> Callable[..., int]:
    """Registers a session; the id of the registration."""

    def register(session: Session, procedure: str, match: Any = None, **options: Any) -> int:
        context.dealer.on_register(session, Register(1, RegisterOptions(match=match, **options), procedure))
        outbox.clear()
        return context.dealer.lookup(match or "exact", procedure).id

    return register
