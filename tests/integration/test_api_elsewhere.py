"""Django code in a process that serves nobody, and inside the one that serves."""

import asyncio
import queue
import sys
import textwrap
from contextlib import contextmanager
from urllib.request import urlopen

import pytest

from wamp_transport import api
from wamp_transport.api import backends

from .servers import ROOT, assert_quiet, configuration, free_port, manage, node, realm, running, until, web

pytestmark = [pytest.mark.integration, pytest.mark.full]

OPEN = realm("realm1", call=True, register=True, publish=True, subscribe=True)


@pytest.fixture
def here(settings):
    """Tells this process where its router is; at the end its sessions say goodbye."""

    def at(port, **more):
        settings.WAMP_TRANSPORT = {
            "API": {"URL": f"ws://127.0.0.1:{port}/ws", "REALM": "realm1", "TIMEOUT": 10, **more}
        }

    yield at
    backends.disconnect()


@contextmanager
def script(directory, port, text):
    """A script of the project, in a process of its own."""
    path = directory / "script.py"
    head = f"""
        import django
        from django.conf import settings
        settings.configure(
            INSTALLED_APPS=["wamp_transport"],
            DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
            WAMP_TRANSPORT={{"API": {{"URL": "ws://127.0.0.1:{port}/ws", "REALM": "realm1", "TIMEOUT": 10}}}},
        )
        django.setup()
        from wamp_transport import api
    """
    path.write_text(textwrap.dedent(head) + textwrap.dedent(text))
    with running([sys.executable, str(path)], directory, PYTHONPATH=str(ROOT), DJANGO_SETTINGS_MODULE="") as process:
        yield process


def test_process_that_serves_nobody_reaches_the_router(tmp_path, here):
    port = free_port()
    with node(tmp_path, configuration(web(port), realms=[OPEN]), port) as router:
        here(port)
        events = queue.Queue()
        api.subscribe("com.shop.", lambda event: events.put((event.topic, event.args, event.kwargs)), match="prefix")
        registration = api.register("com.shop.add", lambda invocation: sum(invocation.args))
        assert api.call("com.shop.add", 2, 3) == 5
        assert asyncio.run(api.acall("com.shop.add", 2, 3)) == 5
        assert api.publish("com.shop.added", 5, kwargs={"k": b"\0"}, options=api.PublishOptions(acknowledge=True))
        assert events.get(timeout=10) == ("com.shop.added", [5], {"k": b"\0"})
        details = api.session_info()
        assert (details.realm, details.authrole, details.is_local) == ("realm1", "anonymous", False)
        registration.unregister()
        with pytest.raises(api.NoSuchProcedure):
            api.call("com.shop.add", 2, 3)
        with pytest.raises(api.NotConfigured, match="role"):
            api.call("com.shop.add", 2, 3, role="trusted")
        with pytest.raises(api.SessionClosed, match="nowhere"):
            api.call("com.shop.add", 2, 3, realm="nowhere")
        backends.disconnect()
        assert router.stop() == 0
        assert_quiet(router.output)


def test_progressive_results_and_timeouts_over_a_socket(tmp_path, here):
    async def count(invocation):
        for number in range(3):
            await invocation.progress([number])
        return "end"

    async def forever(invocation):
        await asyncio.Event().wait()

    port = free_port()
    with node(tmp_path, configuration(web(port), realms=[OPEN]), port):
        here(port)
        api.register("com.shop.count", count)
        api.register("com.shop.forever", forever)
        assert list(api.stream("com.shop.count")) == [0, 1, 2, "end"]
        with pytest.raises(api.CallTimeout):
            api.call("com.shop.forever", timeout=0.1)
        backends.disconnect()


def test_script_that_ends_at_once_has_published(tmp_path, here):
    port = free_port()
    with node(tmp_path, configuration(web(port), realms=[OPEN]), port):
        here(port)
        events = queue.Queue()
        api.subscribe("com.shop.x", lambda event: events.put(event.args))
        text = """
            from django.db import transaction
            with transaction.atomic():
                api.publish("com.shop.x", "committed")
            try:
                with transaction.atomic():
                    api.publish("com.shop.x", "rolled back")
                    raise LookupError
            except LookupError:
                pass
            api.publish("com.shop.x", "the last")
        """
        with script(tmp_path, port, text) as process:
            assert process.ended() == 0, process.output
            assert process.output == ""
        assert events.get(timeout=10) == ["committed"]
        assert events.get(timeout=10) == ["the last"]
        backends.disconnect()


