"""One handler run: its parameters, its parts, its errors; with no node around."""

import asyncio

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from wamp_transport.handlers import Caller
from wamp_transport.handlers.declarations import Declaration
from wamp_transport.handlers.execution import Handler, HandlerExecutor, UnusableHandler
from wamp_transport.handlers.threads import HandlerThreads
from wamp_transport.node.client_types import Event, Invocation, Result
from wamp_transport.wamp.errors import ApplicationError


def run(function, *args, kind="procedure", details=None, permissions=(), user=None):
    """What comes of one message; the parts that were sent are in ``run.parts``."""
    run.parts = []

    async def send(message):
        run.parts.append(message.args)

    async def whole():
        threads = HandlerThreads(2)
        declaration = Declaration(kind, "com.x", function, permissions=permissions)
        running = HandlerExecutor(Handler(declaration), threads, lambda caller: lambda: user)
        try:
            if kind == "procedure":
                return await running.procedure(Invocation(1, "com.x", list(args), {}, details or {}, send))
            return await running.subscriber(Event("com.x", list(args), {}, details or {}))
        finally:
            threads.close()

    return asyncio.run(whole())


def error_of(function, *args, **options):
    with pytest.raises(ApplicationError) as caught:
        run(function, *args, **options)
    return caught.value


async def later(number: int) -> int:
    return number + 1


def generator(number: int):
    yield from range(number)


async def agenerator(number: int):
    for part in range(number):
        yield part


def test_declaration_that_cannot_be_carried_out_says_why():
    def wants(thing: object(), other: Event): ...

    with pytest.raises(UnusableHandler) as caught:
        Handler(Declaration("procedure", "com..x", wants))
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize("function", [lambda number: number + 1, later])
def test_functions_and_coroutines_return_results(function):
    assert run(function, 1) == Result([2])


@pytest.mark.parametrize("function", [generator, agenerator])
def test_generators_send_parts_to_those_who_want_them(function):
    assert run(function, 2) == Result([[0, 1]])
    assert run.parts == []
    assert run(function, 2, details={"receive_progress": True}) == Result()
    assert run.parts == [[0], [1]]


@pytest.mark.expects_errors("failed with a call of")
@pytest.mark.parametrize("function", [lambda number: 1 // number, later])
def test_exceptions_are_told_whole_in_debug_alone(function, settings, caplog):
    def fail(number):
        raise LookupError("the secret")

    async def afail(number):
        raise LookupError("the secret")

    failing = afail if function is later else fail
    settings.DEBUG = False
    error = error_of(failing, 0)
    assert (error.uri, error.kwargs) == ("wamp.error.runtime_error", {})
    assert "secret" not in str(error.args)
    assert "the secret" in caplog.text
    settings.DEBUG = True
    error = error_of(failing, 0)
    assert error.args == ("LookupError: the secret",)
    assert "test_execution.py" in "".join(error.kwargs["traceback"])


@pytest.mark.parametrize(("raised", "uri"), [
    (PermissionDenied(), "wamp.error.not_authorized"),
    (ValidationError("no"), "wamp.error.invalid_argument"),
    (ApplicationError("com.own", 1), "com.own"),
])  # fmt: skip
def test_exceptions_that_mean_something_are_told(raised, uri):
    def fail():
        raise raised

    assert error_of(fail).uri == uri


class User:
    def __init__(self, *permissions):
        self.permissions = permissions

    def has_perms(self, wanted):
        return set(wanted) <= set(self.permissions)


@pytest.mark.parametrize(("user", "role", "is_allowed"), [
    (None, "guest", False),
    (User(), "guest", False),
    (User("shop.view"), "guest", True),
    (None, "trusted", True),
])  # fmt: skip
def test_permission_is_asked_of_the_user(user, role, is_allowed):
    options = {"permissions": ("shop.view",), "user": user, "details": {"caller": 1, "caller_authrole": role}}
    if is_allowed:
        assert run(lambda: 7, **options) == Result([7])
    else:
        assert error_of(lambda: 7, **options).args == ("this needs the permission shop.view",)


def test_caller_is_given_on_request():
    def who(caller: Caller):
        return caller.authid

    assert run(who, details={"caller": 1, "caller_authid": "eva"}) == Result(["eva"])


@pytest.mark.expects_errors("failed with an event on")
def test_subscriber_that_fails_is_logged(caplog):
    def fail(number: int):
        raise LookupError("no")

    run(fail, 1, kind="subscriber")
    assert "LookupError: no" in caplog.text
    caplog.clear()
    run(fail, "x", kind="subscriber")
    assert "has refused an event on com.x" in caplog.text
