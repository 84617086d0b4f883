"""Hooks of the project have threads of their own, and a deadline: who hangs there holds up no other work."""

import asyncio
import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection

from wamp_transport.auth.principals import LoginDenied, Lookup
from wamp_transport.bootstrap.identity.django_methods import TokenPrincipals
from wamp_transport.bootstrap.identity.identity_queries import (
    HOOK_SECONDS,
    HOOK_THREADS,
    IDENTITIES_PER_QUERY,
    IdentityQueries,
)
from wamp_transport.bootstrap.identity.session_watch import SessionWatch
from wamp_transport.bootstrap.threads import MAX_LOGIN_WAIT_SECONDS, in_thread
from wamp_transport.router.options import RouterOptions
from wamp_transport.stores.identity import users
from wamp_transport.stores.identity.hooks import running_hooks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queries():
    made = IdentityQueries(0.2)
    yield made
    made.close()


@pytest.fixture
def hanging(settings):
    """A verifier that returns nothing before the test is over."""
    returns = threading.Event()
    settings.WAMP_TRANSPORT = {"TOKEN_VERIFIER": lambda token, details: returns.wait(60) and None}
    yield
    returns.set()


@pytest.mark.expects_errors(
    "A user or token cannot be looked up, and a login with it is denied: hooks take too long (running"
)
def test_hooks_that_hang_deny_the_login_and_leave_the_database_to_others(queries, hanging, caplog):
    watch = SessionWatch(lambda _: True, lambda *_: None, queries=queries)
    principals = TokenPrincipals(watch)
    lookup = Lookup("ticket", "realm1", None, {"session": 1}, ticket="foreign")

    async def main():
        logins = [asyncio.ensure_future(principals.find(lookup)) for _ in range(HOOK_THREADS + 1)]
        async with asyncio.timeout(20):
            assert await in_thread(User.objects.count) == 0
        return await asyncio.gather(*logins, return_exceptions=True)

    outcomes = asyncio.run(main())
    assert all(isinstance(one, LoginDenied) for one in outcomes), outcomes
    assert outcomes[0].reason == "wamp.error.unavailable"
    assert "the login is denied: hooks are too slow (running: TOKEN_VERIFIER for " in caplog.text


def test_hooks_are_given_up_before_the_router_gives_the_login_up():
    assert MAX_LOGIN_WAIT_SECONDS < HOOK_SECONDS < RouterOptions().authentication_timeout


def test_what_hooks_return_and_raise_comes_back(queries, settings):
    settings.WAMP_TRANSPORT = {"TOKEN_VERIFIER": lambda token, details: {"authid": token, "role": "user"}}
    assert queries.identities_per_query == 1
    found = asyncio.run(queries.ask(users.of_token, "eva", "realm1", {}))
    assert (found.authid, found.role) == ("eva", "user")

    def verify(token, details):
        assert [one.partition(" for ")[0] for one in running_hooks()] == ["TOKEN_VERIFIER"]
        raise TimeoutError("of the hook")

    settings.WAMP_TRANSPORT = {"TOKEN_VERIFIER": verify}
    with pytest.raises(TimeoutError, match="of the hook"):
        asyncio.run(queries.ask(users.of_token, "eva", "realm1", {}))
    assert running_hooks() == []


def test_without_hooks_it_is_work_for_the_database_as_any_other(queries):
    assert queries.identities_per_query == IDENTITIES_PER_QUERY
    names = asyncio.run(queries.ask(lambda: threading.current_thread().name))
    assert names.startswith("wamp-node")


def test_thread_keeps_a_connection_that_works(queries, settings):
    settings.WAMP_TRANSPORT = {"USER_AUTHID": len}

    def look_up():
        is_new = connection.connection is None
        User.objects.count()
        return is_new

    async def main():
        return [await queries.ask(look_up) for _ in range(2 * HOOK_THREADS)]

    assert asyncio.run(main()).count(True) <= HOOK_THREADS