def test_forked_worker_has_a_connection_of_its_own(tmp_path):
    port = free_port()
    text = """
        import os
        first = api.session_info().id
        child = os.fork()
        if child == 0:
            print("child", api.session_info().id != first, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print("parent", api.session_info().id == first)
    """
    with (
        node(tmp_path, configuration(web(port), realms=[OPEN]), port),
        script(tmp_path, port, text) as process,
    ):
        assert process.ended() == 0, process.output
        assert process.output.split() == ["child", "True", "parent", "True"]


def test_functions_of_a_forked_worker_have_threads(tmp_path):
    port = free_port()
    text = """
        import os
        def pid(invocation):
            return os.getpid()
        api.register("com.shop.parent", pid)
        print("parent", api.call("com.shop.parent") == os.getpid(), flush=True)
        child = os.fork()
        if child == 0:
            api.register("com.shop.child", pid)
            print("child", api.call("com.shop.child") == os.getpid(), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print("parent", api.call("com.shop.parent") == os.getpid())
    """
    with (
        node(tmp_path, configuration(web(port), realms=[OPEN]), port),
        script(tmp_path, port, text) as process,
    ):
        assert process.ended() == 0, process.output
        assert process.output.split() == ["parent", "True", "child", "True", "parent", "True"]


def test_workers_of_a_wsgi_server(tmp_path, here):
    port, site = free_port(), free_port()
    text = f"""
        import os
        from socketserver import ThreadingMixIn
        from wsgiref.simple_server import WSGIServer, make_server
        from django.core.wsgi import get_wsgi_application
        from django.db import transaction
        from django.http import HttpResponse
        from django.urls import path

        def view(request, number):
            with transaction.atomic():
                api.publish("com.shop.seen", request.path)
                total = api.call("com.shop.add", 2, 3)
            return HttpResponse(f"{{total}} {{os.getpid()}}")

        settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = "__main__", ["*"]
        urlpatterns = [path("<int:number>/", view)]

        class Server(ThreadingMixIn, WSGIServer):
            daemon_threads = False

        api.session_info()  # as code does that runs before the workers are there
        server = make_server("127.0.0.1", {site}, get_wsgi_application(), Server)
        workers = []
        for _ in range(2):
            workers.append(os.fork())
            if workers[-1] == 0:
                server.handle_request()
                server.server_close()
                os._exit(0)
        print("ready", flush=True)
        for worker in workers:
            os.waitpid(worker, 0)
    """
    with node(tmp_path, configuration(web(port), realms=[OPEN]), port):
        here(port)
        api.register("com.shop.add", lambda invocation: sum(invocation.args))
        seen = queue.Queue()
        api.subscribe("com.shop.seen", lambda event: seen.put(event.args[0]))
        with script(tmp_path, port, text) as process:
            process.wait_to_print("ready")
            answers = []
            for number in (1, 2):
                with urlopen(f"http://127.0.0.1:{site}/{number}/") as answer:
                    answers.append(answer.read().decode().split())
            assert [total for total, _ in answers] == ["5", "5"]
            assert len({pid for _, pid in answers}) == 2
            assert process.ended() == 0, process.output
        assert [seen.get(timeout=10) for _ in range(2)] == ["/1/", "/2/"]
        backends.disconnect()


def test_shell_of_the_project(tmp_path):
    port = free_port()
    (tmp_path / "elsewhere.py").write_text(
        "from wampnode.settings import *\n"
        f"WAMP_TRANSPORT = {{'API': {{'URL': 'ws://127.0.0.1:{port}/ws', 'REALM': 'realm1', 'TIMEOUT': 10}}}}\n"
    )
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "DJANGO_SETTINGS_MODULE": "elsewhere"}
    code = "from wamp_transport import api; print(len(api.call('wamp.session.list')), api.session_info().authrole)"
    with (
        node(tmp_path, configuration(web(port), realms=[OPEN]), port),
        running(manage("shell", "--command", code, "--verbosity", "0"), tmp_path, **environment) as process,
    ):
        assert process.ended() == 0, process.output
        assert process.output.split() == ["1", "anonymous"]


