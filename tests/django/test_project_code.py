"""Each place where the product runs code of the project takes whatever that raises, and goes on.

The application of the project in the server itself is in ``tests/integration/test_project_code.py``.
"""

import asyncio
import importlib
import logging
import queue
import signal
import sys
from types import ModuleType

import pytest
from django.apps import AppConfig, apps

from tests.catalogue.models import Item
from tests.django.test_api import serving  # noqa: F401 - a fixture
from tests.unit.bootstrap.test_handlers import ACKNOWLEDGE, eventually, fails, play, registry  # noqa: F401 - a fixture
from wamp_transport import api, model_events
from wamp_transport.auth.dynamic import FunctionPrincipals
from wamp_transport.auth.principals import Lookup
from wamp_transport.bootstrap.authentication import _create_authenticator
from wamp_transport.bootstrap.threads import Functions
from wamp_transport.conf import app_settings
from wamp_transport.handlers import register, subscribe
from wamp_transport.handlers.discovery import import_modules
from wamp_transport.model_events import signal_receivers
from wamp_transport.node.decision_tasks import DecisionTasks
from wamp_transport.node.dynamic_authorizer import DynamicAuthorizer
from wamp_transport.node.local import ServiceSessions
from wamp_transport.project_code import ProjectCodeError
from wamp_transport.router.decisions import Deny
from wamp_transport.router.effects import AuthenticationRequest, AuthorizationRequest
from wamp_transport.stores.identity import users
from wamp_transport.testing import InMemoryRouter, WampClient
from wamp_transport.wamp import errors
from wamp_transport.wamp.messages import Hello, HelloDetails

SECONDS = 20
IN_THREADS = [SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit]
IN_COROUTINES = [SystemExit, KeyboardInterrupt, GeneratorExit]
LOGIN = AuthenticationRequest(1, 7, "service", "ticket", Hello("realm1", HelloDetails()), {})
ACTION = AuthorizationRequest(2, 7, "realm1", {}, "com.a", "call", "com.x", "exact", None)