def test_what_was_registered_is_there_again_when_the_router_is(tmp_path, here):
    port = free_port()
    config = configuration(web(port), realms=[OPEN])
    with node(tmp_path, config, port) as router:
        here(port)
        registration = api.register("com.shop.add", lambda invocation: sum(invocation.args))
        assert router.stop() == 0
        until(lambda: not registration.is_active, "the registration is gone with the router")
        with pytest.raises(api.TransportError, match="no WAMP router can be reached"):
            api.call("com.shop.add", 2, 3)
    with node(tmp_path, config, port):
        until(lambda: registration.is_active, "the registration is back")
        assert api.call("com.shop.add", 2, 3) == 5
        backends.disconnect()


def test_what_is_no_wamp_router_is_told(tmp_path, here):
    port = free_port()
    paths = {"/": {"type": "json", "value": {}}}
    with node(tmp_path, configuration(web(port, paths), realms=[OPEN]), port):
        here(port)
        with pytest.raises(api.TransportError, match=f"at ws://127.0.0.1:{port}/ws"):
            api.session_info()


def test_views_and_signals_of_the_process_that_serves(tmp_path, here):
    port = free_port()
    environment = {
        "WAMPNODE_DATABASE": str(tmp_path / "live.sqlite3"),
        "DJANGO_SETTINGS_MODULE": "tests.integration.api_site.settings",
    }
    with running(manage("migrate", "--verbosity", "0"), tmp_path, **environment) as migrate:
        assert migrate.ended(seconds=60) == 0, migrate.output
    with running(manage("runserver", "--noreload", f"127.0.0.1:{port}"), tmp_path, **environment) as process:
        process.wait_for(port)

        def read(path):
            with urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.read().decode()

        here(port)
        api.register("com.shop.add", lambda invocation: sum(invocation.args))
        events = queue.Queue()
        api.subscribe("com.site.user.", lambda event: events.put((event.topic, event.args)), match="prefix")
        assert read("/sync/?a=2&b=3") == "5"
        assert read("/async/?a=2&b=3") == "5"
        assert read("/wrapped/?a=2&b=3") == "5"
        assert read("/blocked/").startswith("SynchronousOnlyOperation")
        assert read("/create/?name=eva") == "created"
        assert events.get(timeout=10) == ("com.site.user.created", ["eva"])
        assert read("/create/?name=adam&fail=1") == "rolled back"
        assert read("/acreate/?name=bob") == "created"
        assert events.get(timeout=10) == ("com.site.user.created", ["bob"])
        backends.disconnect()
        assert process.stop() == 0, process.output
        assert_quiet(process.output)


@pytest.mark.parametrize(("method", "setting"), [("ticket", "TICKET"), ("wampcra", "SECRET")])
def test_credential_of_the_settings_decides_who_it_is(tmp_path, here, method, setting):
    port = free_port()
    principal = {"secret" if method == "wampcra" else "ticket": "right", "role": "worker"}
    auth = {method: {"type": "static", "users" if method == "wampcra" else "principals": {"eva": principal}}}
    rule = {"uri": "", "match": "prefix", "allow": {"call": True, "register": True}}
    realms = [{"name": "realm1", "roles": [{"name": "worker", "permissions": [rule]}]}]
    paths = {"ws": {"type": "websocket", "auth": auth}}
    with node(tmp_path, configuration(web(port, paths), realms=realms), port):
        here(port, AUTHID="eva", **{setting: "right"})
        details = api.session_info()
        assert (details.authid, details.authrole, details.authmethod) == ("eva", "worker", method)
        here(port, AUTHID="eva", **{setting: "wrong"})
        with pytest.raises(api.SessionClosed):
            api.session_info()
        here(port)
        with pytest.raises(api.SessionClosed):
            api.session_info()
        backends.disconnect()