@pytest.fixture(autouse=True)
def served():
    """As in a server, which handles Ctrl-C itself."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


in_threads = pytest.mark.parametrize("kind", IN_THREADS)
in_coroutines = pytest.mark.parametrize("kind", IN_COROUTINES)


# --- handlers ----------------------------------------------------------------------------------------------------


@pytest.mark.expects_errors("failed with a call of com.fail")
@in_threads
@pytest.mark.parametrize("has_parts", [False, True])
def test_synchronous_procedure(kind, has_parts, caplog):
    def function():
        raise kind

    def generator():
        yield 1
        raise kind

    register("com.fail")(generator if has_parts else function)
    register("com.add")(lambda a, b: a + b)

    async def scenario(stage):
        client = await stage.client()
        for _ in range(8):  # more than there are threads
            assert (await fails(client.call("com.fail"))).uri == errors.RUNTIME_ERROR
        assert (await client.call("com.add", [2, 3])).value == 5

    play(scenario)
    assert kind.__name__ in caplog.text


@pytest.mark.expects_errors("ProjectCodeError")
@in_coroutines
@pytest.mark.parametrize("has_parts", [False, True])
def test_asynchronous_procedure(kind, has_parts, caplog):
    async def function():
        await asyncio.sleep(0)
        raise kind

    async def generator():
        yield 1
        raise kind

    register("com.fail")(generator if has_parts else function)

    async def scenario(stage):
        client = await stage.client()
        assert (await fails(client.call("com.fail"))).uri == errors.RUNTIME_ERROR
        assert (await fails(client.call("com.fail"))).uri == errors.RUNTIME_ERROR

    play(scenario)
    assert kind.__name__ in caplog.text


@pytest.mark.expects_errors("ProjectCodeError")
@in_coroutines
@pytest.mark.parametrize("is_async", [False, True])
def test_subscriber_goes_on_hearing(kind, is_async, caplog):
    heard = []

    def hear(value):
        if value == "bad":
            raise kind
        heard.append(value)

    async def ahear(value):
        hear(value)

    subscribe("com.topic")(ahear if is_async else hear)

    async def scenario(stage):
        client = await stage.client()
        for value in ("a", "bad", "b"):
            await client.publish("com.topic", [value], options=ACKNOWLEDGE)
        # Threads can handle "b" before the failure is logged.
        await eventually(lambda: heard == ["a", "b"] and "ProjectCodeError" in caplog.text)

    play(scenario)


@pytest.mark.expects_errors("ProjectCodeError")
@in_coroutines
def test_handlers_of_a_session_inside_the_process(kind):
    def fail(*_):
        raise kind

    async def afail(*_):
        raise kind

    async def scenario(stage):
        client, other = await stage.client(), await stage.client()
        heard = asyncio.Event()
        for handler in (fail, afail):
            await client.register(f"com.{handler.__name__}", handler)
            await client.subscribe("com.topic", handler)
        await client.subscribe("com.topic", lambda event: heard.set())
        for handler in (fail, afail):
            assert (await fails(other.call(f"com.{handler.__name__}"))).uri == errors.INTERNAL_ERROR
        await other.publish("com.topic", options=ACKNOWLEDGE)
        await heard.wait()

    play(scenario)


@pytest.mark.expects_errors("ProjectCodeError")
@in_coroutines
def test_result_that_has_code_of_its_own(kind):
    class Result(dict):
        def items(self):
            raise kind

    async def scenario(stage):
        client, other = await stage.client(), await stage.client()
        await client.register("com.result", lambda call: Result(a=1))
        assert (await fails(other.call("com.result"))).uri == errors.INVALID_PAYLOAD

    play(scenario)


@in_threads
def test_class_of_handlers_that_cannot_be_made(kind):
    class Shop:
        def __init__(self):
            raise kind

        @register("com.shop")
        def sell(self): ...

    from wamp_transport.handlers.declarations import REGISTRY
    from wamp_transport.handlers.execution import Handler, UnusableHandler

    (declaration,) = REGISTRY.declarations
    with pytest.raises(UnusableHandler, match=f"Shop cannot be instantiated without arguments: .*{kind.__name__}"):
        Handler(declaration)


@in_threads
def test_module_of_handlers_that_cannot_be_imported(kind, monkeypatch, tmp_path):
    name = f"rough_{kind.__name__}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "wamp.py").write_text(f"raise {kind.__name__}")
    monkeypatch.syspath_prepend(tmp_path)
    config = AppConfig(name, importlib.import_module(name))
    monkeypatch.setattr(apps, "get_app_configs", lambda: [config])
    (broken,) = import_modules()
    assert kind.__name__ in str(broken)


@pytest.mark.expects_errors("ProjectCodeError")
@in_threads
def test_handlers_in_tests_of_projects(kind):
    @register("com.fail")
    def fail():
        raise kind

    with InMemoryRouter(), pytest.raises(api.ApplicationError, match="runtime_error"):
        WampClient().call("com.fail")


# --- the API -----------------------------------------------------------------------------------------------------


@pytest.mark.expects_errors("ProjectCodeError")
@pytest.mark.parametrize("kind", [StopIteration, SystemExit])
def test_handlers_of_the_api(serving, kind):  # noqa: F811
    heard = queue.Queue()

    def hear(event):
        if event.args == ["bad"]:
            raise kind
        heard.put(event.args[0])

    def carry_out(invocation):
        raise kind

    async def acarry_out(invocation):
        raise SystemExit

    api.subscribe("com.topic", hear)
    api.register("com.fail", carry_out)
    api.register("com.afail", acarry_out)
    for text in ("a", "bad", "b"):
        api.publish("com.topic", text)
    assert [heard.get(timeout=SECONDS) for _ in range(2)] == ["a", "b"]
    for _ in range(10):  # more than there are threads
        with pytest.raises(api.ApplicationError, match="internal_error"):
            api.call("com.fail")
    with pytest.raises(api.ApplicationError, match="internal_error"):
        api.call("com.afail")


# --- who may log in, and do what ---------------------------------------------------------------------------------


class Raises:
    """An authenticator and authorizer that raises, after a turn of the loop."""

    def __init__(self, kind):
        self.kind = kind

    async def authenticate(self, request):
        await asyncio.sleep(0)
        raise self.kind

    authorize = authenticate


@pytest.mark.expects_errors("ProjectCodeError")
@pytest.mark.parametrize("kind", [*IN_COROUTINES, asyncio.CancelledError])
@pytest.mark.parametrize("request_", [LOGIN, ACTION])
def test_authenticators_and_authorizers_of_a_node(kind, request_, caplog):
    async def main():
        decided = asyncio.get_running_loop().create_future()
        script = Raises(kind)
        deciding = DecisionTasks(asyncio.get_running_loop(), script, script, lambda *answer: decided.set_result(answer))
        deciding.start(request_)
        return await asyncio.wait_for(decided, SECONDS)

    ticket, answer = asyncio.run(main())
    assert (ticket, type(answer)) == (request_.ticket, Deny)
    assert kind.__name__ in caplog.text


@pytest.mark.expects_errors("ProjectCodeError")
@pytest.mark.parametrize("kind", IN_COROUTINES)
@pytest.mark.parametrize("is_async", [False, True])
def test_authenticator_that_is_a_function(kind, is_async, settings):
    from wamp_transport.auth.principals import World
    from wamp_transport.worker_threads import WorkerThreads

    threads = WorkerThreads("test-logins", 1)

    def find(realm, authid, details):
        raise kind

    async def afind(realm, authid, details):
        raise kind

    world = World(bytes, str, threads.run, b"", b"")
    principals = FunctionPrincipals(world, "find", afind if is_async else find)

    class Authenticator:
        async def authenticate(self, request):
            return await principals.find(Lookup("ticket", "realm1", "joe", {}))

    async def main():
        decided = asyncio.get_running_loop().create_future()
        authenticator = Authenticator()
        loop = asyncio.get_running_loop()
        DecisionTasks(loop, authenticator, authenticator, lambda *answer: decided.set_result(answer)).start(LOGIN)
        return await asyncio.wait_for(decided, SECONDS)

    assert isinstance(asyncio.run(main())[1], Deny)
    threads.close()


@pytest.mark.expects_errors("ProjectCodeError")
@in_threads
def test_maker_of_an_authenticator_and_its_module(kind, caplog, monkeypatch, tmp_path):
    module = ModuleType("rough_authenticators")

    def create(config, controller):
        raise kind

    module.create = create
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (tmp_path / "rough_module.py").write_text(f"raise {kind.__name__}")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("rough_authenticators.create", "rough_module.create"):
        assert _create_authenticator(name, None) is None
        assert f"Logins with {name} are not possible" in caplog.text


@pytest.mark.expects_errors("ProjectCodeError")
@in_coroutines
@pytest.mark.parametrize("is_async", [False, True])
def test_authorizer_that_is_a_function(kind, is_async, monkeypatch, caplog):
    def decide(*_):
        raise kind

    async def adecide(*_):
        raise kind

    module = ModuleType("rough_authorizers")
    module.decide = adecide if is_async else decide
    monkeypatch.setitem(sys.modules, module.__name__, module)
    functions = Functions()
    authorizers = DynamicAuthorizer(ServiceSessions(), functions.run)
    from msgspec.structs import replace

    from wamp_transport.config.realm import FUNCTION_PREFIX

    request = replace(ACTION, authorizer=f"{FUNCTION_PREFIX}rough_authorizers.decide")
    assert asyncio.run(authorizers.authorize(request)).reason == errors.AUTHORIZATION_FAILED
    functions.close()
    assert "it raised ProjectCodeError" in caplog.text


@in_threads
@pytest.mark.parametrize("name", ["USER_AUTHID", "USER_ROLE", "TOKEN_VERIFIER"])
def test_hooks_of_the_settings(kind, name, settings):
    def hook(*_):
        raise kind

    settings.WAMP_TRANSPORT = {name: hook}
    asked = {
        "USER_AUTHID": lambda: users.authid_of(object()),
        "USER_ROLE": lambda: users.role_of(object(), "realm1"),
        "TOKEN_VERIFIER": lambda: users.of_token("foreign", "realm1", {}),
    }
    with pytest.raises(ProjectCodeError, match=kind.__name__):
        asked[name]()


@in_threads
def test_module_of_a_hook(kind, settings, monkeypatch, tmp_path):
    (tmp_path / "rough_hooks.py").write_text(f"raise {kind.__name__}")
    monkeypatch.syspath_prepend(tmp_path)
    settings.WAMP_TRANSPORT = {"USER_ROLE": "rough_hooks.role"}
    with pytest.raises(ProjectCodeError, match=kind.__name__):
        app_settings().hook("USER_ROLE")


# --- models ------------------------------------------------------------------------------------------------------


@pytest.mark.expects_errors("ProjectCodeError")
@pytest.mark.django_db
@in_threads
@pytest.mark.parametrize("name", ["topic", "serialize", "when", "options"])
def test_functions_of_model_events(kind, name, caplog):
    def fail(change):
        raise kind

    functions = {"topic": "com.item", name: fail}
    declared = model_events.publish_model_events(Item, **functions)
    try:
        with caplog.at_level(logging.ERROR):
            Item.objects.create()
        assert Item.objects.count() == 1
    finally:
        signal_receivers.remove_publisher(declared)
    assert "no event can be made of it" in caplog.text
